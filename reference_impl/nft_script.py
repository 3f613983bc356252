"""How a ruleset reads as an nft script.

Tables are replaced as a whole in one transaction, so there is no moment without rules; what a set holds is part
of the plan like everything else. A digest in the table's comment tells a later run what was loaded.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reference_impl.state import AddressSet, Chain, Ruleset

_ADDRESS_TYPE = {4: "ipv4_addr", 6: "ipv6_addr"}


def render(ruleset: Ruleset) -> str:
    """Return the nft script that replaces the table by this ruleset, atomically, whether or not it exists."""
    body = _body(ruleset)
    name = f"table inet {ruleset.table}"
    return f'{name} {{ }}\ndelete {name}\n{name} {{\n  comment "{digest(ruleset)}"\n{body}}}\n'


def digest(ruleset: Ruleset) -> str:
    """Return 32 hex digits that change with anything in the ruleset."""
    return hashlib.sha256(_body(ruleset).encode()).hexdigest()[:32]


def _body(ruleset: Ruleset) -> str:
    return "".join([*map(_render_set, ruleset.sets), *map(_render_chain, ruleset.chains)])


def _render_set(item: AddressSet) -> str:
    ordered = sorted(item.prefixes, key=lambda prefix: (int(prefix.network_address), prefix.prefixlen))
    elements = ", ".join(str(prefix) for prefix in ordered)
    filled = f"    elements = {{ {elements} }}\n" if elements else ""
    flags = f"    type {_ADDRESS_TYPE[item.version]}\n    flags interval\n    auto-merge\n"
    return f"  set {item.name} {{\n{flags}{filled}  }}\n"


def _render_chain(chain: Chain) -> str:
    rules = "".join(f"    {rule}\n" for rule in chain.rules)
    head = f"    type {chain.kind} hook {chain.hook} priority {chain.priority}; policy accept;\n" if chain.hook else ""
    return f"  chain {chain.name} {{\n{head}{rules}  }}\n"
