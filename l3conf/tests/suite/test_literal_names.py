"""Names that a scenario spells out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from l3conf.plugin.literal_names import names_spelt_out

if TYPE_CHECKING:
    from collections.abc import Callable

MEMBERS = ("east", "west")
WORDS = {"north": ["south"]}


def plain(lab: object) -> object:
    return lab


def direct(lab: dict[str, object]) -> object:
    return lab["east"]


def inside(lab: dict[str, object]) -> object:
    return [lambda: lab["west"]]


def by_constant(lab: dict[str, object]) -> object:
    return [lab[name] for name in MEMBERS]


def by_mapping() -> object:
    return WORDS


def helper() -> str:
    return "east"


def by_helper(lab: dict[str, object]) -> object:
    return lab[helper()]


def recursive() -> object:
    return [recursive, "west"]


def by_default(name: str = "east") -> str:
    return name


@pytest.mark.parametrize(
    ("function", "named"),
    [
        (plain, set()),
        (direct, {"east"}),
        (inside, {"west"}),
        (by_constant, {"east", "west"}),
        (by_mapping, {"north", "south"}),
        (by_helper, {"east"}),
        (recursive, {"west"}),
        (by_default, {"east"}),
    ],
)
def test_names_are_found_wherever_they_stand(function: Callable[..., object], named: set[str]) -> None:
    assert names_spelt_out(function, {}) & {"east", "west", "north", "south"} == named


def test_parameters_count() -> None:
    assert {"east", "west"} <= names_spelt_out(plain, {"source": "east", "pair": ("west", 1)})
