"""Plans in which every LAN and the WAN is a switch of its own, for hardware that knows hosts and switches. Pure.

::

    router:east ═ bridge lan ═╦═ node    becomes    router:east ──── lan:east ═╦═ node
                              ╚═ node                                          ╚═ node

Routers keep the index, name, size and MAC of what was their bridge, as a link to the switch; so their addresses,
routes and rules stay as they were. What concerns frames between ports goes with the bridge.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from l3conf.emulator.fabric.elements import FIRST_PORT, Cable
from l3conf.emulator.fabric.plan import WAN

if TYPE_CHECKING:
    from l3conf.emulator.fabric.elements import FabricPlan, NamespacePlan

WAN_ROUTER = "wan-router"
"""What the WAN itself routes between sites' LANs, and refuses."""
ROUTER_PORT = "router"
"""Port of a switch that leads to the router whose bridge it was."""
_SWITCH_MAC = b"\x0a\x5a"
"""First octets of switches' own MACs: that of the plan is the router's now."""


def lan_key(cluster: str) -> str:
    """Return the key of the switch of a cluster's LAN."""
    return f"lan:{cluster}"


def with_own_switches(plan: FabricPlan) -> FabricPlan:
    """Take the bridges that cables are plugged into out of their routers.

    The WAN's switch keeps the key ``wan``, by which faults and captures find it.
    """
    clusters = {router: cluster for cluster, router in plan.lans.items()}
    namespaces: dict[str, NamespacePlan] = {}
    for key, each in plan.namespaces.items():
        parts: tuple[NamespacePlan, ...] = (each,)
        if key == WAN:
            parts = _split(each, switch=WAN, router=WAN_ROUTER)
        elif key in clusters:
            parts = _split(each, switch=lan_key(clusters[key]), router=key)
        namespaces |= {part.key: part for part in parts}
    return replace(plan, namespaces=namespaces, lans={cluster: lan_key(cluster) for cluster in plan.lans})


def _split(plan: NamespacePlan, *, switch: str, router: str) -> tuple[NamespacePlan, NamespacePlan]:
    """Return the switch and the router that a router with a bridge in it consists of."""
    (bridge,) = plan.bridges
    lead = Cable(
        port=ROUTER_PORT,
        port_index=FIRST_PORT + 1,  # the router has the first address of its segment
        master=bridge.index,
        to=router,
        name=bridge.name,
        index=bridge.index,
        mac=bridge.mac,
        mtu=bridge.mtu,
    )
    frames = replace(
        plan,
        key=switch,
        families=frozenset(),
        bridges=(replace(bridge, mac=_SWITCH_MAC + bridge.mac[len(_SWITCH_MAC) :]),),
        cables=(lead, *plan.cables),
        addresses=(),
        routes=(),
        ruleset="",
    )
    return frames, replace(plan, key=router, bridges=(), cables=(), bridge_ruleset="")
