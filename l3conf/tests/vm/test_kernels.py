"""What to boot is read from a name and from apt's answers, as recorded on Debian 12."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l3conf.errors import UserError
from l3conf.vm.kernels import (
    KernelPackage,
    KernelPath,
    candidate_version,
    default_package,
    folder_name,
    image_package,
    parse_kernel,
)

DEPENDS = "linux-image-amd64\n  Depends: linux-image-6.1.0-56-amd64\n"
POLICY = """\
linux-image-6.1.0-56-amd64:
  Installed: (none)
  Candidate: 6.1.192-2
  Version table:
     6.1.192-2 500
        500 http://deb.debian.org/debian bookworm/main amd64 Packages
"""


def test_a_slash_makes_a_path_and_nothing_else_does() -> None:
    assert parse_kernel("/boot/vmlinuz-6.1.0") == KernelPath(Path("/boot/vmlinuz-6.1.0"))
    assert parse_kernel("./vmlinuz") == KernelPath(Path("vmlinuz"))
    assert parse_kernel("linux-image-cloud-amd64") == KernelPackage("linux-image-cloud-amd64")


@given(st.text(max_size=30))
def test_no_text_becomes_an_option_of_apt(text: str) -> None:
    with suppress(UserError):
        wanted = parse_kernel(text)
        assert isinstance(wanted, KernelPath) or wanted.name.startswith("linux-image-")


def test_the_distribution_s_usual_kernel_leads_to_its_image() -> None:
    usual = default_package("x86_64").name
    assert image_package(usual, DEPENDS) == "linux-image-6.1.0-56-amd64"
    assert image_package("linux-image-6.1.0-50-amd64", "") == "linux-image-6.1.0-50-amd64"
    assert candidate_version("linux-image-6.1.0-56-amd64", POLICY) == "6.1.192-2"


@pytest.mark.parametrize("answer", ["", "N: Unable to locate package", "  Candidate: (none)\n"])
def test_an_answer_without_a_kernel_is_the_caller_s_to_mend(answer: str) -> None:
    with pytest.raises(UserError, match="apt-get update"):
        candidate_version("linux-image-9", answer)
    with pytest.raises(UserError, match="apt-get update"):
        image_package("linux-image-amd64", answer)


def test_a_processor_without_a_known_package_needs_a_path() -> None:
    with pytest.raises(UserError, match="give the path"):
        default_package("riscv64")


def test_two_versions_never_share_a_folder_and_a_folder_has_no_slash() -> None:
    assert folder_name("linux-image-1", "2:6.1-1") == "linux-image-1_2%3a6.1-1"
