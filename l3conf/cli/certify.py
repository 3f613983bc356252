"""``l3conf certify``: preflight, all scenarios, report. Its exit code is the report's verdict."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from l3conf.cli.baseline import Known
from l3conf.cli.existing import check_clusters, dry_run_option, show_what_would_be
from l3conf.errors import LabError
from l3conf.labs import KIND, LASTING, emulation
from l3conf.labs.existing.options import existing_options, settings
from l3conf.labs.kind.options import kind_options, kind_settings
from l3conf.verdict import Verdict

if TYPE_CHECKING:
    from rich.console import Console

    from l3conf.model.baseline import KnownFailure
    from l3conf.plugin.process import Selection
    from l3conf.plugin.progress import RowResult

_LOOK = 0.2
"""Seconds between two looks at what the workers have written."""
_COLOURS = {"pass": "green", "fail": "red", "error": "magenta", "untestable": "yellow"}
_LOG_LINES = 15
_MOST_WORKERS = 8
"""More have nothing to do: some labs take a quarter of the whole time each, however many there are besides."""
DEFAULT_WORKERS = min(_MOST_WORKERS, 2 * len(os.sched_getaffinity(0)))
"""Two a processor: most tests wait most of the time."""

evidence_option = click.option(
    "--evidence",
    type=click.Choice(["none", "failures", "all"]),
    default="failures",
    show_default=True,
    help="Of which tests files are kept: flows as numbers and drawings; of failures a dump as well.",
)

allure_option = click.option(
    "--alluredir", "allure", type=click.Path(path_type=Path), help="Folder for results that Allure shows."
)


@click.command()
@click.option("--impl", "implementation", required=True, type=click.Path(path_type=Path), help="Implementation file.")
@click.option("--on", "lab_kind", default="emulated", show_default=True, help="Kind of lab.")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder for the report.")
@evidence_option
@allure_option
@click.option("--seed", type=int, help="Repeat a run: order of pairs and hook canary.")
@click.option(
    "--topology",
    "topologies",
    multiple=True,
    metavar="NAME|FILE",
    help="Only scenarios on this topology; a file of yours: scenarios on that one instead (never CONFORMANT).",
)
@click.option("--budget", "budgets", multiple=True, metavar="NAME=SECONDS", help="Override a time of the table.")
@click.option("--stretch", default=1.0, metavar="FACTOR", help="Multiply all deadlines, on a slow machine (recorded).")
@click.option(
    "--baseline", type=click.Path(path_type=Path), help="File of known failures: shown as such, never passed."
)
@click.option("-n", "--workers", default=DEFAULT_WORKERS, show_default=True, help="Worker processes, two a processor.")
@existing_options
@kind_options
@dry_run_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def certify(  # noqa: PLR0913 - one an option
    implementation: Path,
    lab_kind: str,
    output: Path,
    evidence: str,
    allure: Path | None,
    seed: int | None,
    topologies: tuple[str, ...],
    budgets: tuple[str, ...],
    stretch: float,
    *,
    baseline: Path | None,
    workers: int,
    as_json: bool,
    dry_run: bool,
    **given: Any,  # noqa: ANN401 - the options of `labs.existing.options` and `labs.kind.options`
) -> int:
    """Certify an implementation: every scenario on a lab of its own, and a report that can be verified.

    Exit codes: 0 CONFORMANT, 1 NON-CONFORMANT, 2 INCOMPLETE, 3 usage.
    """
    from l3conf.plugin.options import Evidence, chosen_topologies  # noqa: PLC0415 - `l3conf --help` needs none of this
    from l3conf.plugin.process import Selection  # noqa: PLC0415
    from l3conf.spec.budgets import chosen_overrides  # noqa: PLC0415

    selection = Selection(
        implementation=implementation,
        lab_kind=lab_kind,
        output=output,
        evidence=Evidence(evidence),
        allure=allure,
        seed=seed,
        topologies=chosen_topologies(topologies),
        budgets=chosen_overrides(stretch, budgets),
        workers=workers,
        existing=settings(**given),
        of_kind=kind_settings(**given),
    )
    if dry_run:
        return show_what_would_be(selection)
    known = Known.read(baseline, implementation)
    preflight(selection)
    began = time.monotonic()
    report = _run(selection, _console(quiet=as_json), known.expected())
    seconds = time.monotonic() - began
    verdict = report["verdict"]
    if as_json:
        click.echo(json.dumps({**_summary(report, output, seconds), **known.compared(report)}))
    else:
        _print_summary(report, output, seconds)
        known.print_compared(report)
    return int(verdict["exitCode"])


def preflight(selection: Selection) -> None:
    """Refuse what cannot work before anything is built. ``UserError`` names file, field and remedy."""
    from l3conf.labs import KINDS  # noqa: PLC0415
    from l3conf.plugin.options import topology_file  # noqa: PLC0415
    from l3conf.report.output import prepare_output  # noqa: PLC0415
    from l3conf.spec.budgets import Budgets  # noqa: PLC0415
    from l3conf.spec.files import load_implementation, load_topology  # noqa: PLC0415

    if selection.lab_kind not in KINDS:
        raise click.BadParameter(f"{selection.lab_kind!r} is none of {', '.join(KINDS)}", param_hint="--on")
    load_implementation(selection.implementation)
    Budgets.default().with_overrides(selection.budgets or {})
    check_clusters(selection)
    if selection.lab_kind == KIND:
        from l3conf.cli.kind import check_kind  # noqa: PLC0415 - likewise

        check_kind(selection)
    if selection.lab_kind not in LASTING:
        emulation(selection.lab_kind).check_host()
    for name in selection.topologies:
        load_topology(topology_file(name, Path.cwd()))
    if selection.output is not None:
        prepare_output(selection.output)


def _run(selection: Selection, console: Console, expected: dict[str, KnownFailure]) -> dict[str, Any]:
    """Run the scenarios, telling each row as it ends, and return the report."""
    from l3conf.plugin.process import started  # noqa: PLC0415
    from l3conf.plugin.progress import Progress  # noqa: PLC0415
    from l3conf.report.output import EVENTS, REPORT  # noqa: PLC0415

    output = selection.output or Path()
    progress, said = Progress(output / EVENTS), ""
    with tempfile.TemporaryFile() as log, started(selection, log, "-q", "--tb=short", "-rfE") as process:
        while process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_LOOK)
            for result in progress.news():
                _print_row(console, result, repeated=result.message == said, known=expected.get(result.row))
                said = result.message
        if not (output / REPORT).is_file():
            log.seek(0)
            tail = log.read().decode(errors="replace").splitlines()[-_LOG_LINES:]
            raise LabError("the run ended without a report:\n" + "\n".join(tail), where=str(output))
    report: dict[str, Any] = json.loads((output / REPORT).read_text(encoding="utf-8"))
    return report


def _console(*, quiet: bool) -> Console:
    from rich.console import Console  # noqa: PLC0415

    return Console(quiet=quiet, highlight=False, soft_wrap=True)


def _print_row(console: Console, result: RowResult, *, repeated: bool, known: KnownFailure | None) -> None:
    from rich.markup import escape  # noqa: PLC0415

    from l3conf.spec.catalogue import find_requirement  # noqa: PLC0415

    word, title = result.verdict.value, find_requirement(result.row).title
    colour = _COLOURS.get(word, "white")
    console.print(f"{result.row:<7} [{colour}]{word:<10}[/] {result.seconds:6.1f} s  {escape(title)}")
    if known is not None and result.verdict is Verdict.FAIL:
        console.print(f"        known until {known.expires}: {escape(known.reason)}")
    if result.message:
        console.print(f"        {'as above' if repeated else escape(result.message)}")


def _print_summary(report: dict[str, Any], output: Path, seconds: float) -> None:
    from rich.table import Table  # noqa: PLC0415

    verdict, console = report["verdict"], _console(quiet=False)
    table = Table(
        title=f"{report['implementation']['name']} {report['implementation']['version']}: {verdict['overall']}"
    )
    table.add_column("verdict")
    table.add_column("rows", justify="right")
    for word, count in verdict["counts"].items():
        if count:
            table.add_row(word, str(count))
    console.print(table)
    for reason in verdict["reasons"][:5]:
        console.print(f"  {reason}", markup=False)
    for error in report["harnessErrors"][:5]:
        console.print(f"  harness: {error}", markup=False)
    console.print(f"{seconds:.1f} s, seed {report['run']['seed']}, report in {output}", markup=False)


def _summary(report: dict[str, Any], output: Path, seconds: float) -> dict[str, Any]:
    return {
        **report["verdict"],
        "rows": {row["id"]: row["verdict"] for row in report["rows"] if row["tests"]},
        "harnessErrors": report["harnessErrors"],
        "seed": report["run"]["seed"],
        "seconds": round(seconds, 2),
        "report": str(output),
    }
