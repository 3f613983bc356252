"""How a ruleset reads as nft scripts, each of them one transaction.

Sets come first, under names that tell what they hold, then the chains that look into them. In one transaction there is
a moment in which rules are new and their sets are still empty: the kernel switches rules over before it commits what
interval sets hold (``nf_tables_commit``), and "not from a member: drop" drops members' packets. A chain that says by
its name what was loaded tells a later run; old sets go when nothing looks into them any more.

Maps keep their names and change by elements, so that one export among thousands is a small change. A transaction must
fit into a socket's send buffer, which only the host's root may enlarge, so that many changes are several transactions.
Between two of them every element that stays is there: what goes, goes first, what comes to mean something else changes
in one transaction, what is new comes last. Until the last one the mark says that the table is neither old nor new.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from reference_impl.state import AddressSet, Chain, LookupMap, Ruleset

_ADDRESS_TYPE = {4: "ipv4_addr", 6: "ipv6_addr"}
_REFERENCE = re.compile(r"@(\w+)")
MARK = "loaded-"
"""How the name of the chain begins that nothing leads to, and that says what was loaded."""
_PARTLY = f"{MARK}partly"
MOST = 400
"""Lines of a transaction. 400 rules with a map of two backends take half of ``net.core.wmem_default``."""


def digest(ruleset: Ruleset) -> str:
    """Return 32 hex digits that change with anything in the ruleset."""
    parts = [*map(_definition, ruleset.sets), *map(repr, ruleset.maps), *map(repr, ruleset.chains)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def render(ruleset: Ruleset) -> str:
    """Return the script that replaces a table, whatever is in it, in one transaction: for tables of others' making."""
    name = f"table inet {ruleset.table}"
    change = "".join(render_change(ruleset, chains=(), sets=()))
    return f"{name} {{ }}\ndelete {name}\n{change}"


def render_change(
    ruleset: Ruleset,
    *,
    chains: Collection[str],
    sets: Collection[str],
    maps: Mapping[str, Mapping[str, str]] | None = None,
    trusted: bool = True,
) -> tuple[str, ...]:
    """Return the scripts that bring a table to this ruleset without a moment in between.

    ``chains`` and ``sets`` hold the names of those that the table has, ``maps`` the elements too. ``trusted``: whether
    chains that are named by what they do do it still.
    """
    where, there = f"inet {ruleset.table}", maps or {}
    fresh = [f"add set {where} {_name(item)} {_definition(item)}" for item in ruleset.sets if _name(item) not in sets]
    fresh += [
        f"add map {where} {item.name} {{ type {item.key} : {item.value}; }}"
        for item in ruleset.maps
        if item.name not in there
    ]
    named = [chain for chain in ruleset.chains if chain.by_content and not (trusted and chain.name in chains)]
    names = {item.name: _name(item) for item in ruleset.sets} | {item.name: item.name for item in ruleset.maps}
    marks = [name for name in chains if name.startswith(MARK)]
    groups = [
        *(_filled(where, [chain], names) for chain in named),
        *_elements(where, ruleset.maps, there),
        _filled(where, [chain for chain in ruleset.chains if not chain.by_content], names),
        *_removed(where, ruleset, {*chains} - {*marks}, there.keys(), {*sets} - {*names.values()}),
    ]
    scripts = _packed(where, groups, marks, f"{MARK}{digest(ruleset)}")
    return (*([_script([f"add table {where}", *fresh])] if fresh else []), *scripts)


def _elements(where: str, maps: Iterable[LookupMap], there: Mapping[str, Mapping[str, str]]) -> Iterator[Sequence[str]]:
    """Yield what changes in maps: in all of them what goes, then what changes, then what comes."""
    gone: list[Sequence[str]] = []
    changed: list[Sequence[str]] = []
    new: list[Sequence[str]] = []
    for item in maps:
        at, wanted, found = f"{where} {item.name}", dict(item.elements), there.get(item.name, {})
        gone += ([f"delete element {at} {{ {key} }}"] for key in found if key not in wanted)
        for key, value in wanted.items():
            add = f"add element {at} {{ {key} : {value} }}"
            if key not in found:
                new.append([add])
            elif found[key] != value:
                changed.append([f"delete element {at} {{ {key} }}", add])
    together = [line for group in changed for line in group]
    # Where two elements exchange what they mean, nobody should meet one of them twice.
    yield from (*gone, *([together] if len(together) <= MOST else changed), *new)


