"""``l3conf explain <profile>``: what a profile promises, and the page for those who decide about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from l3conf.cli.printing import heading, print_json, print_table
from l3conf.spec.catalogue import load_profiles, load_requirements
from l3conf.spec.package_data import package_file

if TYPE_CHECKING:
    from collections.abc import Mapping

GUIDES: Mapping[str, str] = {"overlap": "choosing.md", "partial": "choosing.md"}
"""Pages in ``l3conf/spec/guides``, by profile."""


def explain_profile(name: str, *, as_json: bool) -> None:
    """Print a profile; ``name`` is one of the published ones."""
    profile = next(each for each in load_profiles() if each.name == name)
    rows = [row for row in load_requirements() if row.profile == name]
    guide = package_file("guides", GUIDES[name]).read_text(encoding="utf-8") if name in GUIDES else ""
    if as_json:
        ids = [row.id for row in rows]
        print_json({"profile": name, "sentence": profile.sentence, "requirements": ids, "guide": guide})
        return
    click.echo(heading(f"{name}  {profile.sentence}"))
    if guide:
        click.echo(f"\n{guide}")
    print_table(["id", "level", "requirement"], [[row.id, row.level.value, row.title] for row in rows])
