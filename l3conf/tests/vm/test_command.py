"""``l3conf vm`` from its command line to the machine that it asks for, without one."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from l3conf.cli.main import run_command
from l3conf.errors import LabError
from l3conf.vm import boot, host, preflight

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass
class Asked:
    """A machine that was asked for."""

    words: list[str] = field(default_factory=list)
    script: str = ""
    timeout: float = 0.0
    ends: Callable[[], int] = lambda: 0


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Asked:
    machine = Asked()

    def run(words: list[str], script: str, _scratch: Path, *, timeout: float, **_: object) -> int:
        machine.words, machine.script, machine.timeout = words, script, timeout
        return machine.ends()

    monkeypatch.setattr(preflight, "check", lambda _found: None)
    monkeypatch.setattr(host, "kvm_works", lambda: False)
    monkeypatch.setattr(boot, "run_machine", run)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "vmlinuz").write_text("kernel")
    return machine


def vm(*arguments: str) -> int:
    return run_command(["vm", "--kernel", "./vmlinuz", *arguments])


@pytest.mark.parametrize("code", [0, 1, 77])
def test_the_command_s_exit_code_is_ours(asked: Asked, code: int) -> None:
    asked.ends = lambda: code
    assert vm("--", "true") == code


def test_options_after_the_command_are_the_command_s(asked: Asked, tmp_path: Path) -> None:
    assert vm("--timeout", "60", "-o", "out", "run", "L3-F5", "--timeout", "x") == 0
    expected = f"{sys.executable} -m l3conf run L3-F5 --timeout x --output {tmp_path}/out"
    assert f"cd {tmp_path} && {expected}\n" in asked.script
    assert asked.timeout == 60
    assert (tmp_path / "out").is_dir()


def test_a_machine_that_breaks_is_told_in_one_line(asked: Asked, capsys: pytest.CaptureFixture[str]) -> None:
    def end() -> int:
        raise LabError("the kernel did not come up", remedy="see --console")

    asked.ends = end
    assert vm("--", "true") == 2
    assert capsys.readouterr().err.splitlines()[-1] == "error: the kernel did not come up (see --console)"


def test_an_interrupt_ends_with_130(asked: Asked) -> None:
    def end() -> int:
        raise KeyboardInterrupt

    asked.ends = end
    assert vm("--", "true") == 130


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "vmlinuz/out", "--", "true"], "Not a directory"),
        (["-o", "a b", "--", "true"], "cannot be told"),
        (["--cpus", "0", "--", "true"], "not in the range"),
        (["--timeout", "soon", "--", "true"], "not a valid float"),
    ],
)
def test_bad_input_is_refused_before_anything_boots(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert vm(*arguments) == 3
    assert message in capsys.readouterr().err
