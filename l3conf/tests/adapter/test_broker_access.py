"""What a join hook may say of its member's credential."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from l3conf.adapter.broker_access import BrokerAccess, read_broker_access
from l3conf.errors import HookProtocolError


def test_a_credential_is_named_by_its_place() -> None:
    named = {"brokerAccess": {"namespace": "broker", "secret": "system/access", "tokenKey": "t"}, "more": 1}
    assert read_broker_access(named) == BrokerAccess(namespace="broker", secret=("system", "access"), token_key="t")
    kept = {"brokerAccess": {"namespace": "broker", "kubeconfig": "/w/east"}}
    assert read_broker_access(kept) == BrokerAccess(namespace="broker", kubeconfig=Path("/w/east"))
    assert read_broker_access({}) is None


@pytest.mark.parametrize(
    ("access", "words"),
    [
        ({}, "brokerAccess.namespace: missing"),
        ({"namespace": "b"}, "both a Secret and a kubeconfig, or neither"),
        ({"namespace": "b", "secret": "a/b", "kubeconfig": "/c"}, "both a Secret and a kubeconfig, or neither"),
        ({"namespace": "b", "secret": "no-namespace"}, "brokerAccess.secret"),
        ({"namespace": "b", "secret": "a/b", "token": "eyJ…"}, "brokerAccess.token: unknown key"),
        ("everything", "is not of type object"),
    ],
)
def test_a_malformed_answer_is_the_hooks_fault(access: Any, words: str) -> None:  # noqa: ANN401
    with pytest.raises(HookProtocolError, match=words):
        read_broker_access({"brokerAccess": access})
