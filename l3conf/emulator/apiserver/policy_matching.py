"""Which writes a ValidatingAdmissionPolicy and its binding are about (MatchResources). Pure.

``matchPolicy`` has no effect here: whatever version a request uses, objects are judged in that of the store.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from l3conf.emulator.apiserver.selectors import label_selector_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from l3conf.emulator.apiserver.options import User
    from l3conf.emulator.apiserver.resources import Resource
    from l3conf.emulator.cluster_api import Object

_ALL = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A write as admission sees it."""

    operation: str
    """``CREATE``, ``UPDATE`` or ``DELETE``."""
    resource: Resource
    subresource: str = ""
    obj: Object | None
    """None for a deletion."""
    old: Object | None
    """None for a creation."""
    user: User
    dry_run: bool = False

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Metadata of what is written, or of what is deleted."""
        metadata: Mapping[str, Any] = (self.obj or self.old or {}).get("metadata") or {}
        return metadata

    @property
    def namespace(self) -> str:
        """Namespace; a Namespace object counts as its own."""
        return str(self.metadata.get("name" if self.resource.key == "namespaces" else "namespace") or "")

    def to_request(self) -> Object:
        """Return the variable ``request`` (AdmissionRequest without the objects)."""
        kind = {"group": self.resource.group, "version": self.resource.version, "kind": self.resource.kind}
        resource = {"group": self.resource.group, "version": self.resource.version, "resource": self.resource.plural}
        return {
            "kind": kind,
            "resource": resource,
            "subResource": self.subresource,
            "requestKind": kind,
            "requestResource": resource,
            "requestSubResource": self.subresource,
            "name": str(self.metadata.get("name") or ""),
            "namespace": self.namespace,
            "operation": self.operation,
            "userInfo": {
                "username": self.user.name,
                "uid": self.user.uid,
                "groups": list(self.user.groups),
                "extra": {name: list(values) for name, values in self.user.extra.items()},
            },
            "dryRun": self.dry_run,
        }


def matches(match: Mapping[str, Any] | None, asked: Asked, namespace: Object | None) -> bool:
    """Say whether a write falls under ``matchConstraints`` or ``matchResources``; without any, everything does.

    ``namespace`` is the Namespace object, None for what has none.
    """
    if match is None:
        return True
    rules = match.get("resourceRules")
    return (
        (rules is None or _any_rule(rules, asked))
        and not _any_rule(match.get("excludeResourceRules") or (), asked)
        and _selects(match.get("objectSelector"), (asked.obj, asked.old))
        and (namespace is None or _selects(match.get("namespaceSelector"), (namespace,)))
    )


def _any_rule(rules: Iterable[Mapping[str, Any]], asked: Asked) -> bool:
    return any(_rule_matches(rule, asked) for rule in rules)


def _rule_matches(rule: Mapping[str, Any], asked: Asked) -> bool:
    names = rule.get("resourceNames") or ()
    scope = rule.get("scope") or _ALL
    return (
        _holds(rule.get("operations"), asked.operation)
        and _holds(rule.get("apiGroups"), asked.resource.group)
        and _holds(rule.get("apiVersions"), asked.resource.version)
        and any(_resource_matches(pattern, asked) for pattern in rule.get("resources") or ())
        and (scope == _ALL or (scope == "Namespaced") == asked.resource.namespaced)
        and (not names or asked.metadata.get("name") in names)
    )


def _holds(patterns: Iterable[str] | None, value: str) -> bool:
    return any(pattern in {_ALL, value} for pattern in patterns or ())


def _resource_matches(pattern: str, asked: Asked) -> bool:
    """Match ``pods``, ``pods/status``, ``*``, ``pods/*``, ``*/*``."""
    resource, _, subresource = pattern.partition("/")
    return resource in {_ALL, asked.resource.plural} and subresource in (
        {_ALL, asked.subresource} if asked.subresource else {_ALL, ""}
    )


def _selects(selector: Mapping[str, Any] | None, objects: Iterable[Object | None]) -> bool:
    """Say whether a selector matches one of the objects; no selector matches."""
    chosen = label_selector_of(selector)
    return chosen is None or any(obj is not None and chosen.matches(obj) for obj in objects)
