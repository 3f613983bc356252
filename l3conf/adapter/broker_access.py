"""Where a member keeps its credential at the broker, as its ``join`` hook told (``spec/adapter-protocol.md``).

The hook names a place, never the credential: answers are logged, places are not secret.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from l3conf.errors import HookProtocolError
from l3conf.spec.problems import field_name
from l3conf.spec.schema_files import schema_problems

if TYPE_CHECKING:
    from collections.abc import Mapping

_SCHEMA = "join-answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerAccess:
    """One member's credential: a Secret in the member, or a kubeconfig on this host."""

    namespace: str
    """Of the broker, where members keep their objects."""
    secret: tuple[str, str] | None = None
    """Namespace and name, in the member."""
    token_key: str = "token"  # noqa: S105 - the name of a key
    kubeconfig: Path | None = None


def read_broker_access(answer: Mapping[str, Any]) -> BrokerAccess | None:
    """Return what a ``join`` answer says; None if it names no credential. ``HookProtocolError`` if it is malformed."""
    problems = schema_problems(_SCHEMA, answer)
    access = answer.get("brokerAccess")
    if not problems and access is not None and ("secret" in access) == ("kubeconfig" in access):
        raise _wrong("brokerAccess names both a Secret and a kubeconfig, or neither")
    if problems:
        first = problems[0]
        raise _wrong(f"{field_name(first.path)}: {first.what}")
    if access is None:
        return None
    namespace, _, name = access.get("secret", "").partition("/")
    return BrokerAccess(
        namespace=access["namespace"],
        secret=(namespace, name) if name else None,
        token_key=access.get("tokenKey", "token"),
        kubeconfig=Path(access["kubeconfig"]) if "kubeconfig" in access else None,
    )


def _wrong(what: str) -> HookProtocolError:
    return HookProtocolError(
        what, where="answer of hook join", remedy="see the schema join-answer and adapter-protocol.md"
    )
