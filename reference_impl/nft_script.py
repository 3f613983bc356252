"""How a ruleset reads as nft scripts.

A table changes in two transactions: sets first, under names that tell what they hold, then the chains that look into
them. In one transaction there is a moment in which rules are new and their sets are still empty: the kernel switches
rules over before it commits what interval sets hold (``nf_tables_commit``), and "not from a member: drop" drops
members' packets. A chain that says by its name what was loaded tells a later run; old sets go in the second
transaction, when nothing looks into them any more.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from reference_impl.state import AddressSet, Chain, Ruleset

_ADDRESS_TYPE = {4: "ipv4_addr", 6: "ipv6_addr"}
_REFERENCE = re.compile(r"@(\w+)")
MARK = "loaded-"
"""How the name of the chain begins that nothing leads to, and that says what was loaded."""


def digest(ruleset: Ruleset) -> str:
    """Return 32 hex digits that change with anything in the ruleset."""
    text = "\n".join([*map(_definition, ruleset.sets), *(repr(chain) for chain in ruleset.chains)])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def render(ruleset: Ruleset) -> str:
    """Return the script that replaces a table, whatever is in it, in one transaction: for tables of others' making."""
    name = f"table inet {ruleset.table}"
    change = "".join(render_change(ruleset, chains=(), sets=()))
    return f"{name} {{ }}\ndelete {name}\n{change}"


def render_change(ruleset: Ruleset, *, chains: Collection[str], sets: Collection[str]) -> tuple[str, ...]:
    """Return the scripts that bring a table to this ruleset without a moment in between.

    ``chains`` and ``sets`` hold the names of those that the table has.
    """
    where = f"inet {ruleset.table}"
    names = {item.name: _name(item) for item in ruleset.sets}
    fresh = [f"add set {where} {_name(item)} {_definition(item)}" for item in ruleset.sets if _name(item) not in sets]
    wanted = {chain.name for chain in ruleset.chains}
    mark = f"{MARK}{digest(ruleset)}"
    switch = [
        *(f"add chain {where} {chain.name}{_head(chain)}" for chain in ruleset.chains),
        *(f"flush chain {where} {name}" for name in sorted({*chains, *wanted})),
        *(f"add rule {where} {chain.name} {_refer(rule, names)}" for chain in ruleset.chains for rule in chain.rules),
        *(f"delete chain {where} {name}" for name in sorted({*chains} - {*wanted, mark})),
        *(f"delete set {where} {name}" for name in sorted({*sets} - {*names.values()})),
        f"add chain {where} {mark}",
    ]
    table = f"add table {where}"
    return tuple(_script([table, *lines]) for lines in (fresh, switch) if lines)


def _script(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _name(item: AddressSet) -> str:
    """Return a set's name in the table: another one for everything that it can hold."""
    return f"{item.name}-{hashlib.sha256(_definition(item).encode()).hexdigest()[:12]}"


def _definition(item: AddressSet) -> str:
    ordered = sorted(item.prefixes, key=lambda prefix: (int(prefix.network_address), prefix.prefixlen))
    elements = ", ".join(str(prefix) for prefix in ordered)
    filled = f" elements = {{ {elements} }};" if elements else ""
    return f"{{ type {_ADDRESS_TYPE[item.version]}; flags interval; auto-merge;{filled} }}"


def _head(chain: Chain) -> str:
    if not chain.hook:
        return ""
    return f" {{ type {chain.kind} hook {chain.hook} priority {chain.priority}; policy accept; }}"


def _refer(rule: str, names: dict[str, str]) -> str:
    """Return a rule with the names that its sets have in the table."""
    return _REFERENCE.sub(lambda found: f"@{names[found[1]]}", rule)
