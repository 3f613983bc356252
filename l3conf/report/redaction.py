"""Secrets do not belong in reports: strings that look like credentials are replaced before they are written."""

from __future__ import annotations

import re
from typing import Any

REDACTED = "[redacted]"

_NAMES = "token|password|passwd|secret|psk|api[-_]?key|client-key-data|private[-_]?key|authorization"
_NAMED = rf"(?i:(?:{_NAMES})\b[\"']?\s*[:=]\s*)(?!(?i:true|false|null|none)\b)"
_KEY = re.compile(rf"(?i:(?:.*[^a-z])?(?:{_NAMES})|.*(?-i:Token|Password|Secret))")

_PATTERNS = (
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL),
    re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"),  # JSON Web Token (RFC 7519)
    re.compile(r"(?i:\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}"),  # RFC 6750, RFC 7617
    re.compile(_NAMED + r"(?:[\"'][^\"'\n]{4,}[\"']|[^\s\"',;}\]]{4,})"),
    re.compile(r"\b(?:gh[pousr]|glpat|xox[abp])[_-][A-Za-z0-9_-]{16,}"),  # access tokens of forges
)


def redact(text: str) -> str:
    """Return ``text`` with everything that looks like a credential replaced by ``[redacted]``. Idempotent."""
    for pattern in _PATTERNS:
        text = pattern.sub(REDACTED, text)
    return text


def redact_all(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return a JSON value with every string in it redacted, and every string under a key that names a credential."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {key: _under(key, item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [redact_all(item) for item in value]
    return value


def _under(key: Any, item: Any) -> Any:  # noqa: ANN401 - any JSON value
    named = isinstance(key, str) and _KEY.fullmatch(key)
    return REDACTED if named and isinstance(item, str) and item else redact_all(item)
