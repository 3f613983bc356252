"""Credentials do not reach a report; everything else does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l3conf.report.redaction import REDACTED, redact, redact_all

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJrdWJlcm5ldGVzIn0.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"401 for {JWT} at /api", JWT),
        ("Authorization: Bearer abcdef0123456789", "abcdef0123456789"),
        ("curl -H 'authorization: bearer s3cr3t-value'", "s3cr3t-value"),
        ("user: admin\ntoken: hunter2hunter2\n", "hunter2hunter2"),
        ('{"psk": "correct horse"}', "correct horse"),
        ("--password=pa55word --verbose", "pa55word"),
        ("-----BEGIN EC PRIVATE KEY-----\nMHcCAQ\n-----END EC PRIVATE KEY-----", "MHcCAQ"),
        ("-----BEGIN PRIVATE KEY-----\nMHcCAQ (cut)", "MHcCAQ"),
        ("ghp_0123456789abcdefABCDEF0123456789abcd", "ghp_0123456789"),
    ],
)
def test_credentials_are_replaced(text: str, secret: str) -> None:
    assert secret not in redact(text)
    assert REDACTED in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "10.1.1.2 → 10.2.1.2: expected DELIVERED seen as 10.1.1.2, got TIMEOUT",
        "spec.subnets[0]: must not have host bits set",
        "scenarios/test_tokens.py::test_token_of_a_member[east]",
        "sha256 " + "ab" * 32,
        '"automountServiceAccountToken": false,',
    ],
)
def test_what_a_report_is_for_stays(text: str) -> None:
    assert redact(text) == text


@given(st.text(alphabet=st.sampled_from("Bearer token:=\"' eyJ.abc-[]d\n"), max_size=60))
def test_redacting_twice_changes_nothing(text: str) -> None:
    once = redact(text)
    assert redact(once) == once


def test_strings_are_redacted_at_any_depth() -> None:
    assert redact_all({"a": [{"b": ("token: abcdefgh", 1)}]}) == {"a": [{"b": [REDACTED, 1]}]}


def test_what_a_key_names_a_credential_is_redacted_whatever_it_looks_like() -> None:
    pod = {"automountServiceAccountToken": False, "token": "abc", "bearerToken": "x1", "serviceAccount": "l3conf"}
    expected = {**pod, "token": REDACTED, "bearerToken": REDACTED}
    assert redact_all(pod) == expected
    assert redact_all(redact_all(pod)) == expected
