"""``l3conf run``: single requirements, with pytest's own output, and the lab to look into afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from l3conf.cli.certify import allure_option, evidence_option
from l3conf.cli.existing import dry_run_option, show_what_would_be
from l3conf.errors import UserError
from l3conf.labs.existing.options import existing_options, settings
from l3conf.labs.kind.options import kind_options, kind_settings

_DEFAULT_IMPLEMENTATION = Path("reference_impl/impl.yaml")


@click.command()
@click.argument("rows", nargs=-1, required=True, metavar="L3-F5|L3-F...")
@click.option(
    "--impl",
    "implementation",
    type=click.Path(path_type=Path),
    default=_DEFAULT_IMPLEMENTATION,
    show_default=True,
    help="Implementation file.",
)
@click.option("--on", "lab_kind", default="emulated", show_default=True, help="Kind of lab.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder for a (filtered) report and evidence.")
@evidence_option
@allure_option
@click.option("-n", "--workers", type=click.IntRange(min=0), default=0, help="Worker processes; without, none.")
@click.option("--seed", type=int, help="Repeat a run: order of pairs and hook canary.")
@click.option(
    "--topology",
    "topologies",
    multiple=True,
    metavar="NAME|FILE",
    help="Only scenarios on this topology; a file of yours: scenarios on that one instead of on their own.",
)
@click.option("--budget", "budgets", multiple=True, metavar="NAME=SECONDS", help="Override a time of the table.")
@click.option("--stretch", default=1.0, metavar="FACTOR", help="Multiply all deadlines, on a slow machine (recorded).")
@click.option(
    "--brief",
    is_flag=True,
    help="One worker node a cluster and one ground a test: for slow machines (recorded).",
)
@existing_options
@kind_options
@dry_run_option
@click.option("--hold", is_flag=True, help="Keep the lab until Enter or Ctrl-C, and say how to look into it.")
def run(  # noqa: PLR0913 - one an option
    rows: tuple[str, ...],
    implementation: Path,
    lab_kind: str,
    output: Path | None,
    evidence: str,
    allure: Path | None,
    seed: int | None,
    topologies: tuple[str, ...],
    budgets: tuple[str, ...],
    stretch: float,
    *,
    workers: int,
    brief: bool,
    hold: bool,
    dry_run: bool,
    **given: Any,  # noqa: ANN401 - the options of `labs.existing.options` and `labs.kind.options`
) -> int:
    """Run single requirements, or all of a section (L3-F).

    The run is filtered, so whatever it shows, it is never CONFORMANT.

    Exit codes: 0 all passed, 1 a requirement failed, 2 nothing is known, 3 usage.
    """
    from l3conf.cli.certify import preflight  # noqa: PLC0415 - `l3conf --help` needs none of this
    from l3conf.plugin.options import Evidence, chosen_topologies  # noqa: PLC0415
    from l3conf.plugin.process import Selection, started  # noqa: PLC0415
    from l3conf.spec.budgets import chosen_overrides  # noqa: PLC0415
    from l3conf.spec.catalogue import find_requirements  # noqa: PLC0415
    from l3conf.spec.scenario_index import scenario_tests  # noqa: PLC0415

    if hold and workers:
        raise UserError("--hold waits at this terminal, workers have none", remedy="leave out -n")
    selection = Selection(
        implementation=implementation,
        lab_kind=lab_kind,
        output=output,
        evidence=Evidence(evidence),
        allure=allure,
        seed=seed,
        rows=tuple(dict.fromkeys(row.id for text in rows for row in find_requirements(text))),
        topologies=chosen_topologies(topologies),
        budgets=chosen_overrides(stretch, budgets),
        brief=brief,
        workers=workers,
        existing=settings(**given),
        of_kind=kind_settings(**given),
    )
    if dry_run:
        return show_what_would_be(selection)
    preflight(selection)
    for row in [row for row in selection.rows if row not in scenario_tests()]:
        click.echo(f"{row} has no scenario yet: it stays not_run", err=True)
    more = ("-v", "-rfEs", *(("-s", "--hold") if hold else ()))
    with started(selection, None, *more) as process:
        process.wait()
    return _exit_code(process.returncode)


def _exit_code(pytest_code: int) -> int:
    """Translate pytest's exit code: 5 is "no tests collected", which here means that the row has none yet."""
    return {0: 0, 1: 1, 4: 3}.get(pytest_code, 2)
