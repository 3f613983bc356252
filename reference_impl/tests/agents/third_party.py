"""A cable driver as somebody else's package would have it: nothing but the protocol and the words of ``state``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from reference_impl.planner.cable import Cables, NextHop
from reference_impl.state import ForwardingEntry, Link, Neighbour

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from reference_impl.planner.cable import GatewayFacts
    from reference_impl.protocols.objects import Endpoint

_MAC = "02:00:00:00:00:01"


@dataclass(frozen=True, slots=True)
class ThirdPartyCables:
    """VXLAN under another name, number, port and device."""

    backend: str = "plain"
    port: int = 9472
    device: str = "plain0"
    authenticates: bool = False
    stands_by: bool = True
    own_identity: str = ""

    @classmethod
    def for_node(cls, _public_key: str) -> Self:
        """Return the driver of a node."""
        return cls()

    @property
    def devices(self) -> tuple[str, ...]:
        return (self.device,)

    @property
    def overhead(self) -> Mapping[int, int]:
        return {4: 50, 6: 70}

    @property
    def parameters(self) -> Mapping[str, str]:
        return {}

    def identity(self, peer: Endpoint) -> str:  # noqa: ARG002 - the protocol's signature
        return ""

    def excludes(self, peer: Endpoint) -> str:  # noqa: ARG002 - likewise
        return ""

    def objection(self, peer: Endpoint) -> str:  # noqa: ARG002 - likewise
        return ""

    def at_port(self, port: int) -> Self:
        return replace(self, port=port)

    def plan(self, facts: GatewayFacts, mtu: int) -> Cables:
        link = Link(name=self.device, vni=7, port=self.port, local=facts.underlay, mac=_MAC, mtu=mtu - 50)
        return Cables(
            links=frozenset([link]),
            neighbours=frozenset(
                Neighbour(device=self.device, address=peer.private_ip, mac=_MAC) for peer in facts.peers
            ),
            forwarding=frozenset(
                ForwardingEntry(device=self.device, mac=_MAC, destination=peer.tunnel_address, port=peer.port)
                for peer in facts.peers
            ),
            hops={peer.cluster_id: NextHop(device=self.device, via=peer.private_ip) for peer in facts.peers},
        )
