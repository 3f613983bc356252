"""What a gateway leaves in the kernel of its node: its agent's to change, and its route agent's once it is relieved."""

from __future__ import annotations

from reference_impl.names import (
    CABLE_DEVICE,
    CABLE_TABLE,
    GATEWAY_PROTOCOL,
    IPSEC_DEVICE,
    TRAFFIC_TABLE,
    WIREGUARD_DEVICE,
    WIREGUARD_SECOND_DEVICE,
)
from reference_impl.state import Ownership

CABLE_OWNERSHIP = Ownership(
    protocol=GATEWAY_PROTOCOL,
    devices=(CABLE_DEVICE, WIREGUARD_DEVICE, WIREGUARD_SECOND_DEVICE, IPSEC_DEVICE),
    table=CABLE_TABLE,
    meters=TRAFFIC_TABLE,
)
"""Devices of all built-in cable drivers: one that was used before is taken down."""
