"""Links of gateway nodes that came with an implementation: what its tunnels are made of, as far as links are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from l3conf.errors import LabError
from l3conf.probes.node_state.kernel_made import is_made_by_kernel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from l3conf.labs.base import Lab as Ground

_PATIENCE = 5.0
_PORTS = frozenset({"veth"})
"""Kinds that pods bring, not tunnels."""


def links_that_came(
    before: Mapping[str, Mapping[str, object]], now: Mapping[str, Mapping[str, object]]
) -> dict[str, list[str]]:
    """Return the names of new links by place, but for those that the kernel brings with a module. Pure."""
    return {
        place: [
            name
            for name, kind in _links(state).items()
            if name not in _links(before[place])
            and kind not in _PORTS
            and not is_made_by_kernel(f"link/{name}/flags", None, str(state.get(f"link/{name}/flags", "UP")))
        ]
        for place, state in now.items()
    }


def tunnel_kinds(ground: Ground, place: str, before: Mapping[str, object]) -> dict[str, str]:
    """Return the kinds of the links that came to a node, by name: whether the kernel carries (``wireguard``, ``xfrm``).

    A process that carries packets itself has a ``tun``. ``LabError`` if the node cannot be asked.
    """
    code, out, err = ground.run(place, ["ip", "-json", "-details", "link", "show"], timeout=_PATIENCE)
    if code:
        raise LabError(f"ip link show failed: {err.strip()}", where=place)
    kinds = {link["ifname"]: link.get("linkinfo", {}).get("info_kind", "") for link in json.loads(out)}
    return {name: kind for name, kind in sorted(kinds.items()) if name not in _links(before) and kind not in _PORTS}


def set_link(ground: Ground, place: str, link: str, state: str) -> None:
    """Set a link up or down; one that is gone meanwhile is as good as down. ``LabError`` if that cannot be done."""
    code, _, err = ground.run(place, ["ip", "link", "set", "dev", link, state], timeout=_PATIENCE)
    if code and "Cannot find device" not in err:
        raise LabError(f"ip link set dev {link} {state} failed: {err.strip()}", where=place)


def _links(state: Mapping[str, object]) -> dict[str, str]:
    """Return the kind of every link of a node state."""
    parts = (path.split("/") for path in state)
    return {part[1]: str(state["/".join(part)]) for part in parts if part[0] == "link" and part[-1] == "kind"}
