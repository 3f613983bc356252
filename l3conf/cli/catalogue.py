"""``l3conf list`` and ``l3conf explain``: the specification on the command line."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import click

from l3conf.cli.printing import heading, print_json, print_table
from l3conf.cli.profile_page import explain_profile
from l3conf.errors import UserError
from l3conf.spec.budgets import Budgets
from l3conf.spec.catalogue import (
    Level,
    Requirement,
    find_requirement,
    load_features,
    load_profiles,
    load_requirements,
    select,
)
from l3conf.spec.mutants import mutants_killed_by
from l3conf.spec.problems import suggestion
from l3conf.spec.scenario_index import scenario_tests

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

WIDTH = 100
"""Columns of running text."""
_INDENT = 12


@click.command("list")
@click.option("--profile", "profiles", multiple=True, metavar="NAME", help="Only this profile; may be repeated.")
@click.option("--feature", "features", multiple=True, metavar="NAME", help="Only this feature; may be repeated.")
@click.option("--level", "levels", multiple=True, metavar="LEVEL", help="Only MUST, MUST NOT, SHOULD or MAY.")
@click.option("--tested", is_flag=True, help="Only requirements that scenarios verify.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_requirements(
    *,
    profiles: tuple[str, ...],
    features: tuple[str, ...],
    levels: tuple[str, ...],
    tested: bool,
    as_json: bool,
) -> None:
    """List the requirements of the specification."""
    rows = select(
        load_requirements(),
        profiles=_known(profiles, [profile.name for profile in load_profiles()], "--profile"),
        features=_known(features, [feature.name for feature in load_features()], "--feature"),
        levels=[Level(level) for level in _known(levels, [level.value for level in Level], "--level")],
    )
    tests = scenario_tests()
    if tested:
        rows = [row for row in rows if row.id in tests]
    if as_json:
        print_json([{**_row_json(row), "tests": [test.name for test in tests.get(row.id, [])]} for row in rows])
        return
    cells = [_cells(row, len(tests.get(row.id, []))) for row in rows]
    print_table(["id", "level", "profile", "feature", "tests", "requirement"], cells)


@click.command()
@click.argument("requirement", metavar="REQUIREMENT|PROFILE")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def explain(requirement: str, *, as_json: bool) -> None:
    """Explain a REQUIREMENT, e.g. L3-F5: what it asks, who suffered without it, how it is proved.

    Or a PROFILE, e.g. overlap: what it promises, its requirements, and for administrators when to use which.
    """
    if requirement.lower() in {profile.name for profile in load_profiles()}:
        explain_profile(requirement.lower(), as_json=as_json)
        return
    row = find_requirement(requirement)
    details = _details(row)
    if as_json:
        print_json(details)
        return
    click.echo(heading(f"{row.id}  {row.title}"))
    for line in _paragraphs(row, details):
        click.echo(line)


def _known(names: Iterable[str], known: Collection[str], option: str) -> list[str]:
    """Return names in their published spelling; ``UserError`` for one that does not exist."""
    by_lower = {name.lower(): name for name in known}
    found = []
    for name in names:
        if name.lower() not in by_lower:
            raise UserError(f"there is no {name!r}", where=option, remedy=suggestion(name, known))
        found.append(by_lower[name.lower()])
    return found


def _cells(row: Requirement, tests: int) -> list[str]:
    return [row.id, row.level.value, row.profile, row.feature, str(tests) if tests else "-", row.title]


def _row_json(row: Requirement) -> dict[str, Any]:
    return {
        "id": row.id,
        "title": row.title,
        "level": row.level.value,
        "profile": row.profile,
        "feature": row.feature,
        "support": row.support.value,
        "text": row.text,
        "observe": row.observe,
        "kep": row.kep,
        "sources": list(row.sources),
    }


def _details(row: Requirement) -> dict[str, Any]:
    table = Budgets.default().table
    return {
        **_row_json(row),
        "budgets": [{"name": name, "seconds": table[name].seconds, "text": table[name].text} for name in row.budgets],
        "tests": [
            {"test": test.name, "file": str(test.path), "line": test.line, "sentence": test.sentence}
            for test in scenario_tests().get(row.id, [])
        ],
        "mutants": [{"name": mutant.name, "sentence": mutant.sentence} for mutant in mutants_killed_by(row.id)],
        "correction": {"was": dict(row.correction.was), "reason": row.correction.reason} if row.correction else None,
    }


def _paragraphs(row: Requirement, details: dict[str, Any]) -> Iterator[str]:
    yield ""
    yield from textwrap.wrap(f"{row.level.value}: {row.text}", WIDTH, initial_indent="  ", subsequent_indent="  ")
    yield ""
    feature = next(feature for feature in load_features() if feature.name == row.feature)
    yield from _field("profile", [f"{row.profile} ({row.support.value})"])
    yield from _field("feature", [f"{row.feature}: {feature.sentence}"])
    yield from _field("observed", [row.observe])
    yield from _field("asked by", [f"KEP {row.kep}"] if row.kep else [])
    yield from _field("sources", [", ".join(row.sources)] if row.sources else [])
    yield from _field("budgets", [f"{b['name']} {b['seconds']:g} s: {b['text']}" for b in details["budgets"]])
    tests = [f"{test['test']}: {test['sentence']}" for test in details["tests"]]
    yield from _field("tests", tests or ["none yet: the row is reported as not_run"])
    yield from _field("mutants", [f"{m['name']}: {m['sentence']}" for m in details["mutants"]])
    yield from _field("corrected", [row.correction.reason] if row.correction else [])


def _field(name: str, values: Iterable[str]) -> Iterator[str]:
    label = f"  {name}"
    for value in values:
        yield from textwrap.wrap(
            value,
            WIDTH,
            initial_indent=label.ljust(_INDENT),
            subsequent_indent=" " * _INDENT,
            break_long_words=False,
            break_on_hyphens=False,
        )
        label = ""
