"""Why a peer that never answered will not answer by itself: "connecting" for ever says nothing to anybody. Pure.

Only a driver that knows its peers by their addresses has such an obstacle: what a NAT has rewritten comes from nobody
it knows, and no answer finds back. Drivers that authenticate packets take them from anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reference_impl.protocols.health import Health

if TYPE_CHECKING:
    from reference_impl.protocols.objects import Endpoint

PATIENCE = 10.0
"""Seconds without any answer after which an operator should hear more than "connecting"."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What an operator must mend."""

    reason: str
    """CamelCase: ``NATNotCrossed`` where there are signs of a NAT, else ``NoAnswer``."""
    message: str


def find_obstacle(
    own: Endpoint, peer: Endpoint, health: Health, silent_for: float, *, crosses_nat: bool, strangers: bool
) -> Obstacle | None:
    """Return what stands between us and a peer that has never answered.

    ``strangers``: whether tunnel packets arrive from an address that no member published.
    """
    if crosses_nat or health is not Health.CONNECTING or silent_for < PATIENCE or peer.health_check_ip is None:
        return None
    signs = [
        *(["tunnel packets arrive from an address that no member published"] if strangers else []),
        *(["this gateway is behind one"] if _is_hidden(own) else []),
        *(["the peer's gateway is behind one"] if _is_hidden(peer) else []),
    ]
    remedy = "use wireguard or libreswan at both ends, or addresses that reach each other"
    if signs:
        return Obstacle("NATNotCrossed", f"cable driver {peer.backend} crosses no NAT, and {signs[0]}: {remedy}")
    where = f"{peer.tunnel_address} port {peer.tunnel_port}"
    return Obstacle(
        "NoAnswer",
        f"{where} is not reached or does not reach us: a firewall, or a NAT, which cable driver {peer.backend} does not"
        f" cross: {remedy}",
    )


def _is_hidden(endpoint: Endpoint) -> bool:
    return endpoint.nat_enabled and endpoint.public_ip is None
