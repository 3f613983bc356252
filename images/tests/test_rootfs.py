from __future__ import annotations

import pytest

from images.rootfs import closure, installed, is_wanted

LISTING = (
    "python3\tpython3-minimal (= 3.11), python3.11 (>= 3.11)\t\n"
    "python3-minimal\tdpkg (>= 1.13)\t\n"
    "python3.11\tlibc6 (>= 2.34), media-types | mime-support\tpython3-any (= 3.11)\n"
    "mailcap\t, perl:any\tmime-support\n"
    "perl\tlibc6\t\n"
    "libc6\t, \t\n"
    "dpkg\ttar\t\n"
)


def test_a_package_comes_with_what_it_needs_and_without_what_only_installs_it() -> None:
    found = closure(["python3"], *installed(LISTING))
    assert found == ["libc6", "mailcap", "perl", "python3", "python3-minimal", "python3.11"]


def test_a_need_that_nothing_meets_is_named() -> None:
    with pytest.raises(LookupError, match="perl needs libc6, which is not installed"):
        closure(["perl"], {"perl": "libc6"}, {})


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/usr/bin/python3.11", True),
        ("/usr/share/doc/nftables/copyright", True),
        ("/usr/share/doc/nftables/changelog.Debian.gz", False),
        ("/usr/share/man/man8/nft.8.gz", False),
        ("/usr/share/locale", False),
        ("/usr/share/localization", True),
        ("/usr/lib/x86_64-linux-gnu/gconv/UTF-16.so", False),
    ],
)
def test_licences_stay_and_manuals_do_not(path: str, wanted: bool) -> None:  # noqa: FBT001 - a table
    assert is_wanted(path) is wanted
