"""``l3conf`` is quick, lazy, quiet in pipes, and ends with the exit code that it promises."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from l3conf.cli import main as entry
from l3conf.cli.main import COMMANDS, run_command
from l3conf.errors import HookFailedError, InvalidFileError, L3confError, LabError, MissingPrerequisiteError

if TYPE_CHECKING:
    from collections.abc import Callable

HEAVY = ("kubernetes", "aiohttp", "pyroute2", "jsonschema", "rich", "cryptography", "pytest", "docker", "mininet")


def l3conf(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # type: ignore[call-overload,no-any-return]
        [sys.executable, "-m", "l3conf.cli.main", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **options,
    )


@pytest.fixture
def ending(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], int]:
    """Run a command that ends in a given way."""

    def run(end: Callable[[], object]) -> int:
        command = click.Command("list", callback=end)
        monkeypatch.setattr(entry.LazyGroup, "get_command", lambda *_arguments: command)
        return run_command(["list"])

    return run


def raising(error: BaseException) -> Callable[[], object]:
    def end() -> object:
        raise error

    return end


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["list"], ["explain", "L3-F5"], ["list", "--json"]])
def test_everyday_commands_import_no_heavy_package(arguments: list[str]) -> None:
    program = (
        "import sys; from l3conf.cli.main import run_command; code = run_command(sys.argv[1:]);"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "[]\n")


def test_help_shows_every_command() -> None:
    shown = l3conf("--help").stdout
    assert all(f"  {name} " in shown for name in COMMANDS)


@pytest.mark.parametrize("name", ["list", "explain", "verify"])
def test_commands_of_the_table_exist(name: str) -> None:
    module, _, attribute = COMMANDS[name].attribute.partition(":")
    assert isinstance(getattr(import_module(module), attribute), click.Command)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidFileError("no"), 3),
        (MissingPrerequisiteError("no"), 3),
        (LabError("no"), 2),
        (HookFailedError("no"), 2),
        (KeyboardInterrupt(), 130),
        (click.Abort(), 130),
        (click.UsageError("no"), 3),
        (BrokenPipeError(), 141),
        (click.exceptions.Exit(1), 1),
    ],
)
def test_every_ending_has_its_exit_code(
    error: BaseException, code: int, ending: Callable[[Callable[[], object]], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entry, "_broken_pipe", lambda: entry.EXIT_BROKEN_PIPE)
    assert ending(raising(error)) == code


def test_a_commands_number_is_its_exit_code(ending: Callable[[Callable[[], object]], int]) -> None:
    assert (ending(lambda: 2), ending(lambda: None)) == (2, 0)


def test_a_users_mistake_is_told_without_a_traceback(
    ending: Callable[[Callable[[], object]], int], capsys: pytest.CaptureFixture[str]
) -> None:
    ending(raising(L3confError("has no gateway", where="two.yaml:3", remedy="add one")))
    assert capsys.readouterr().err == "error: two.yaml:3: has no gateway (add one)\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lits"], "no command 'lits': did you mean list?"),
        (["list", "--frobnicate"], "No such option"),
        (["list", "--profile", "cor"], "error: --profile: there is no 'cor' (did you mean core?)"),
        (["list", "--level", "MIGHT"], "error: --level: there is no 'MIGHT'"),
        (["explain"], "Missing argument"),
        (["explain", "L3-F99"], "error: there is no requirement 'L3-F99' (section F has L3-F1 to L3-F15)"),
        (["verify", "/nonexistent"], "report.json: cannot be read: No such file or directory (give the folder"),
        (["vm"], "Missing argument"),
        (["vm", "--kernel", "mine", "--", "true"], "error: --kernel: 'mine' is neither a path nor a kernel package"),
        (["vm", "--memory", "5", "--", "true"], "5 is not in the range"),
        (["run", "L3-F5", "--stretch", "0.5"], "error: --stretch: 0.5 is no factor (give 1 or more)"),
    ],
)
def test_usage_errors_exit_with_3_and_a_remedy(arguments: list[str], message: str) -> None:
    done = l3conf(*arguments)
    assert done.returncode == 3
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_list_in_a_pipe_is_one_plain_line_a_requirement() -> None:
    lines = l3conf("list", "--profile", "core", "--level", "must not").stdout.splitlines()
    assert [line.split("\t")[:2] for line in lines] == [["L3-F15", "MUST NOT"]]


def test_list_as_json_is_the_catalogue() -> None:
    rows = json.loads(l3conf("list", "--json").stdout)
    assert len(rows) == 119
    assert {"id", "title", "level", "profile", "feature", "support", "text", "tests"} <= rows[0].keys()


def test_tested_rows_are_those_that_scenarios_verify() -> None:
    rows = json.loads(l3conf("list", "--tested", "--json").stdout)
    assert all(row["tests"] for row in rows)


def test_explain_as_json_has_sources_and_budgets() -> None:
    row = json.loads(l3conf("explain", "F8", "--json").stdout)
    assert "RFC 1191" in row["sources"]
    assert row["budgets"][0]["name"] == "T_probe"


def test_a_reader_that_goes_away_leaves_no_complaint() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "l3conf.cli.main", "list"],
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


def test_colour_and_tables_are_for_terminals_that_want_them() -> None:
    plain = l3conf("explain", "F5").stdout
    assert "\x1b" not in plain
    for environment, coloured in (({}, True), ({"NO_COLOR": "1"}, False)):
        assert ("\x1b[" in on_terminal("list", environment)) == coloured


def on_terminal(command: str, environment: dict[str, str]) -> str:
    """Return what a command prints on a pseudo-terminal."""
    master, slave = os.openpty()
    variables = {"PATH": os.environ["PATH"], "TERM": "xterm-256color", "COLUMNS": "120", **environment}
    process = subprocess.Popen(
        [sys.executable, "-m", "l3conf.cli.main", command], stdout=slave, stderr=slave, env=variables
    )
    os.close(slave)
    shown = b""
    try:
        while chunk := os.read(master, 65536):
            shown += chunk
    except OSError:  # EIO: the last writer has gone
        pass
    finally:
        os.close(master)
    assert process.wait(timeout=60) == 0
    return shown.decode()


def test_the_version_names_the_specification() -> None:
    assert "(specification v1alpha1)" in l3conf("--version", cwd=Path(__file__).anchor).stdout


@pytest.mark.parametrize("profile", ["overlap", "partial"])
def test_explain_tells_administrators_when_to_use_which(profile: str) -> None:
    said = l3conf("explain", profile).stdout
    assert "Do any two clusters use the same address" in said
    assert {"overlap": "L3-H2", "partial": "L3-J1"}[profile] in said
    assert json.loads(l3conf("explain", profile, "--json").stdout)["requirements"]
