"""What a request asks for, by its method and path (``apiserver/pkg/endpoints/request``). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from l3conf.emulator.apiserver.rbac import Attributes

if TYPE_CHECKING:
    from collections.abc import Sequence

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch"}
_NAMESPACE_PARTS = frozenset({"status", "finalize"})
_GROUP_VERSION_AT = {"api": 1, "apis": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A resource request; ``plural`` is empty for everything else (discovery, health …)."""

    verb: str
    path: str
    group: str = ""
    version: str = ""
    plural: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""

    @property
    def attributes(self) -> Attributes:
        """What the authorizer is asked."""
        if not self.plural:
            return Attributes(verb=self.verb, path=self.path)
        return Attributes(
            verb=self.verb,
            group=self.group,
            resource=self.plural,
            subresource=self.subresource,
            namespace=self.name if self.plural == "namespaces" and self.name else self.namespace,
            name=self.name,
        )


def parse_target(method: str, path: str, *, watches: bool = False) -> Target:
    """Read a request line. ``watches`` says that the query has ``watch=true``."""
    parts = [part for part in path.split("/") if part]
    at = _GROUP_VERSION_AT.get(parts[0] if parts else "", 0)
    if not at or len(parts) <= at + 1:
        return Target(verb=method.lower(), path=path)
    group, version = (parts[1], parts[2]) if at > 1 else ("", parts[1])
    namespace, rest = _split_namespace(parts[at + 1 :])
    plural, name, subresource = (*rest, "", "", "")[:3]
    verb = _verb(method, name, watches=watches)
    if len(rest) > 3:  # noqa: PLR2004 - resource, name, subresource
        subresource = "/".join(rest[2:])
    return Target(
        verb=verb,
        path=path,
        group=group,
        version=version,
        plural=plural,
        subresource=subresource,
        namespace=namespace,
        name=name,
    )


def _split_namespace(parts: Sequence[str]) -> tuple[str, Sequence[str]]:
    """Tell ``namespaces/x/pods`` from ``namespaces/x`` and ``namespaces/x/status``."""
    if parts[0] == "namespaces" and len(parts) > 2 and parts[2] not in _NAMESPACE_PARTS:  # noqa: PLR2004
        return parts[1], parts[2:]
    return "", parts


def _verb(method: str, name: str, *, watches: bool) -> str:
    if method in {"GET", "HEAD"}:
        if watches:
            return "watch"
        return "get" if name else "list"
    if method == "DELETE":
        return "delete" if name else "deletecollection"
    return _VERBS.get(method, method.lower())
