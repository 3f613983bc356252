"""The words that start a machine, and the script that it starts with."""

from __future__ import annotations

import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l3conf.errors import UserError
from l3conf.vm import machine
from l3conf.vm.machine import (
    BOOTED,
    ENDED,
    MachineRequest,
    check_paths,
    machine_command,
    overlays,
    own_command,
    start_script,
)

REQUEST = MachineRequest(
    kernel=Path("/cache/boot/vmlinuz-6.1.0-56-amd64"),
    command=("true",),
    directory=Path("/work/tree"),
    scratch=Path("/scratch"),
)


def words_after(flag: str, words: list[str]) -> list[str]:
    return [word.removeprefix(f"{flag}=") for word in words if word.startswith(f"{flag}=")]


def test_the_machine_dies_with_this_process_and_takes_everything_along() -> None:
    words = machine_command(REQUEST, root=True)
    assert words[:3] == ["setpriv", "--pdeathsig", "KILL"]
    unshare = words[3 : words.index(sys.executable)]
    assert {"--pid", "--fork", "--kill-child=KILL"} <= {*unshare}
    assert "--user" not in unshare
    assert "--user" in machine_command(REQUEST, root=False)


def test_the_guest_writes_to_the_folder_for_results_and_to_scratch_alone() -> None:
    assert words_after("--rwdir", machine_command(REQUEST, root=True)) == ["/run/l3conf-vm=/scratch"]
    with_results = replace(REQUEST, output=Path("/work/tree/out"))
    assert words_after("--rwdir", machine_command(with_results, root=True))[1:] == ["/work/tree/out=/work/tree/out"]
    assert "--rw" not in machine_command(with_results, root=True)


@pytest.mark.parametrize(
    ("directory", "own"), [("/work/tree", ("/work/tree",)), ("/home/me/tree", ()), ("/var/x", ()), ("/", ())]
)
def test_the_command_s_own_folder_has_an_overlay(directory: str, own: tuple[str, ...]) -> None:
    assert overlays(replace(REQUEST, directory=Path(directory)))[len(machine._OVERLAYS) :] == own


def test_without_hardware_support_the_machine_is_not_told_to_use_it() -> None:
    assert "--disable-kvm" in machine_command(REQUEST, root=True)
    assert "--disable-kvm" not in machine_command(replace(REQUEST, kvm=True), root=True)


@pytest.mark.parametrize("words", [("run", "L3-F5"), ("certify", "--impl", "i.yaml")])
def test_a_report_goes_to_the_folder_for_results_unless_one_is_named(words: tuple[str, ...]) -> None:
    commands, out = ("certify", "run", "list"), Path("/out")
    assert own_command(words, commands, out)[1:] == ("-m", "l3conf", *words, "--output", "/out")
    assert own_command((*words, "-o", "x"), commands, out)[1:] == ("-m", "l3conf", *words, "-o", "x")
    assert own_command((*words, "--output=x"), commands, out)[1:] == ("-m", "l3conf", *words, "--output=x")
    assert own_command(words, commands, None)[1:] == ("-m", "l3conf", *words)
    assert own_command(("list",), commands, out)[1:] == ("-m", "l3conf", "list")
    assert own_command(("pytest", "certify"), commands, out) == ("pytest", "certify")


def run_here(request: MachineRequest, scratch: Path) -> None:
    """Run the start script on this host, in a folder that stands for the guest's."""
    script = start_script(request).replace(machine.GUEST_SCRATCH, str(scratch)).replace("modprobe", ": modprobe")
    subprocess.run(["/bin/sh"], input=script, text=True, check=True, timeout=60)


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), max_size=3))
def test_every_word_reaches_the_command_as_it_is(words: list[str]) -> None:
    request = replace(REQUEST, command=("printf", "%s\n", *words))
    line = next(line for line in start_script(request).split("cd ", 1)[1:])
    command = line.split(" && ", 1)[1]
    assert shlex.split(command)[: len(request.command)] == [*request.command]


@pytest.mark.parametrize(("command", "code"), [(("true",), "0"), (("sh", "-c", "exit 77"), "77"), (("/no",), "127")])
def test_the_script_says_when_it_begins_and_how_the_command_ended(
    command: tuple[str, ...], code: str, tmp_path: Path
) -> None:
    run_here(replace(REQUEST, command=command, directory=tmp_path), tmp_path)
    assert (tmp_path / BOOTED).exists()
    assert (tmp_path / ENDED).read_text().strip() == code


def test_a_folder_that_is_not_there_fails_the_command(tmp_path: Path) -> None:
    run_here(replace(REQUEST, directory=tmp_path / "gone"), tmp_path)
    assert (tmp_path / ENDED).read_text().strip() != "0"


@pytest.mark.parametrize("name", ["with space", "a=b", "a,b", "it's"])
@pytest.mark.parametrize("field", ["directory", "output", "kernel"])
def test_a_path_that_a_kernel_s_command_line_cannot_carry_is_refused(field: str, name: str) -> None:
    check_paths(REQUEST)
    with pytest.raises(UserError, match="cannot be told"):
        check_paths(replace(REQUEST, **{field: Path("/work") / name}))  # type: ignore[arg-type]
