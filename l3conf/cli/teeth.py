"""``l3conf teeth``: the kill matrix."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from l3conf.teeth.catalogue import Mutant
    from l3conf.teeth.matrix import Matrix, TrialResult
    from l3conf.teeth.trials import Trial

_DEFAULT_IMPLEMENTATION = Path("reference_impl/impl.yaml")


@click.command()
@click.option(
    "--impl",
    "implementation",
    type=click.Path(path_type=Path),
    default=_DEFAULT_IMPLEMENTATION,
    show_default=True,
    help="Implementation file; its mutants lie beside it in mutants/catalogue.yaml.",
)
@click.option("--only", multiple=True, metavar="MUTANT", help="Only this mutant, without null implementations.")
@click.option("--seed", type=int, help="Repeat a run.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def teeth(implementation: Path, only: tuple[str, ...], seed: int | None, *, as_json: bool) -> int:
    """Show that the suite catches every mutant, and that null implementations pass no row of the data plane.

    Exit codes: 0 the suite bites, 1 a mutant survived or a row judged wrongly, 3 usage.
    """
    from l3conf.cli.certify import preflight  # noqa: PLC0415 - `l3conf --help` needs none of this
    from l3conf.plugin.process import Selection  # noqa: PLC0415
    from l3conf.teeth.catalogue import choose, load_mutants, null_implementations  # noqa: PLC0415
    from l3conf.teeth.matrix import doubtful, judge  # noqa: PLC0415
    from l3conf.teeth.trials import look_again, run_trials  # noqa: PLC0415

    preflight(Selection(implementation=implementation))
    mutants = choose(load_mutants(implementation), only)
    rows = tuple(dict.fromkeys(row for mutant in mutants for row in mutant.kills))
    nulls = {} if only else null_implementations()
    began = time.monotonic()
    seed = random.randrange(1 << 31) if seed is None else seed  # noqa: S311 - order, not secrets
    trials = _trials(implementation, mutants, rows, nulls)
    results = run_trials(trials, lambda result: None if as_json else _tell(result), seed=seed)
    doubts = doubtful(mutants, results)
    if doubts:
        _say(f"looking again, one at a time: {', '.join(doubts)}", quiet=as_json)
        results = look_again(trials, results, doubts, lambda result: None if as_json else _tell(result), seed=seed)
    matrix = judge(mutants, results, nulls=[result for result in results if result.name in nulls], rows=rows)
    seconds = time.monotonic() - began
    if as_json:
        tried_again = {name: list(rows) for name, rows in doubts.items()}
        click.echo(json.dumps({**matrix.to_json(), "triedAgain": tried_again, "seconds": round(seconds, 1)}))
    else:
        _print_matrix(matrix, seconds)
    return 1 if matrix.findings else 0


def _trials(
    implementation: Path, mutants: tuple[Mutant, ...], rows: tuple[str, ...], nulls: dict[str, Path]
) -> list[Trial]:
    """Return all trials, the longest first, so that none of them runs alone in the end.

    Every variant of the implementation, and every ground that mutants ask for, has a control of its own, with the
    rows of its mutants.
    """
    from l3conf.teeth.matrix import CONTROL  # noqa: PLC0415
    from l3conf.teeth.trials import Trial  # noqa: PLC0415

    variants: dict[tuple[Path, str], dict[str, None]] = {}
    for one in mutants:
        variants.setdefault((one.implementation, one.topology), {}).update(dict.fromkeys(one.kills))
    return [
        *(
            Trial(
                name=" ".join(filter(None, (CONTROL, path.stem if path != implementation else "", topology))),
                implementation=path,
                rows=tuple(own),
                topology=topology,
            )
            for (path, topology), own in variants.items()
        ),
        *(Trial(name=name, implementation=path, rows=rows) for name, path in nulls.items()),
        *(
            Trial(
                name=one.name,
                implementation=one.implementation,
                rows=one.kills,
                env=one.env,
                topology=one.topology,
            )
            for one in mutants
        ),
    ]


def _say(text: str, *, quiet: bool) -> None:
    if not quiet:
        click.echo(text)


def _tell(result: TrialResult) -> None:
    said = " ".join(f"{row}={verdict.value}" for row, verdict in result.verdicts.items())
    click.echo(f"{result.name:<26} {result.seconds:5.1f} s  {said}")


def _print_matrix(matrix: Matrix, seconds: float) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    console = Console(highlight=False)
    table = Table("mutant", "row", "", "what is broken", title="kill matrix")
    colours = {"killed": "green", "survived": "red", "wrong verdict": "magenta", "untestable here": "yellow"}
    for mutant in matrix.mutants:
        for row in mutant.kills:
            word = matrix.bites[mutant.name, row].value
            table.add_row(mutant.name, row, f"[{colours[word]}]{word}[/]", mutant.breaks)
    console.print(table)
    for finding in matrix.findings:
        console.print(f"  {finding}", style="red", markup=False)
    killed = sum(bite.value == "killed" for bite in matrix.bites.values())
    beyond = sum(bite.value == "untestable here" for bite in matrix.bites.values())
    said = f"{killed} of {len(matrix.bites)} killed{f', {beyond} untestable here' if beyond else ''}"
    console.print(f"{said}, {len(matrix.findings)} findings, {seconds:.0f} s")
