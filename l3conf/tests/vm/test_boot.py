"""A machine's end is told apart: its command's, its own, its time's, and that of the process which started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from l3conf.errors import LabError
from l3conf.vm import boot
from l3conf.vm.boot import run_machine
from l3conf.vm.machine import BOOTED, ENDED, START

if TYPE_CHECKING:
    from collections.abc import Callable


class Heard:
    """Keeps what a machine says."""

    def __init__(self) -> None:
        self.out = b""
        self.err = b""

    def stdout(self, data: bytes) -> None:
        self.out += data

    def stderr(self, data: bytes) -> None:
        self.err += data


@dataclass
class Machine:
    """A shell script that behaves as a machine would."""

    scratch: Path

    def run(self, script: str, *, timeout: float = 30.0, boot_timeout: float = 30.0) -> tuple[int, Heard]:
        heard = Heard()
        code = run_machine(
            ["sh", "-c", script.format(booted=self.scratch / BOOTED, ended=self.scratch / ENDED)],
            "the script",
            self.scratch,
            timeout=timeout,
            boot_timeout=boot_timeout,
            streams=heard,
            tell=lambda _text: None,
        )
        return code, heard


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_the_command_s_exit_code_and_both_streams_come_back(machine: Machine) -> None:
    code, heard = machine.run("echo > {booted}; printf out; printf err >&2; echo 77 > {ended}")
    assert (code, heard.out, heard.err) == (77, b"out", b"err")
    assert (machine.scratch / START).read_text() == "the script"


def test_a_kernel_that_does_not_come_up_is_told_with_its_last_words(machine: Machine) -> None:
    with pytest.raises(LabError, match=r"did not come up\nKernel panic"):
        machine.run("echo 'Kernel panic' >&2; exit 1")


def test_a_kernel_that_hangs_is_given_up(machine: Machine) -> None:
    with pytest.raises(LabError, match="did not come up"):
        machine.run("exec sleep 60", boot_timeout=0.3)


def test_a_machine_that_dies_under_its_command_gives_no_exit_code(machine: Machine) -> None:
    with pytest.raises(LabError, match="ended before its command"):
        machine.run("echo > {booted}; exit 0")


def test_a_command_that_takes_too_long_is_ended(machine: Machine) -> None:
    with pytest.raises(LabError, match=r"did not end within .* s .*--timeout"):
        machine.run("echo > {booted}; exec sleep 60", timeout=0.5)


def test_a_machine_that_does_not_power_off_is_ended(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boot, "_FAREWELL", 0.2)
    assert machine.run("echo > {booted}; echo 5 > {ended}; exec sleep 60")[0] == 5


def test_a_reader_that_went_away_does_not_block_the_guest(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(_heard: Heard, _data: bytes) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(Heard, "stdout", gone)
    assert machine.run("echo > {booted}; head -c 1000000 /dev/zero; echo 3 > {ended}")[0] == 3


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_whatever_ends_the_starter_ends_the_machine(tmp_path: Path, number: signal.Signals) -> None:
    """With the real wrapping: a sleep stands where virtme-ng would."""
    program = f"""
import pathlib, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell runs in the background ignores it
from l3conf.plugin.process import sigterm_interrupts
from l3conf.vm import boot, machine
scratch = pathlib.Path({str(tmp_path)!r})
request = machine.MachineRequest(kernel=scratch, command=("true",), directory=scratch, scratch=scratch)
words = machine.machine_command(request, root={os.geteuid() == 0})
words = words[: words.index(sys.executable)] + ["sh", "-c", "sleep 98765 & echo > {tmp_path / BOOTED}; wait"]
with sigterm_interrupts():
    boot.run_machine(words, "", scratch, timeout=60, streams=boot.OwnStreams(), tell=print)
"""
    starter = subprocess.Popen([sys.executable, "-c", program], start_new_session=True, stderr=subprocess.DEVNULL)
    try:
        await_true((tmp_path / BOOTED).exists)
        started = descendants(starter.pid)
        assert any("98765" in command for command in started.values())
        starter.send_signal(number)
        starter.wait(30)
        await_true(lambda: not [pid for pid in started if Path(f"/proc/{pid}").exists() and not is_zombie(pid)])
    finally:
        starter.kill()
        starter.wait()


def await_true(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "not within 30 s"
        time.sleep(0.05)


def descendants(pid: int) -> dict[int, str]:
    """Return the command lines of all processes below one."""
    found: dict[int, str] = {}
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        command = Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        found |= {int(child): command, **descendants(int(child))}
    return found


def is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
