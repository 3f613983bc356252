"""A member that speaks several cable drivers, and which one a pair of members uses.

``Endpoint.spec.backend`` can name one driver: the most preferred, with ``udp-port`` for its port, as everybody reads
it. Those who speak several say so in ``backend_config``, most preferred first: ``cable-drivers:
libreswan:4500,vxlan:4502``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from reference_impl.names import CABLE_DRIVERS
from reference_impl.planner.cable import Cables

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reference_impl.planner.cable import CableDriver, GatewayFacts
    from reference_impl.protocols.objects import Endpoint

_HIGHEST_PORT = 65535


@dataclass(frozen=True, slots=True)
class DriverSet:
    """Cable drivers of one member, most preferred first."""

    drivers: tuple[CableDriver, ...]
    """At least one, each with a port and a device of its own."""

    @property
    def backend(self) -> str:
        """Return the most preferred driver's."""
        return self.drivers[0].backend

    @property
    def port(self) -> int:
        """Return the most preferred driver's."""
        return self.drivers[0].port

    @property
    def devices(self) -> tuple[str, ...]:
        """Return the devices that cables come out of."""
        return tuple(device for driver in self.drivers for device in driver.devices)

    @property
    def overhead(self) -> Mapping[int, int]:
        """Return what the most voluminous one adds: within a cluster, one MTU must do for all peers."""
        return {version: max(driver.overhead[version] for driver in self.drivers) for version in (4, 6)}

    @property
    def parameters(self) -> Mapping[str, str]:
        """Return the parameters of all; the list of drivers where there is more than one."""
        merged = {name: value for driver in reversed(self.drivers) for name, value in driver.parameters.items()}
        if len(self.drivers) > 1:
            merged[CABLE_DRIVERS] = ",".join(f"{driver.backend}:{driver.port}" for driver in self.drivers)
        return merged

    @property
    def own_identity(self) -> str:
        """Return what tells this member from others; "" if no driver needs it."""
        return next((driver.own_identity for driver in self.drivers if driver.own_identity), "")

    def at_port(self, port: int) -> DriverSet:
        """Return the same drivers, the most preferred one on another port: the one that ``udp-port`` speaks of."""
        first, *others = self.drivers
        return DriverSet((first.at_port(port), *others))

    def mismatch(self, peer: Endpoint) -> str:
        """Say that there is no common driver; "" if there is one."""
        if self._common(peer) is not None:
            return ""
        theirs = " or ".join(repr(name) for name in _offer(peer))
        ours = " or ".join(repr(driver.backend) for driver in self.drivers)
        excluded = (driver.excludes(peer) for driver in self.drivers if driver.backend in _offer(peer))
        why = next((text for text in excluded if text), "")
        return f"cable driver {theirs} there, {ours} here{why and f': {why}'}"

    def identity(self, peer: Endpoint) -> str:
        """Return by what the pair's driver tells the peer from others."""
        common = self._common(peer)
        return common.identity(peer) if common else ""

    def objection(self, peer: Endpoint) -> str:
        """Say why the pair's driver cannot lay a cable."""
        common = self._common(peer)
        return common.objection(self._for(common, peer)) if common else ""

    def chosen(self, peer: Endpoint) -> Endpoint:
        """Return an Endpoint as the pair's driver reads it; as it is where there is no common one."""
        common = self._common(peer)
        return self._for(common, peer) if common else peer

    def stands_by(self, peer: Endpoint) -> bool:
        """Say whether a gateway that stands by can have the pair's cable ready."""
        common = self._common(peer)
        return common is not None and common.stands_by

    def crosses_nat(self, peer: Endpoint) -> bool:
        """Say whether the pair's driver takes a peer's packets from any address, as a NAT makes them come."""
        common = self._common(peer)
        return common is None or common.authenticates

    def plan(self, facts: GatewayFacts, mtu: int) -> Cables:
        """Plan each driver's cables to the peers that it connects to; one without peers needs nothing."""
        plans = [driver.plan(replace(facts, peers=peers), mtu) for driver, peers in self.shares(facts.peers)]
        return _merged(plans)

    def shares(self, peers: Iterable[Endpoint]) -> Sequence[tuple[CableDriver, tuple[Endpoint, ...]]]:
        """Return each driver that has peers with its peers, as it should read them."""
        listed = tuple(peers)
        found = [
            (driver, tuple(self._for(driver, peer) for peer in listed if self._common(peer) is driver))
            for driver in self.drivers
        ]
        return [(driver, mine) for driver, mine in found if mine]

    def _common(self, peer: Endpoint) -> CableDriver | None:
        """Return the common driver with the best ranks at both ends together. Both ends find the same one.

        A tie, as when the ends' preferences are opposite, goes to the name that comes first.
        """
        theirs = {name: rank for rank, name in enumerate(_offer(peer))}
        ranked = [
            (rank + theirs[driver.backend], driver.backend, driver)
            for rank, driver in enumerate(self.drivers)
            if driver.backend in theirs and not driver.excludes(peer)
        ]
        return min(ranked, key=lambda item: item[:2])[2] if ranked else None

    @staticmethod
    def _for(driver: CableDriver, peer: Endpoint) -> Endpoint:
        """Return the Endpoint as one driver should read it: with the port where the peer has that driver.

        Discovery finds addresses. The port that it concludes is the first driver's.
        """
        port = _offer(peer).get(driver.backend, peer.port)
        if port == peer.port:
            return replace(peer, backend=driver.backend)
        way = peer.way and replace(peer.way, port=port)
        return replace(peer, backend=driver.backend, port=port, way=way)


def only(peer: Endpoint, backend: str) -> Endpoint:
    """Return an Endpoint as if it offered one driver alone; one that does not offer it is offered by none."""
    offered = {name: port for name, port in _offer(peer).items() if name == backend}
    parameters = frozenset(entry for entry in peer.parameters if entry[0] != CABLE_DRIVERS)
    return replace(
        peer, backend=backend if offered else "none", port=offered.get(backend, peer.port), parameters=parameters
    )


def _offer(peer: Endpoint) -> Mapping[str, int]:
    """Return what a peer speaks and on which ports, most preferred first. What cannot be read is not offered."""
    offered: dict[str, int] = {}
    for entry in peer.parameter(CABLE_DRIVERS).split(","):
        name, _, port = entry.strip().partition(":")
        if name and port.isascii() and port.isdecimal() and 1 <= int(port) <= _HIGHEST_PORT:
            offered.setdefault(name, int(port))
    if peer.backend in offered:
        # ``udp-port`` is where the peer's owner says that it is reached, whatever its agent listens on.
        return offered | {peer.backend: peer.port}
    return {peer.backend: peer.port, **offered}


def _merged(plans: Iterable[Cables]) -> Cables:
    plans = tuple(plans)
    return Cables(
        hops={cluster_id: hop for plan in plans for cluster_id, hop in plan.hops.items()},
        links=frozenset(item for plan in plans for item in plan.links),
        peers=frozenset(item for plan in plans for item in plan.peers),
        ike_peers=frozenset(item for plan in plans for item in plan.ike_peers),
        neighbours=frozenset(item for plan in plans for item in plan.neighbours),
        forwarding=frozenset(item for plan in plans for item in plan.forwarding),
        diversions=frozenset(item for plan in plans for item in plan.diversions),
    )
