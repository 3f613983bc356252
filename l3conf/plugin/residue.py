"""What an implementation left behind on nodes: pure comparisons of node states."""

from __future__ import annotations

import json
import re
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from l3conf.probes.node_state.kernel_made import is_made_by_kernel

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

    from l3conf.model.topology import IPNetwork

_ADDRESS = re.compile(
    r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?:/\d{1,2})?(?![\d.])|(?<![\w:])[0-9a-fA-F:]*:[0-9a-fA-F:]+(?:/\d{1,3})?"
)
"""Whatever may be an address or prefix; what is none is sorted out by ``ipaddress``."""

_APART = re.compile(
    r"""\\*"addr\\*": ?\\*"(?P<nft>[^"\\]+)\\*", ?\\*"len\\*": ?(?P<nft_bits>\d+)"""
    r"""|\b(?P<end>src|dst) (?P<rule>\S+) (?P=end)len (?P<rule_bits>\d+)"""
)
"""A prefix whose length stands apart: in rules of nftables (libnftables-json(5)), and in those of routing."""

_REJECTS = re.compile(
    r"^route/[^/]+/(?:unreachable|prohibit|blackhole) "
    r"|^rule/.*\baction (?:unreachable|prohibit|blackhole)\b"
)
"""A route or a rule that rejects, as ``probes.node_state`` writes them."""


def flatten(state: object, path: str = "") -> dict[str, str]:
    """Return a node state as ``path -> value``; members of lists are known by their content, not their place."""
    if isinstance(state, dict):
        return dict(_inner((f"{path}/{key}" if path else str(key), value) for key, value in state.items()))
    if isinstance(state, list | tuple):
        return {f"{path}/{json.dumps(item, sort_keys=True, default=str)}": "present" for item in state}
    return {path: json.dumps(state, default=str)}


def changes(before: object, after: object, *, allowed: Iterable[str] = ()) -> list[str]:
    """Return one line for whatever differs, but for paths that match a documented residue.

    What a kernel module brings to every namespace when it is loaded is nobody's (``probes.node_state.kernel_made``).
    """
    old, new = flatten(before), flatten(after)
    patterns = [re.compile(pattern) for pattern in allowed]
    lines = []
    for path in sorted({*old, *new}):
        if old.get(path) == new.get(path) or any(pattern.search(path) for pattern in patterns):
            continue
        if is_made_by_kernel(path, _plain(old.get(path)), _plain(new.get(path))):
            continue
        if path not in old:
            lines.append(f"left behind: {path} = {new[path]}")
        elif path not in new:
            lines.append(f"missing: {path} = {old[path]}")
        else:
            lines.append(f"changed: {path} = {new[path]}, was {old[path]}")
    return lines


def _plain(value: str | None) -> str | None:
    """Return a flattened value as the state had it."""
    return None if value is None else str(json.loads(value)) if value != "present" else value


def naming(state: object, ranges: Sequence[IPNetwork], *, nobodys: Container[IPNetwork] = ()) -> list[str]:
    """Return the parts of a state that name an address or prefix inside any of ``ranges``, but those that are nobody's.

    A route or rule by which a node rejects packets does not count: without one, what is still sent to a cluster that
    has gone would follow the default route (L3-K4).
    """
    return [
        f"{path} = {value}"
        for path, value in flatten(state).items()
        if not _REJECTS.search(f"{path} = {value}")
        and any(_is_inside(text, ranges, nobodys) for text in _ADDRESS.findall(_APART.sub(_joined, f"{path} {value}")))
    ]


def _inner(items: Iterable[tuple[str, object]]) -> Iterator[tuple[str, str]]:
    for path, value in items:
        yield from flatten(value, path).items()


def _joined(found: re.Match[str]) -> str:
    address, bits = found["nft"] or found["rule"], found["nft_bits"] or found["rule_bits"]
    return f" {address}/{bits} "


def _is_inside(text: str, ranges: Sequence[IPNetwork], nobodys: Container[IPNetwork]) -> bool:
    try:
        found = ip_network(text, strict=False) if "/" in text else ip_network(ip_address(text))
    except ValueError:
        return False
    inside = any(found.version == one.version and found.subnet_of(one) for one in ranges)  # type: ignore[arg-type]
    return inside and found not in nobodys


def of_nodes(before: Mapping[str, object], after: Mapping[str, object], allowed: Iterable[str]) -> list[str]:
    """Return what differs on any node, each line with its node."""
    patterns = tuple(allowed)
    return [
        f"{place}: {line}"
        for place in before
        for line in changes(before[place], after.get(place, {}), allowed=patterns)
    ]
