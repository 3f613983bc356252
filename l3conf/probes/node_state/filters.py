"""What ``nft``, ``iptables-save`` and ``ip xfrm`` say, as state. Pure."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from l3conf.probes.node_state import State, put

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_VOLATILE = frozenset({"handle", "index", "packets", "bytes", "used", "expires", "last"})
_COUNTERS = re.compile(r" ?\[\d+:\d+\]")
_SECRET = re.compile(r"^(auth|enc|aead|auth-trunc|comp)\b")
_CLOCKED = re.compile(r"^(lifetime|add |limit|expire|anti-replay|stats|replay|lastused|seq )")


def nftables(objects: Iterable[Mapping[str, Any]]) -> State:
    """Return a ruleset (``nft -j list ruleset``, the list under ``nftables``).

    Rules and elements are known by what they say. Elements that packets have added to a set are left out.
    """
    state: State = {}
    for entry in objects:
        ((kind, body),) = entry.items()
        if kind == "metainfo":
            continue
        if kind == "rule":
            where = f"{body['family']} {body['table']} {body['chain']}"
            put(state, f"nft/rule {where} {_json(_still(body['expr']))}", body.get("comment", ""))
            continue
        owner = body.get("table")
        where = " ".join(filter(None, (body.get("family"), owner, body["name"])))
        elements = [] if "dynamic" in body.get("flags", ()) else body.get("elem", [])
        rest = {key: value for key, value in body.items() if key not in {"family", "table", "name", "elem"}}
        state[f"nft/{kind} {where}"] = _json(_still(rest))
        for element in elements:
            put(state, f"nft/element {where} {_json(_still(element))}", "")
    return state


def iptables(saved: str, family: str) -> State:
    """Return what ``iptables-save`` prints: chains with their policies, and rules, without counters."""
    state: State = {}
    table = ""
    for line in saved.splitlines():
        if line.startswith("*"):
            table = line[1:]
        elif line and not line.startswith("#") and line != "COMMIT":
            put(state, f"iptables/{family}/{table}/{_COUNTERS.sub('', line)}", "")
    return state


def transforms(listed: str, kind: str) -> State:
    """Return the entries of ``ip xfrm state`` or ``ip xfrm policy``, never a key.

    An entry starts at a line without indentation; the lines below belong to it.
    """
    state: State = {}
    entry: list[str] = []
    for line in [*listed.splitlines(), "end"]:
        if line[:1].strip() and entry:
            put(state, f"xfrm/{kind}/{' '.join(entry[:2])}", "; ".join(entry[2:]))
            entry = []
        text = line.strip()
        if text and not _CLOCKED.match(text):
            entry.append(f"{text.split()[0]} (secret)" if _SECRET.match(text) else text)
    return state


def _still(value: object) -> object:
    """Return a JSON value without what changes by itself."""
    if isinstance(value, dict):
        return {key: _still(inner) for key, inner in value.items() if key not in _VOLATILE}
    if isinstance(value, list):
        return [_still(inner) for inner in value]
    return value


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
