"""What labs left on an engine: what may go, what stays and why (pure), and its removal.

Only what bears a lab's labels is looked at: networks, and containers of the lab's own. kind labels its nodes with
its cluster alone; they go if they are on a network of ours that names this cluster.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from l3conf.errors import LabError
from l3conf.labs.kind.claim import may_be_dead
from l3conf.labs.kind.naming import (
    CLUSTER_LABEL,
    KIND_CLUSTER_LABEL,
    LAB_LABEL,
    MANAGED_LABEL,
    MANAGED_VALUE,
    OWNER_LABEL,
    is_ours,
    may_be_removed,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from l3conf.labs.kind.engine import Engine


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """A container or network that was found."""

    id: str
    name: str
    labels: Mapping[str, str]
    on: tuple[str, ...] = ()
    """Of a container: the names of its networks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftovers:
    """What was found of labs."""

    containers: tuple[str, ...] = ()
    """To be removed, nodes of kind among them; likewise below."""
    networks: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    """Labs that may live elsewhere, with the reason."""


def find(engine: Engine) -> tuple[list[Present], list[Present], list[Present]]:
    """Return containers of labs, their networks, and nodes of whatever cluster of kind."""
    ours = f"{MANAGED_LABEL}={MANAGED_VALUE}"
    containers = [one for one in engine.containers(ours) if is_ours(one.labels)]
    networks = [one for one in engine.networks(ours) if is_ours(one.labels)]
    return containers, networks, engine.containers(KIND_CLUSTER_LABEL)


def judge(
    containers: Sequence[Present],
    networks: Sequence[Present],
    nodes: Sequence[Present],
    *,
    owner: str,
    spared: str = "",
    only: str = "",
    named: str = "",
) -> Leftovers:
    """Return what may be removed by whoever holds the claim. Pure.

    ``spared``: a lab that is to stay; ``only``: look at this one alone; ``named``: a lab that its caller knows to be
    dead, wherever it was made.
    """
    all_ours = [
        one
        for one in (*containers, *networks)
        if one.labels[LAB_LABEL] != spared and only in {"", one.labels[LAB_LABEL]}
    ]
    dead = [one for one in all_ours if _is_dead(one, owner, named)]
    gone = {one.id for one in dead}
    doomed = {
        one.name: one.labels[CLUSTER_LABEL]
        for one in networks
        if one.id in gone and may_be_removed(one.labels.get(CLUSTER_LABEL, ""), one.labels)
    }
    theirs = [one for one in nodes if any(one.labels.get(KIND_CLUSTER_LABEL) == doomed.get(on) for on in one.on)]
    # A node that was taken from its network, as one that is crashed is, is known by its cluster's name alone.
    adrift = [one for one in nodes if not one.on and one.labels.get(KIND_CLUSTER_LABEL) in doomed.values()]
    kept = {one.labels[LAB_LABEL]: one.labels.get(OWNER_LABEL, "") for one in all_ours if one.id not in gone}
    return Leftovers(
        containers=tuple(
            dict.fromkeys(one.name for one in (*(each for each in containers if each.id in gone), *theirs, *adrift))
        ),
        networks=tuple(one.name for one in networks if one.id in gone),
        kept=tuple(
            f"lab {lab}: made by {who.split(':')[0] or 'nobody known'}, and may live" for lab, who in kept.items()
        ),
    )


def remove(engine: Engine, left: Leftovers, progress: Callable[[str], None] = lambda _line: None) -> None:
    """Remove containers, then networks. ``LabError`` names what could not be, after all else was tried."""
    errors = []
    for name, act in (
        *((name, engine.remove) for name in left.containers),
        *((name, engine.remove_network) for name in left.networks),
    ):
        try:
            act(name)
            progress(f"removed {name}")
        except LabError as error:  # the rest is to go all the same
            errors.append(str(error))
    if errors:
        raise LabError(f"not removed: {'; '.join(errors)}", where="docker", remedy="l3conf clean --on kind tries again")


def _is_dead(one: Present, owner: str, named: str) -> bool:
    return one.labels[LAB_LABEL] == named or may_be_dead(one.labels.get(OWNER_LABEL, ""), owner)
