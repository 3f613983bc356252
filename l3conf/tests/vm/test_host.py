"""What is here is found, and hardware support is not believed on a device file's word."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from l3conf.vm.host import kvm_works, look


@pytest.mark.skipif(platform.machine() != "x86_64", reason="flags of x86")
def test_a_device_without_hardware_behind_it_does_not_count(tmp_path: Path) -> None:
    processor = tmp_path / "cpuinfo"
    processor.write_text("flags\t\t: fpu aes avx\n")
    assert not kvm_works(Path("/dev/null"), processor)
    processor.write_text("flags\t\t: fpu vmx aes\n")
    assert not kvm_works(Path("/dev/null"), processor), "no machine can be made there"
    assert not kvm_works(tmp_path / "none", processor)


@pytest.mark.skipif(platform.machine() not in ("x86_64", "aarch64"), reason="nobody has tried it")
def test_programs_outside_the_search_path_of_users_are_found() -> None:
    found = look(fetches=False)
    assert found.machine == platform.machine()
    assert "unshare" in found.programs
    assert "apt-get" not in found.programs, "nobody asked for it"