def _filled(where: str, chains: Sequence[Chain], names: Mapping[str, str]) -> list[str]:
    """Return what gives chains their rules, whatever they held."""
    return [
        *(f"add chain {where} {chain.name}{_head(chain)}" for chain in chains),
        *(f"flush chain {where} {chain.name}" for chain in chains),
        *(f"add rule {where} {chain.name} {_refer(rule, names)}" for chain in chains for rule in chain.rules),
    ]


def _removed(
    where: str, ruleset: Ruleset, chains: Collection[str], maps: Iterable[str], sets: Collection[str]
) -> Iterator[Sequence[str]]:
    """Yield what takes away what nothing leads to or looks into any more."""
    old = sorted({*chains} - {chain.name for chain in ruleset.chains})
    yield from ([f"flush chain {where} {name}"] for name in old)
    yield from ([f"delete map {where} {name}"] for name in sorted({*maps} - {item.name for item in ruleset.maps}))
    yield from ([f"delete chain {where} {name}"] for name in old)
    yield from ([f"delete set {where} {name}"] for name in sorted(sets))


def _packed(where: str, groups: Iterable[Sequence[str]], marks: Sequence[str], mark: str) -> Iterator[str]:
    """Yield as few scripts as hold the groups in their order, each of them in one; the last one sets the mark."""
    pieces: list[list[str]] = [[]]
    for group in groups:
        if pieces[-1] and len(pieces[-1]) + len(group) > MOST:
            pieces.append([])
        pieces[-1] += group
    table, old = [f"add table {where}"], [f"delete chain {where} {name}" for name in marks if name != mark]
    if len(pieces) > 1:
        partly = [f"add chain {where} {_PARTLY}"]
        pieces[0] = [*(f"delete chain {where} {name}" for name in marks if name != _PARTLY), *partly, *pieces[0]]
        old = [f"delete chain {where} {_PARTLY}"]
    pieces[-1] += [*old, f"add chain {where} {mark}"]
    return (_script([*table, *piece]) for piece in pieces)


def _script(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _name(item: AddressSet) -> str:
    """Return a set's name in the table: another one for everything that it can hold."""
    return f"{item.name}-{hashlib.sha256(_definition(item).encode()).hexdigest()[:12]}"


def _definition(item: AddressSet) -> str:
    ordered = sorted(item.prefixes, key=lambda prefix: (int(prefix.network_address), prefix.prefixlen))
    if ordered and all(prefix.prefixlen == prefix.max_prefixlen for prefix in ordered):
        # Addresses whose number is known are hashed: a look-up takes 25 ns less than one among intervals (ADR 55).
        hosts = ", ".join(str(prefix.network_address) for prefix in ordered)
        return f"{{ type {_ADDRESS_TYPE[item.version]}; size {len(ordered)}; elements = {{ {hosts} }}; }}"
    elements = ", ".join(str(prefix) for prefix in ordered)
    filled = f" elements = {{ {elements} }};" if elements else ""
    return f"{{ type {_ADDRESS_TYPE[item.version]}; flags interval; auto-merge;{filled} }}"


def _head(chain: Chain) -> str:
    if not chain.hook:
        return ""
    return f" {{ type {chain.kind} hook {chain.hook} priority {chain.priority}; policy accept; }}"


def _refer(rule: str, names: Mapping[str, str]) -> str:
    """Return a rule with the names that its sets have in the table."""
    return _REFERENCE.sub(lambda found: f"@{names[found[1]]}", rule)
