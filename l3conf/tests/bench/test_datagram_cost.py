"""What is said of pairs of figures: differences of the same moment, not of medians."""

from __future__ import annotations

import json
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, cast

import pytest

from l3conf.bench.added_filters import Filters, read_json
from l3conf.bench.by_hand import End
from l3conf.bench.datagram_cost import DatagramCost
from l3conf.bench.datagrams import NEAR, pairs
from l3conf.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from l3conf.labs.emulated import EmulatedLab

_ADDRESS, _PODS = ip_address("172.16.1.10"), ip_network("10.1.0.0/16")


def test_the_difference_is_the_median_of_those_of_the_same_moment() -> None:
    """A busy half of the time shifts both sides: medians would differ by 1000, moments differ by 100."""
    cost = DatagramCost(name="n", rounds=[(1100, 1000), (1100, 1000), (2100, 2000), (2100, 2000), (2100, 2000)])
    assert cost.difference == 100
    assert cost.to_json()["difference"] == 100
    assert cost.to_row() == ("n", "2100 ns", "2000 ns", "+100 ns", "+100 to +100")


def test_quartiles_tell_how_far_differences_lie_apart() -> None:
    cost = DatagramCost(name="n", rounds=[(1000 + extra, 1000) for extra in (-30, 10, 20, 30, 900)])
    first, third = cost.spread
    assert first < cost.difference == 20 < third


def test_what_could_not_be_measured_says_why() -> None:
    missing = DatagramCost(name="n", unavailable="a process carries it")
    assert missing.to_json() == {"name": "n", "unavailable": "a process carries it"}
    assert missing.to_row()[-1] == "not measured: a process carries it"


def test_too_few_moments_are_no_figure() -> None:
    assert DatagramCost(name="n", rounds=[(1, 1)]).to_row()[-1] == "not measured: only 1 bursts were near another's"


def test_bursts_are_paired_with_the_nearest_one_within_a_window() -> None:
    own = [(1.0, 10.0), (2.0, 20.0), (3.0, 30.0), (9.0, 90.0)]
    theirs = [(1.01, 11.0), (1.04, 12.0), (2.0 + 2 * NEAR, 21.0), (2.99, 31.0), (9.0, 91.0)]
    assert pairs(own, theirs, [(0.5, 2.5), (2.995, 4.0)]) == [(10.0, 11.0)]
    assert pairs(own, theirs, [(0.5, 2.5), (2.5, 4.0)]) == [(10.0, 11.0), (30.0, 31.0)]


class _Lab:
    """Answers ``nft`` as two gateway nodes would, and keeps what was loaded."""

    def __init__(self, *tables: str) -> None:
        self.tables = tables
        self.loaded: list[tuple[str, str]] = []

    def run(self, place: str, argv: Sequence[str], *, timeout: float) -> tuple[int, str, str]:
        assert timeout > 0
        match list(argv):
            case ["nft", "-json", "list", "tables"]:
                entries = [{"table": {"family": "inet", "name": name}} for name in self.tables]
                return 0, json.dumps({"nftables": [{"metainfo": {}}, *entries]}), ""
            case ["nft", "list", "table", family, name]:
                return 0, f"table {family} {name} {{ # of {place} }}\n", ""
            case ["/bin/sh", "-ec", script]:
                self.loaded.append((place, script))
                return 0, "", ""
        return 1, "", "unknown"


def _filters(lab: _Lab, plain: _Lab) -> Filters:
    ends = [End(place=f"{name}@g", underlay=_ADDRESS, pods=_PODS, inner="169.254.0.1") for name in ("east", "west")]
    return Filters(cast("EmulatedLab", lab), cast("EmulatedLab", plain), (ends[0], ends[1]))


def test_only_tables_that_the_plain_lab_lacks_come_and_go_each_with_its_own_nodes_text() -> None:
    lab = _Lab("cni", "filters", "counters")
    filters = _filters(lab, _Lab("cni"))
    assert filters.choices() == {
        "everything in place": ["inet counters", "inet filters"],
        "only table inet counters": ["inet counters"],
        "only table inet filters": ["inet filters"],
        "no tables": [],
    }
    filters.keep(["inet filters"])
    assert [place for place, _ in lab.loaded] == ["east@g", "west@g"]
    for place, script in lab.loaded:
        assert script.count("delete table inet ") == 2
        assert "cni" not in script
        assert f"table inet filters {{ # of {place} }}" in script
        assert f"counters {{ # of {place} }}" not in script


def test_a_refusal_names_program_place_and_reason() -> None:
    with pytest.raises(LabError, match=r"ip -json: unknown"):
        read_json(cast("EmulatedLab", _Lab()), "east@g", "ip", "-json", "link")
