"""Chains of others that drop what a node forwards, and our rules in them.

An accept in a chain of our own does not undo a drop in another's: every base chain of a hook has its say. So where
somebody's chain drops by policy, our rules stand in that very chain. They are appended, not inserted: they overrule
the policy, and nothing that anybody wrote down (a network policy, say). What is ours is told by its comment.
"""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING, Any, TypeAlias

from reference_impl.drivers.kernel import KernelError
from reference_impl.state import Guard, Passage, Side

if TYPE_CHECKING:
    from collections.abc import Iterable

Object: TypeAlias = dict[str, Any]
_TIMEOUT = 10.0
_FAMILIES = frozenset({"ip", "ip6", "inet"})


class Firewalls:
    """All filtering base chains of the hook ``forward`` but those of one table."""

    def __init__(self, own_table: str) -> None:
        self._own_table = own_table
        self._mark = re.compile(rf"{re.escape(own_table)}: (iifname|oifname) (\S+)")

    def observe(self) -> tuple[tuple[Guard, ...], frozenset[Passage]]:
        """Return the chains that drop by policy, and our rules in whatever chain."""
        chains = [chain for chain in _items("chain", "list", "chains") if self._is_foreign_filter(chain)]
        guards = tuple(_guard(chain) for chain in chains if chain.get("policy") == "drop")
        return guards, frozenset(passage for chain in chains for passage, _ in self._rules(_guard(chain)))

    def add(self, passage: Passage) -> None:
        """Append a rule."""
        match = {"op": "==", "left": {"meta": {"key": passage.side.value}}, "right": passage.device}
        rule = {
            **_place(passage.guard),
            "comment": f"{self._own_table}: {passage.side.value} {passage.device}",
            "expr": [{"match": match}, {"counter": None}, {"accept": None}],
        }
        _nft("-f", "-", script=_script([{"add": {"rule": rule}}]))

    def remove(self, passage: Passage) -> None:
        """Delete a rule; no error if it is gone, or its chain."""
        handles = [handle for found, handle in self._rules(passage.guard) if found == passage]
        _nft(
            "-f",
            "-",
            script=_script({"delete": {"rule": {**_place(passage.guard), "handle": handle}}} for handle in handles),
        )

    def _is_foreign_filter(self, chain: Object) -> bool:
        return (
            chain.get("hook") == "forward"
            and chain.get("type") == "filter"
            and chain["family"] in _FAMILIES
            and chain["table"] != self._own_table
        )

    def _rules(self, guard: Guard) -> Iterable[tuple[Passage, int]]:
        """Return our rules in a chain with their handles; none if somebody has just taken the chain away."""
        try:
            rules = _items("rule", "-a", "list", "chain", guard.family, guard.table, guard.chain)
        except KernelError as error:
            if "No such file" in str(error):
                return
            raise
        for rule in rules:
            mark = self._mark.fullmatch(rule.get("comment", ""))
            if mark is not None:
                yield Passage(guard=guard, side=Side(mark[1]), device=mark[2]), rule["handle"]


def _guard(chain: Object) -> Guard:
    return Guard(family=chain["family"], table=chain["table"], chain=chain["name"])


def _place(guard: Guard) -> dict[str, str]:
    return {"family": guard.family, "table": guard.table, "chain": guard.chain}


def _script(commands: Iterable[Object]) -> str:
    return json.dumps({"nftables": list(commands)})


def _items(kind: str, *arguments: str) -> list[Object]:
    listed = json.loads(_nft(*arguments) or "{}").get("nftables", [])
    return [entry[kind] for entry in listed if kind in entry]


def _nft(*arguments: str, script: str = "") -> str:
    try:
        result = subprocess.run(
            ["nft", "-j", *arguments],  # noqa: S607 - the distribution decides where nft lives
            input=script,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise KernelError(f"nft: {error}") from error
    if result.returncode:
        raise KernelError(f"nft: {result.stderr.strip()}")
    return result.stdout
