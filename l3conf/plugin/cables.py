"""Links of gateway nodes that came with an implementation: what its tunnels are made of, as far as links are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from l3conf.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from l3conf.labs.base import Lab as Ground

_PATIENCE = 5.0
_PORTS = frozenset({"veth"})
"""Kinds that pods bring, not tunnels."""


def links_that_came(
    before: Mapping[str, Mapping[str, object]], now: Mapping[str, Mapping[str, object]]
) -> dict[str, list[str]]:
    """Return the names of new links by place. Pure."""
    return {
        place: [
            name for name, kind in _links(state).items() if name not in _links(before[place]) and kind not in _PORTS
        ]
        for place, state in now.items()
    }


def set_link(ground: Ground, place: str, link: str, state: str) -> None:
    """Set a link up or down; one that is gone meanwhile is as good as down. ``LabError`` if that cannot be done."""
    code, _, err = ground.run(place, ["ip", "link", "set", "dev", link, state], timeout=_PATIENCE)
    if code and "Cannot find device" not in err:
        raise LabError(f"ip link set dev {link} {state} failed: {err.strip()}", where=place)


def _links(state: Mapping[str, object]) -> dict[str, str]:
    """Return the kind of every link of a node state."""
    parts = (path.split("/") for path in state)
    return {part[1]: str(state["/".join(part)]) for part in parts if part[0] == "link" and part[-1] == "kind"}
