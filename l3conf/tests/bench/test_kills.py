"""Who is killed."""

from __future__ import annotations

import pytest

from l3conf.bench.kills import has_credential

MOUNT = "41 32 0:25 /volumes/x {target} ro,nosuid - tmpfs tmpfs rw\n"


@pytest.mark.parametrize(
    ("targets", "speaks"),
    [
        (["/", "/proc", "/run/secrets/kubernetes.io/serviceaccount"], True),
        (["/", "/var/run/secrets/kubernetes.io/serviceaccount"], True),
        (["/", "/run/wireguard", "/run/secrets/kubernetes.io/serviceaccount-of-another"], False),
        ([], False),
    ],
)
def test_who_has_a_credential_for_the_api_is_an_agent(targets: list[str], *, speaks: bool) -> None:
    assert has_credential("".join(MOUNT.format(target=target) for target in targets)) is speaks
