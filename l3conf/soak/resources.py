"""What a lab and its agents hold, and what of it has leaked. Pure.

Quantities are compared with those of the first time that the set was in the same configuration: which clusters are
members, which pairs are apart, which gateways are active, and whether some were parted lately: nodes may refuse packets
to those for a while, by rules or routes, and forget that early when they boot.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from l3conf.probes.node_state.kernel_made import is_made_by_kernel

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_DESCRIPTORS, _EIGHTH = 8, 8
"""File descriptors by which a process may exceed its baseline, or an eighth of them: connections come and go, and a lab
has one for every client of its API servers."""
_GROWTH, _ROOM_MB = 1.5, 24.0
"""Memory by which a process may exceed its baseline: a share, and megabytes. Allocators keep what once was needed."""
_REFUSING = frozenset({"rule", "route"})
"""Kinds of entries by which nodes refuse packets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessUse:
    """What processes of one command hold."""

    count: int
    descriptors: int
    """Of the one with the most."""
    rss_mb: float
    """Likewise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What is held at one moment."""

    kernel: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """By node (``cluster@node``): how many links, routes, rules, neighbours, FDB entries, nftables rules …"""
    objects: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """By API server: how many objects of each resource; no Events."""
    processes: Mapping[str, ProcessUse] = field(default_factory=dict)
    """By command line; ``lab`` is the lab's own first process."""
    namespaces: int = 0
    """Network namespaces of the lab."""


def counted(state: Mapping[str, object]) -> Mapping[str, int]:
    """Return how many entries of each kind a node's state has (``probes.node_state``: ``kind/…``).

    What modules bring to every namespace does not count: anybody on the machine may have one loaded at any time.
    """
    own = (path for path, value in state.items() if not is_made_by_kernel(path, None, str(value)))
    return dict(sorted(Counter(path.partition("/")[0] for path in own).items()))


def without_refusals(held: Resources) -> Resources:
    """Leave out the kinds of entries that may be refusals of packets to who was parted lately."""
    kept = {
        node: {kind: count for kind, count in found.items() if kind not in _REFUSING}
        for node, found in held.kernel.items()
    }
    return replace(held, kernel=kept)


def gathered(processes: Iterable[tuple[str, int, float]]) -> Mapping[str, ProcessUse]:
    """Return what processes hold by command, from ``(command, descriptors, megabytes)``."""
    listed: dict[str, list[tuple[int, float]]] = {}
    for command, descriptors, megabytes in processes:
        listed.setdefault(command, []).append((descriptors, megabytes))
    return {command: _together(found) for command, found in sorted(listed.items())}


def _together(found: Sequence[tuple[int, float]]) -> ProcessUse:
    descriptors, megabytes = zip(*found, strict=True)
    return ProcessUse(count=len(found), descriptors=max(descriptors), rss_mb=round(max(megabytes), 1))


def leaks(before: Resources, now: Resources) -> list[str]:
    """Return one line for whatever is more, or less, than it was in the same configuration."""
    lines = [
        f"{where}: {found.get(what, 0)} {what} instead of {had.get(what, 0)}"
        for old, new in ((before.kernel, now.kernel), (before.objects, now.objects))
        for where in sorted({*old, *new})
        for had, found in [(old.get(where, {}), new.get(where, {}))]
        for what in sorted({*had, *found})
        if had.get(what, 0) != found.get(what, 0)
    ]
    if now.namespaces != before.namespaces:
        lines.append(f"lab: {now.namespaces} network namespaces instead of {before.namespaces}")
    return lines + [line for each in sorted({*before.processes, *now.processes}) for line in _of(each, before, now)]


def _of(command: str, before: Resources, now: Resources) -> list[str]:
    had, has = before.processes.get(command), now.processes.get(command)
    if had is None or has is None or had.count != has.count:
        numbers = [each.count if each else 0 for each in (has, had)]
        return [f"{command}: {numbers[0]} processes instead of {numbers[1]}"]
    lines = []
    if has.descriptors > had.descriptors + max(_DESCRIPTORS, had.descriptors // _EIGHTH):
        lines.append(f"{command}: {has.descriptors} file descriptors, {had.descriptors} before")
    if has.rss_mb > had.rss_mb * _GROWTH + _ROOM_MB:
        lines.append(f"{command}: {has.rss_mb:g} MB, {had.rss_mb:g} before")
    return lines
