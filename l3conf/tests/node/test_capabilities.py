from __future__ import annotations

from typing import Any

import pytest

from l3conf.emulator.node.capabilities import DEFAULT, NAMES, capabilities

NET_ADMIN, NET_RAW, SYS_PTRACE, CHOWN = 12, 13, 19, 0


def of(**security: Any) -> set[int]:  # noqa: ANN401 - JSON
    found = capabilities({"securityContext": security})
    assert found is not None
    return set(found)


def test_numbers_are_the_kernels() -> None:
    assert [NAMES.index(name) for name in ("NET_ADMIN", "NET_RAW", "SYS_PTRACE", "CHECKPOINT_RESTORE")] == [
        12,
        13,
        19,
        40,
    ]


def test_a_container_that_says_nothing_has_what_runtimes_give() -> None:
    containers: tuple[dict[str, Any], ...] = ({}, {"securityContext": None}, {"securityContext": {"capabilities": {}}})
    for container in containers:
        assert capabilities(container) == tuple(sorted(NAMES.index(name) for name in DEFAULT))
    assert NET_ADMIN not in (capabilities({}) or ())


def test_what_is_added_counts_after_what_is_dropped() -> None:
    assert of(capabilities={"drop": ["ALL"]}) == set()
    assert of(capabilities={"drop": ["ALL"], "add": ["NET_ADMIN", "CAP_SYS_PTRACE"]}) == {NET_ADMIN, SYS_PTRACE}
    assert of(capabilities={"add": ["NET_ADMIN"]}) > {NET_ADMIN, NET_RAW, CHOWN}
    assert of(capabilities={"drop": ["CHOWN"]}) == {NAMES.index(name) for name in DEFAULT} - {CHOWN}
    assert of(capabilities={"add": ["ALL"], "drop": ["NET_RAW"]}) == set(range(len(NAMES))) - {NET_RAW}


@pytest.mark.parametrize("value", [True, False])
def test_a_privileged_container_has_all(value: bool) -> None:  # noqa: FBT001 - a table
    assert (capabilities({"securityContext": {"privileged": value}}) is None) is value
