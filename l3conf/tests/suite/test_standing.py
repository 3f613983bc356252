"""What is part of a row on a ground that stands for some topologies only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from l3conf.plugin.marks import verifies
from l3conf.plugin.standing import out_of_place

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest


@dataclass
class PaperItem:
    """A collected test, as far as its marks are asked for."""

    nodeid: str
    rows: tuple[str, ...]
    topology: str
    callspec: Any = field(init=False)

    def __post_init__(self) -> None:
        self.callspec = type("Call", (), {"params": {"topology": self.topology}})()

    def iter_markers(self, name: str) -> Iterator[Any]:
        return iter([verifies(row).mark for row in self.rows] if name == "verifies" else [])

    def get_closest_marker(self, name: str) -> None:
        del name


def left_out(*items: PaperItem) -> list[str]:
    found = out_of_place(cast("list[pytest.Item]", items), {"two-clusters"}.__contains__)
    return [item.nodeid for item in found]


FITS = PaperItem("f.py::test_one[two-clusters]", ("L3-F1",), "two-clusters")


def test_other_topologies_of_a_test_that_fits_are_no_part_of_the_row() -> None:
    assert left_out(FITS, PaperItem("f.py::test_one[filtered-cloud]", ("L3-F1",), "filtered-cloud")) == [
        "f.py::test_one[filtered-cloud]"
    ]


def test_another_test_of_the_row_stays_and_makes_it_untestable() -> None:
    assert left_out(FITS, PaperItem("f.py::test_two[filtered-cloud]", ("L3-F1",), "filtered-cloud")) == []


def test_what_only_the_other_topology_shows_of_another_row_stays() -> None:
    """Over IPv6 the same function is the proof of a row of its own."""
    assert left_out(FITS, PaperItem("f.py::test_one[v6-only]", ("L3-G1",), "v6-only")) == []


def test_tests_that_are_no_scenarios_are_left_alone() -> None:
    assert left_out(PaperItem("f.py::test_unit", (), "")) == []
