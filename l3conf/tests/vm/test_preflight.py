"""What is missing is named all at once, with the commands that bring it."""

from __future__ import annotations

import pytest

from l3conf.errors import MissingPrerequisiteError
from l3conf.vm.preflight import DOWNLOADERS, PACKAGE_OF, Found, check, needed_programs

ALL = frozenset(needed_programs("x86_64", fetches=True))


def found(*absent: str, virtme: bool = True, fetches: bool = True, machine: str = "x86_64") -> Found:
    return Found(machine=machine, programs=ALL - {*absent}, virtme=virtme, fetches=fetches)


def test_a_host_with_everything_passes() -> None:
    check(found())


def test_everything_is_named_at_once_with_its_remedy() -> None:
    with pytest.raises(MissingPrerequisiteError) as raised:
        check(found("qemu-system-x86_64", "depmod", "modprobe", virtme=False))
    assert str(raised.value) == (
        "a virtual machine needs what is not here: qemu-system-x86_64, depmod, modprobe, virtme-ng "
        "(apt-get install kmod qemu-system-x86 and pip install 'l3conf[vm]')"
    )


@pytest.mark.parametrize("program", sorted(ALL))
def test_each_program_is_missed(program: str) -> None:
    with pytest.raises(MissingPrerequisiteError, match=program):
        check(found(program))


@pytest.mark.parametrize("program", DOWNLOADERS)
def test_a_kernel_that_is_here_needs_no_package_manager(program: str) -> None:
    check(found(program, fetches=False))
    with pytest.raises(MissingPrerequisiteError, match="path of a kernel"):
        check(found(program))


def test_the_emulator_is_the_processor_s_own() -> None:
    with pytest.raises(MissingPrerequisiteError, match=r"qemu-system-aarch64 \(apt-get install qemu-system-arm\)"):
        check(found(machine="aarch64"))


def test_a_processor_that_nobody_has_tried_is_refused() -> None:
    with pytest.raises(MissingPrerequisiteError, match="riscv64"):
        check(found(machine="riscv64"))


def test_every_program_has_a_package() -> None:
    assert {*ALL} - {*PACKAGE_OF} - {*DOWNLOADERS} == {"qemu-system-x86_64"}
