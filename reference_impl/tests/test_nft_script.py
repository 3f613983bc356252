"""What holds between the transactions in which a table's maps change, on a table on paper."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl import nft_script
from reference_impl.nft_script import MARK, MOST, digest, render_change
from reference_impl.state import AddressSet, Chain, LookupMap, Ruleset

if TYPE_CHECKING:
    from collections.abc import Mapping

MAPS = ("inwards", "outwards")
_COMMAND = re.compile(r"(add|delete|flush) (table|chain|rule|map|set|element) inet t ?([\w-]*) ?(.*)")


@dataclass
class PaperTable:
    """Takes what nft would take; refuses what the kernel refuses."""

    chains: dict[str, list[str]] = field(default_factory=dict)
    maps: dict[str, dict[str, str]] = field(default_factory=dict)

    def run(self, script: str) -> None:
        for line in script.splitlines():
            found = _COMMAND.fullmatch(line)
            assert found, line
            match found.groups():
                case ("add", "chain", name, _):
                    self.chains.setdefault(name, [])
                case ("flush", "chain", name, _):
                    self.chains[name].clear()
                case ("delete", "chain", name, _):
                    assert not self.leads_to(name), line
                    del self.chains[name]
                case ("add", "rule", name, rule):
                    self.chains[name].append(rule)
                case ("add", "map", name, _):
                    self.maps[name] = {}
                case ("delete", "map", name, _):
                    del self.maps[name]
                case ("add", "element", name, element):
                    key, _, value = element.strip("{ }").partition(" : ")
                    assert key not in self.maps[name], line
                    assert not value.startswith("goto ") or value[5:] in self.chains, line
                    self.maps[name][key] = value
                case ("delete", "element", name, element):
                    del self.maps[name][element.strip("{ }")]
                case other:
                    assert other[1] == "table", line

    def leads_to(self, name: str) -> bool:
        return any(f"goto {name}" == value for elements in self.maps.values() for value in elements.values())

    def change(self, ruleset: Ruleset, *, trusted: bool = True) -> tuple[str, ...]:
        return render_change(ruleset, chains=[*self.chains], sets=(), maps=self.maps, trusted=trusted)

    def load(self, ruleset: Ruleset) -> None:
        for script in self.change(ruleset):
            self.run(script)


def ruleset(**elements: Mapping[str, str]) -> Ruleset:
    """Return rules that look into maps; a value "to-…" is a chain."""
    ways = sorted({value for each in elements.values() for value in each.values() if value.startswith("to-")})
    return Ruleset(
        table="t",
        maps=tuple(
            LookupMap(
                name=name,
                key="ipv4_addr",
                value="verdict",
                elements=tuple((key, f"goto {way}" if way.startswith("to-") else way) for key, way in each.items()),
            )
            for name, each in elements.items()
        ),
        chains=(
            *(Chain(name=way, rules=(f"dnat {way}",), by_content=True) for way in ways),
            Chain(name="in", hook="prerouting", rules=tuple(f"vmap @{name}" for name in elements)),
        ),
    )


def exports(count: int, **other: str) -> Ruleset:
    return ruleset(doors={f"10.0.{number >> 8}.{number & 255}": f"to-{number}" for number in range(count)} | other)


_KEYS, _VALUES = st.sampled_from("abcdefgh"), st.sampled_from(["1", "2", "3", "4", "to-5", "to-6"])
_ELEMENTS = st.fixed_dictionaries({name: st.dictionaries(_KEYS, _VALUES) for name in MAPS})


@given(_ELEMENTS, _ELEMENTS, st.integers(1, 6))
def test_between_two_transactions_what_stays_is_there_and_what_goes_is_gone_before_anything_comes(
    before: dict[str, dict[str, str]], after: dict[str, dict[str, str]], most: int
) -> None:
    table = PaperTable()
    table.load(ruleset(**before))
    old = {(name, *element) for name, each in table.maps.items() for element in each.items()}
    wanted = ruleset(**after)
    new = {(each.name, *element) for each in wanted.maps for element in each.elements}
    ends = {(name, key) for name, key, _ in old} - {(name, key) for name, key, _ in new}
    begins = {(name, key) for name, key, _ in new} - {(name, key) for name, key, _ in old}
    nft_script.MOST, usual = most, nft_script.MOST
    try:
        scripts = table.change(wanted)
    finally:
        nft_script.MOST = usual
    for script in scripts:
        assert not table.chains.get(f"{MARK}{digest(wanted)}") or script is scripts[-1]
        table.run(script)
        there = {(name, key): value for name, each in table.maps.items() for key, value in each.items()}
        assert {(*place, value) for place, value in there.items()} >= old & new
        assert there.keys() >= {(name, key) for name, key, _ in old} - ends
        assert not (there.keys() & ends and there.keys() & begins)
    assert {(name, key, value) for name, each in table.maps.items() for key, value in each.items()} == new
    assert table.chains.keys() == {chain.name for chain in wanted.chains} | {f"{MARK}{digest(wanted)}"}


def test_one_export_among_five_thousand_is_one_small_transaction() -> None:
    table = PaperTable()
    table.load(exports(5000))
    (script,) = table.change(exports(5000, new="to-new"))
    assert len(script.splitlines()) < 12
    assert script.count("add element") == 1
    (script,) = table.change(exports(4999))
    assert "delete element inet t doors { 10.0.19.135 }" in script
    assert script.count("element") == 1
    assert "delete chain inet t to-4999" in script


def test_thousands_of_exports_are_transactions_of_which_each_fits_and_the_mark_comes_last() -> None:
    table, wanted = PaperTable(), exports(5000)
    declared, *scripts = table.change(wanted)
    assert len(scripts) > 20000 // MOST - 1
    assert max(script.count("\n") for script in scripts) <= MOST + 4
    mark = f"add chain inet t {MARK}{digest(wanted)}\n"
    assert [mark in script for script in scripts] == [False] * (len(scripts) - 1) + [True]
    for script in (declared, *scripts[:-1]):
        table.run(script)
    assert [name for name in table.chains if name.startswith(MARK)] == [f"{MARK}partly"]
    table.load(wanted)
    assert table.change(wanted)[0].count("element") == 0


@pytest.mark.parametrize(
    ("prefixes", "definition"),
    [
        (
            ("172.16.2.10/32", "172.16.1.10/32"),
            "{ type ipv4_addr; size 2; elements = { 172.16.1.10, 172.16.2.10 }; }",
        ),
        (("fd00::1/128",), "{ type ipv6_addr; size 1; elements = { fd00::1 }; }"),
        (
            ("172.16.2.10/32", "10.0.0.0/8"),
            "{ type ipv4_addr; flags interval; auto-merge; elements = { 10.0.0.0/8, 172.16.2.10/32 }; }",
        ),
        ((), "{ type ipv4_addr; flags interval; auto-merge; }"),
    ],
)
def test_addresses_alone_are_hashed_and_prefixes_are_intervals(prefixes: tuple[str, ...], definition: str) -> None:
    networks = frozenset(map(ip_network, prefixes))
    version = next((network.version for network in networks), 4)
    known = AddressSet(name="known", version=version, prefixes=networks)
    (script, *_) = render_change(Ruleset(table="t", sets=(known,), chains=()), chains=(), sets=())
    assert script.endswith(f"{definition}\n")


def test_chains_that_somebody_edited_get_their_rules_again_in_one_transaction_each() -> None:
    table = PaperTable()
    table.load(exports(3))
    table.chains["to-1"] = ["drop"]
    assert "dnat to-1" not in "".join(table.change(exports(3)))
    for script in table.change(exports(3), trusted=False):
        table.run(script)
    assert table.chains["to-1"] == ["dnat to-1"]
