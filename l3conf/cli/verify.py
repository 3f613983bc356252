"""``l3conf verify``: whether a report is what its run really showed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from l3conf.cli.printing import VERDICT_STYLES, print_json, styled

if TYPE_CHECKING:
    from l3conf.report.verify import Verification


@click.command()
@click.argument("report", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def verify(report: Path, *, as_json: bool) -> int:
    """Verify the REPORT folder that `l3conf certify -o` wrote. Needs no network and no cluster.

    Exit codes are those of certify; a report that is not intact proves nothing: 2.
    """
    from l3conf.report.verify import verify_report  # noqa: PLC0415 - jsonschema and friends, only when needed

    verification = verify_report(report.parent if report.is_file() else report)
    if as_json:
        print_json(_json(verification))
    else:
        _print(verification)
    return verification.overall.exit_code


def _json(verification: Verification) -> dict[str, object]:
    return {
        "intact": not verification.problems,
        "overall": verification.overall.value,
        "problems": list(verification.problems),
        "remarks": list(verification.remarks),
        "verdict": verification.report.get("verdict"),
    }


def _print(verification: Verification) -> None:
    for problem in verification.problems:
        click.echo(f"broken: {problem}")
    if verification.problems:
        click.echo(f"not intact: {len(verification.problems)} contradictions; this report proves nothing")
        return
    report = verification.report
    for remark in verification.remarks:
        click.echo(f"note: {remark}")
    implementation = report["implementation"]
    overall = styled(report["verdict"]["overall"], VERDICT_STYLES)
    click.echo(f"intact: {implementation['name']} {implementation['version']} on {report['run']['lab']}: {overall}")
    for reason in report["verdict"]["reasons"]:
        click.echo(f"  {reason}")
