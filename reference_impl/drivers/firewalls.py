"""Chains of others that drop what a node forwards, and our rules in them.

An accept in a chain of our own does not undo a drop in another's: every base chain of a hook has its say. So where
somebody's chain drops by policy, our rules stand in that very chain. They are appended, not inserted: they overrule
the policy, and nothing that anybody wrote down (a network policy, say). What is ours is told by its comment.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, TypeAlias

from reference_impl.drivers.nft_reader import FORWARD, NftReader
from reference_impl.drivers.nftables import load_script
from reference_impl.state import Guard, Passage, Side

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reference_impl.drivers.nft_reader import BaseChain

Object: TypeAlias = dict[str, Any]


class Firewalls:
    """All filtering base chains of the hook ``forward`` but those of one table."""

    def __init__(self, own_table: str, reader: NftReader | None = None) -> None:
        self._own_table = own_table
        self._reader = reader or NftReader()
        self._mark = re.compile(rf"{re.escape(own_table)}: (iifname|oifname) (\S+)")

    def observe(self) -> tuple[tuple[Guard, ...], frozenset[Passage]]:
        """Return the chains that drop by policy, and our rules in whatever chain."""
        chains = [chain for chain in self._reader.chains() if self._is_foreign_filter(chain)]
        guards = tuple(_guard(chain) for chain in chains if chain.drops)
        return guards, frozenset(passage for chain in chains for passage, _ in self._rules(chain))

    def add(self, passage: Passage) -> None:
        """Append a rule."""
        match = {"op": "==", "left": {"meta": {"key": passage.side.value}}, "right": passage.device}
        rule = {
            **_place(passage.guard),
            "comment": f"{self._own_table}: {passage.side.value} {passage.device}",
            "expr": [{"match": match}, {"counter": None}, {"accept": None}],
        }
        load_script(_script([{"add": {"rule": rule}}]), "-j")

    def remove(self, passage: Passage) -> None:
        """Delete a rule; no error if it is gone, or its chain."""
        place = passage.guard
        chains = [chain for chain in self._reader.chains() if _guard(chain) == place]
        handles = [handle for chain in chains for found, handle in self._rules(chain) if found == passage]
        load_script(_script({"delete": {"rule": {**_place(place), "handle": handle}}} for handle in handles), "-j")

    def _is_foreign_filter(self, chain: BaseChain) -> bool:
        return chain.hook == FORWARD and chain.kind == "filter" and chain.table != self._own_table

    def _rules(self, chain: BaseChain) -> Iterable[tuple[Passage, int]]:
        """Return our rules in a chain with their handles; none if somebody has just taken the chain away."""
        for handle, comment in self._reader.comments(chain):
            mark = self._mark.fullmatch(comment)
            if mark is not None:
                yield Passage(guard=_guard(chain), side=Side(mark[1]), device=mark[2]), handle


def _guard(chain: BaseChain) -> Guard:
    return Guard(family=chain.family, table=chain.table, chain=chain.name)


def _place(guard: Guard) -> dict[str, str]:
    return {"family": guard.family, "table": guard.table, "chain": guard.chain}


def _script(commands: Iterable[Object]) -> str:
    return json.dumps({"nftables": list(commands)})
