"""Where members are found, and by whom: addresses that are published and used, and address discovery repeated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from l3conf.plugin import gateways, traversal
from l3conf.plugin.carriers import Carriers
from l3conf.plugin.cluster_api import GROUP
from l3conf.plugin.places import endpoints_by_place
from l3conf.wait import DeadlineMissedError, Pending

if TYPE_CHECKING:
    from collections.abc import Sequence

    from l3conf.capture.packets import Packet
    from l3conf.expectations.wan import WanCapture
    from l3conf.model.topology import IPAddress

_ENOUGH = 4
"""Recorded messages that are worth repeating: a request and a reply in both directions."""


@dataclass(slots=True, repr=False)
class Whereabouts(Carriers):
    """A lab whose members are found at addresses."""

    def advertised_otherwise(self, cluster: str, address: IPAddress) -> list[str]:
        """Return the members that know another public address of a cluster, or none."""
        known = {member: self.apis[member].items(f"{GROUP}/endpoints") for member in self.members.joined}
        return traversal.advertised_otherwise(cluster, address, known)

    def found_elsewhere(self, cluster: str, address: IPAddress) -> list[str]:
        """Return who holds an Endpoint of a cluster with another private address than this one, or none at all."""
        known = endpoints_by_place((*self.apis.values(), self.broker))
        return traversal.found_elsewhere(cluster, address, known)

    def not_using_private_path(self, one: str, other: str) -> list[str]:
        """Return which of two members say that they do not use the other's private address."""
        lines = []
        for member, peer in ((one, other), (other, one)):
            said = gateways.latest_connections(self.apis[member].items(f"{GROUP}/gateways")).get(peer)
            lines += traversal.not_private(member, said.entry if said else None)
        return lines

    @property
    def discovery_ports(self) -> frozenset[int]:
        """The UDP ports at which members offer address discovery."""
        return traversal.discovery_ports(obj for api in self.apis.values() for obj in api.items(f"{GROUP}/endpoints"))

    def recorded_discovery(self) -> tuple[Packet, ...]:
        """Return discovery messages of several members as they passed the WAN; untestable where there are none."""
        ports = self.discovery_ports
        with self.wan.capturing() as wan:

            def look() -> tuple[Packet, ...] | Pending:
                seen = traversal.of_ports(wan.packets(), ports)
                enough = len(seen) >= _ENOUGH and len({packet.source for packet in seen}) > 1
                return seen if enough else Pending(f"{len(seen)} messages of discovery passed")

            try:
                return self.harness.wait("discovery passes the WAN", look, "T_recover")
            except DeadlineMissedError as missed:
                pytest.skip(f"nothing can be repeated: {missed}")

    def outsider_repeats(self, recorded: Sequence[Packet]) -> None:
        """Let the outsider send recorded packets: as they were, from its own address, and altered."""
        self.ground.inject(self.outsider.place, traversal.repeated(recorded, self.outsider.address()))

    def diverted(self, wan: WanCapture) -> list[str]:
        """Return the packets to the outsider that are no answers of discovery."""
        return traversal.diverted(wan.packets(), self.outsider.address(), self.discovery_ports)
