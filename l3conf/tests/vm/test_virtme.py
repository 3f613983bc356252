"""What virtme-ng and QEMU make of our words: its own parser always, one real boot where this machine has a kernel."""

from __future__ import annotations

import platform
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from virtme.commands.run import make_parser

from l3conf.errors import MissingPrerequisiteError
from l3conf.tests.vm.test_machine import REQUEST
from l3conf.vm import host, preflight
from l3conf.vm.kernel_cache import cache_directory
from l3conf.vm.machine import GUEST_SCRATCH, START, machine_command

REAL_BOOT = 540
"""Seconds; 40 under software emulation on a machine that has nothing else to do."""


@pytest.mark.parametrize("kvm", [True, False])
def test_virtme_understands_every_word(*, kvm: bool) -> None:
    request = replace(REQUEST, kvm=kvm, output=Path("/src/tree/out"), console=True, memory=2048, cpus=3)
    words = machine_command(request, root=True)
    parsed = make_parser().parse_args(words[words.index("-c") + 2 :])
    assert (parsed.kimg, parsed.mods, parsed.memory, parsed.cpus) == (str(REQUEST.kernel), "auto", "2048M", "3")
    assert (parsed.disable_kvm, parsed.kopt) == (not kvm, [] if kvm else ["mitigations=off"])
    assert parsed.rwdir == [f"{GUEST_SCRATCH}=/scratch"]
    assert {"/etc", "/usr", "/var"} <= {*parsed.overlay_rwdir}
    assert (parsed.rw, parsed.root, parsed.show_boot_console) == (False, "/", True)
    assert parsed.script_sh == f"sh {GUEST_SCRATCH}/{START}"
    assert [word for word in parsed.qemu_opts if word.startswith("virtio-9p-pci")] == [
        "virtio-9p-pci,fsdev=l3conf0,mount_tag=l3conf.host",
        "virtio-9p-pci,fsdev=l3conf1,mount_tag=l3conf.output",
    ]


def cached_kernel() -> Path | None:
    """Return a kernel that a test may boot without fetching one."""
    return next(iter(sorted(cache_directory().glob("*/boot/vmlinuz-*"), reverse=True)), None)


def reason_against_booting() -> str:
    try:
        preflight.check(host.look(fetches=False))
    except MissingPrerequisiteError as error:
        return str(error)
    return "" if cached_kernel() else f"no kernel in {cache_directory()}: run l3conf vm once"


@pytest.mark.timeout(REAL_BOOT + 30)
@pytest.mark.skipif(bool(reason_against_booting()), reason=reason_against_booting())
def test_a_real_kernel_boots_writes_to_one_folder_and_forgets_the_rest(tmp_path: Path) -> None:
    kernel = cached_kernel()
    assert kernel is not None
    script = "uname -r; modprobe -D wireguard >&2; cp own out/copy; echo > own; touch /usr/l3conf /l3conf; exit 77"
    (tmp_path / "own").write_text("kept")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "l3conf", "vm", "--kernel", str(kernel), "--memory", "1024", "-o", "out"),
            *("--timeout", str(REAL_BOOT), "--", "sh", "-c", script),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=REAL_BOOT + 15,
        check=False,
    )
    assert done.returncode == 77, done.stderr
    assert done.stdout.strip() == kernel.name.removeprefix("vmlinuz-") != platform.release()
    assert "Read-only file system" in done.stderr
    assert (tmp_path / "out" / "copy").read_text() == (tmp_path / "own").read_text() == "kept"
    assert not Path("/usr/l3conf").exists()
