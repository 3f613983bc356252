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
    own_command,
    start_script,
)

REQUEST = MachineRequest(
    kernel=Path("/cache/boot/vmlinuz-6.1.0-56-amd64"),
    command=("true",),
    directory=Path("/src/tree"),
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


def shared_folders(request: MachineRequest) -> list[dict[str, str]]:
    """Return what QEMU is told of each folder of the host."""
    words = machine_command(request, root=True)
    told = [words[place + 1] for place, word in enumerate(words) if word == "-fsdev"]
    return [dict(item.partition("=")[::2] for item in text.split(",")) for text in told]


def test_the_guest_writes_to_the_folder_for_results_and_to_scratch_alone() -> None:
    with_results = replace(REQUEST, output=Path("/src/tree/out"))
    for request, writable in ((REQUEST, []), (with_results, ["/src/tree/out"])):
        folders = shared_folders(request)
        assert [folder["path"] for folder in folders if "readonly" not in folder] == writable
        assert folders[0]["path"] == "/"
        assert words_after("--rwdir", machine_command(request, root=True)) == ["/run/l3conf-vm=/scratch"]
        assert "--rw" not in machine_command(request, root=True)


def test_results_are_mounted_above_the_command_s_own_folder() -> None:
    lines = start_script(replace(REQUEST, output=Path("/src/tree/out"))).splitlines()
    overlay = next(place for place, line in enumerate(lines) if "mount -t overlay" in line)
    results = next(place for place, line in enumerate(lines) if line.endswith(" /src/tree/out") and "9p" in line)
    assert overlay < results


def test_the_root_itself_gets_no_overlay() -> None:
    assert "overlay" not in start_script(replace(REQUEST, directory=Path("/")))


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
    script = start_script(request).replace(machine.GUEST_SCRATCH, str(scratch))
    script = "\n".join(line for line in script.splitlines() if not line.startswith(("mount", "mkdir", "modprobe")))
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
