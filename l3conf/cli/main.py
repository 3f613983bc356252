"""``l3conf``: the group of commands, and what their endings mean to a shell.

Exit codes: 0 done or CONFORMANT, 1 NON-CONFORMANT, 2 INCOMPLETE or the lab broke, 3 usage, 130 interrupted.
"""

from __future__ import annotations

import importlib
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from l3conf.errors import L3confError, UserError
from l3conf.spec.version import SPEC_VERSION, software_version

if TYPE_CHECKING:
    from collections.abc import Sequence

EXIT_INCOMPLETE = 2
EXIT_USAGE = 3
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141
"""128 + SIGPIPE: what a shell reports of a program whose reader went away. Never 0: nobody read the verdict."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """A command that is imported when it is run."""

    attribute: str
    """``module:attribute`` of a ``click.Command``."""
    help: str
    """What ``l3conf --help`` says, so that help imports nothing."""


COMMANDS = {
    "certify": _Entry("l3conf.cli.certify:certify", "Certify an implementation and write the report."),
    "run": _Entry("l3conf.cli.run:run", "Run single requirements, and hold the lab to look into it."),
    "new-implementation": _Entry(
        "l3conf.cli.new_implementation:new_implementation", "Write a tiny implementation that works, to begin with."
    ),
    "list": _Entry("l3conf.cli.catalogue:list_requirements", "List the requirements."),
    "explain": _Entry("l3conf.cli.catalogue:explain", "Explain a requirement: text, sources, tests, budgets."),
    "verify": _Entry("l3conf.cli.verify:verify", "Verify a report offline: digests, verdicts, badge."),
    "diff": _Entry("l3conf.cli.diff:diff", "Compare two reports."),
    "baseline": _Entry("l3conf.cli.baseline:baseline", "Compare a report with what is known to fail."),
    "submit": _Entry("l3conf.cli.submit:submit", "Lay a report where reports are published, if the rules let it."),
    "reports": _Entry("l3conf.cli.reports:reports", "Look after published reports: check."),
    "annotate": _Entry("l3conf.cli.annotate:annotate", "Print a report's findings for a GitHub workflow."),
    "lab": _Entry("l3conf.cli.lab:lab", "Bring a lab up, look into it, disturb it, take it down."),
    "clean": _Entry("l3conf.cli.existing:clean", "Remove what killed runs left in clusters, or of clusters of kind."),
    "rights": _Entry("l3conf.cli.existing:rights", "Print what a run needs to be granted in existing clusters."),
    "teeth": _Entry("l3conf.cli.teeth:teeth", "Show that the suite catches every mutant."),
    "vm": _Entry("l3conf.cli.vm:vm", "Run a command in a virtual machine with a distribution's kernel."),
    "bench": _Entry("l3conf.cli.bench:bench", "Measure labs and probes."),
}
"""In the order of ``l3conf --help``: the common way first."""


class _ReaderGoneError(Exception):
    """Nobody reads standard output any more."""


class LazyGroup(click.Group):
    """A group whose commands are imported one at a time: ``l3conf list`` must not wait for a Kubernetes client."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command of that name; None if there is none."""
        del ctx
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module, _, attribute = entry.attribute.partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def resolve_command(
        self,
        ctx: click.Context,
        args: list[str],
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Resolve a command; a near miss is suggested."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from l3conf.spec.problems import suggestion  # noqa: PLC0415 - only on this path

            ctx.fail(f"no command {args[0]!r}: {suggestion(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; click itself would turn a broken pipe into exit code 1, which means NON-CONFORMANT."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise _ReaderGoneError from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of commands without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])


def _print_version(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:  # noqa: FBT001 - click's
    if value and not ctx.resilient_parsing:
        click.echo(f"l3conf {software_version()} (specification {SPEC_VERSION})")
        ctx.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "-V",
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the versions of l3conf and of the specification.",
)
def l3conf() -> None:
    """Conformance of layer-3 connectivity between Kubernetes clusters.

    A first run, with nothing but this package:

    \b
      l3conf certify --impl impl.yaml --on emulated -o report/
      l3conf verify report/

    Exit codes: 0 conformant, 1 non-conformant, 2 incomplete, 3 usage.
    """  # noqa: D301 - \b is click's mark for a paragraph that keeps its lines


def run_command(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code. A command's integer result is its exit code."""
    try:
        result = l3conf.main(args=list(arguments) if arguments is not None else None, standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Abort:
        return EXIT_INTERRUPTED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except click.ClickException as error:
        error.show()
        return EXIT_USAGE
    except (_ReaderGoneError, BrokenPipeError):
        return _broken_pipe()
    except L3confError as error:
        for line in str(error).splitlines():
            click.echo(f"error: {line}", err=True)
        return EXIT_USAGE if isinstance(error, UserError) else EXIT_INCOMPLETE
    return result if isinstance(result, int) else 0


def _broken_pipe() -> int:
    # The interpreter flushes stdout once more when it ends, and would complain.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return EXIT_BROKEN_PIPE


def main() -> None:
    """Entry point of the console script."""
    sys.exit(run_command())


if __name__ == "__main__":
    main()
