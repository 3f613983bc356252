"""Nodes' uplinks as network cards, whose drivers hand over in one what arrives together.

Otherwise each packet of a stream goes through the node's network stack by itself, and rules that a machine applies once
to forty packets are applied forty times (ADR 61).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from l3conf.emulator.kernel.offloads import gather_received, send_as_on_a_wire

if TYPE_CHECKING:
    from l3conf.emulator.fabric.elements import Cable
    from l3conf.emulator.kernel.namespaces import NetworkNamespace


def fit_card(cable: Cable, *, lan: NetworkNamespace, node: NetworkNamespace) -> None:
    """Have the cable between a LAN's bridge and a node behave like one between network cards."""
    send_as_on_a_wire(lan, cable.port)
    gather_received(node, cable.name)
