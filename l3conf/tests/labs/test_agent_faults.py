"""Which containers of an implementation are agents."""

from __future__ import annotations

import pytest

from l3conf.model.agents import TOKEN_MOUNT_PATH as MOUNT_PATH
from l3conf.model.agents import can_speak


@pytest.mark.parametrize(
    ("mounts", "expected"),
    [
        ([{"name": "kube-api-access-x", "mountPath": MOUNT_PATH}], True),
        ([{"name": "state", "mountPath": "/run"}, {"name": "kube-api-access-x", "mountPath": MOUNT_PATH}], True),
        ([{"name": "state", "mountPath": "/run"}], False),
        ([], False),
        (None, False),
    ],
)
def test_an_agent_is_what_has_a_credential_for_the_api(mounts: object, expected: bool) -> None:  # noqa: FBT001
    assert can_speak({"volumeMounts": mounts}) is expected
