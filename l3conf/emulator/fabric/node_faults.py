"""What happens to nodes from outside: a cable without carrier, a setting that something else writes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from l3conf.emulator.fabric.plan import node_key
from l3conf.emulator.fabric.sysctls import ROOT
from l3conf.emulator.kernel.links import set_link
from l3conf.emulator.kernel.netlink import RouteSocket
from l3conf.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Callable

    from l3conf.emulator.fabric.build import Fabric

_MODES = (0, 1, 2)


def link_down(fabric: Fabric, cluster: str, node: str) -> Callable[[], None]:
    """Take a node's uplink down at the far end; return what brings it up."""
    key = node_key(cluster, node)
    fabric.namespace(key)  # names what there is, if the node is unknown
    lan = fabric.plan.lans[cluster]
    port = fabric.plan.uplink(cluster, key).port_index

    def switch(*, up: bool) -> None:
        with RouteSocket(fabric.namespace(lan)) as route:
            route.execute([set_link(port, up=up)])

    switch(up=False)
    return lambda: switch(up=True)


def set_reverse_path_filter(fabric: Fabric, cluster: str, node: str, mode: int) -> Callable[[], None]:
    """Set rp_filter of all links that a node has; return what puts back those that nobody has changed since."""
    if mode not in _MODES:
        raise LabError(f"{mode} is no mode of rp_filter", remedy="use 0 (off), 1 (strict) or 2 (loose)")
    namespace = fabric.namespace(node_key(cluster, node))
    with namespace.entered():
        before = {path: path.read_text() for path in Path(ROOT, "ipv4/conf").glob("*/rp_filter")}
        for path in before:
            path.write_text(str(mode))

    def restore() -> None:
        with namespace.entered():
            for path, value in before.items():
                if path.exists() and path.read_text().strip() == str(mode):
                    path.write_text(value)

    return restore
