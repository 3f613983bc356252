"""A fabric's plan in Mininet's words: hosts, switches, links. Pure.

Mininet's nodes have the keys of the plan as names, which are the places of ``l3conf lab exec``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from l3conf.emulator.fabric.elements import UPLINK

if TYPE_CHECKING:
    from l3conf.emulator.fabric.elements import Cable, FabricPlan, NamespacePlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """A link between a switch and a host."""

    switch: str
    host: str
    cable: Cable
    host_port: int
    """Mininet's number of the host's interface, from 0: that of port 0 is the host's default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """What Mininet is to make, in the order in which it is made."""

    hosts: tuple[NamespacePlan, ...]
    switches: tuple[NamespacePlan, ...]
    wires: tuple[Wire, ...]


def network_of(plan: FabricPlan) -> Network:
    """Return the network of a plan whose LANs and WAN are switches of their own (``fabric.switches``)."""
    plans = plan.namespaces.values()
    return Network(
        hosts=tuple(each for each in plans if not each.is_switch),
        switches=tuple(each for each in plans if each.is_switch),
        wires=tuple(wire(each.key, cable) for each in plans for cable in each.cables),
    )


def wire(switch: str, cable: Cable) -> Wire:
    """Return the link that a cable plugged into a switch is."""
    return Wire(switch=switch, host=cable.to, cable=cable, host_port=cable.index - UPLINK)
