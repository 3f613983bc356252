"""RBAC as a pure function: which rules apply to whom, and whether they cover what is asked (rbac/v1).

Objects go in as JSON; nothing here knows a store. ``authorization`` keeps the objects current.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from l3conf.emulator.apiserver.options import User
    from l3conf.emulator.cluster_api import Object

EVERYTHING = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """What is asked: a verb on a resource, or on a path that is no resource."""

    verb: str
    group: str = ""
    resource: str = ""
    """Plural."""
    subresource: str = ""
    namespace: str = ""
    """Empty for cluster scope and for all namespaces."""
    name: str = ""
    """Empty for a collection and for create."""
    path: str = ""
    """Of a non-resource request; then all but ``verb`` is empty."""

    @property
    def spelt(self) -> str:
        """``pods/exec``, or ``pods``."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


class Rule(NamedTuple):
    """A PolicyRule."""

    verbs: tuple[str, ...]
    groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    """resourceNames; empty: all."""
    paths: tuple[str, ...] = ()
    """nonResourceURLs."""

    def covers(self, asked: Attributes) -> bool:
        """Tell whether the rule allows what is asked."""
        if EVERYTHING not in self.verbs and asked.verb not in self.verbs:
            return False
        if asked.path:
            return any(_path_matches(pattern, asked.path) for pattern in self.paths)
        return (
            (EVERYTHING in self.groups or asked.group in self.groups)
            and any(_resource_matches(pattern, asked) for pattern in self.resources)
            and (not self.names or asked.name in self.names)
        )

    def to_dict(self) -> Object:
        """Return the PolicyRule."""
        fields = {
            "verbs": self.verbs,
            "apiGroups": self.groups,
            "resources": self.resources,
            "resourceNames": self.names,
            "nonResourceURLs": self.paths,
        }
        return {name: list(value) for name, value in fields.items() if value}


def _path_matches(pattern: str, path: str) -> bool:
    if pattern.endswith(EVERYTHING):
        return path.startswith(pattern[:-1])
    return pattern == path


def _resource_matches(pattern: str, asked: Attributes) -> bool:
    if pattern in {EVERYTHING, asked.spelt}:
        return True
    return bool(asked.subresource) and pattern == f"*/{asked.subresource}"


def rules_of(role: Mapping[str, Any]) -> tuple[Rule, ...]:
    """Return the rules of a Role or ClusterRole."""
    return tuple(parse_rule(rule) for rule in role.get("rules") or ())


def parse_rule(rule: Mapping[str, Any]) -> Rule:
    """Return a PolicyRule as a value."""
    names = ("verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs")
    return Rule(*(tuple(rule.get(name) or ()) for name in names))


@dataclass(frozen=True, slots=True)
class Policy:
    """All RBAC objects of a cluster, indexed for questions."""

    roles: Mapping[tuple[str, str], tuple[Rule, ...]] = field(default_factory=dict)
    """(namespace, name) → rules; namespace "" for ClusterRoles."""
    bindings: Mapping[tuple[str, str], tuple[tuple[str, tuple[Rule, ...]], ...]] = field(default_factory=dict)
    """Subject (``User`` or ``Group``, name) → (namespace or "" for everywhere, rules)."""

    def rules_for(self, user: User, namespace: str) -> Iterator[Rule]:
        """Yield the rules that a user has in a namespace (cluster-wide ones included; only these for "")."""
        for subject in (("User", user.name), *(("Group", group) for group in user.groups)):
            for where, rules in self.bindings.get(subject, ()):
                if not where or where == namespace:
                    yield from rules

    def allows(self, user: User, asked: Attributes) -> bool:
        """Tell whether any rule of the user covers what is asked; system:masters may do everything."""
        if "system:masters" in user.groups:
            return True
        return any(rule.covers(asked) for rule in self.rules_for(user, asked.namespace))


def make_policy(
    roles: Iterable[Object], cluster_roles: Iterable[Object], bindings: Iterable[Object], cluster: Iterable[Object]
) -> Policy:
    """Index Roles, ClusterRoles, RoleBindings and ClusterRoleBindings. A binding to a missing role grants nothing."""
    rules = {_key(role): rules_of(role) for role in (*roles, *cluster_roles)}
    granted: dict[tuple[str, str], list[tuple[str, tuple[Rule, ...]]]] = {}
    for binding in (*bindings, *cluster):
        namespace = binding["metadata"].get("namespace", "")
        reference = binding["roleRef"]
        found = rules.get((namespace if reference["kind"] == "Role" else "", reference["name"]), ())
        for subject in binding.get("subjects") or ():
            granted.setdefault(_subject(subject), []).append((namespace, found))
    return Policy(rules, {subject: tuple(grants) for subject, grants in granted.items()})


def _key(role: Object) -> tuple[str, str]:
    return role["metadata"].get("namespace", ""), role["metadata"]["name"]


def _subject(subject: Mapping[str, str]) -> tuple[str, str]:
    if subject["kind"] == "ServiceAccount":
        return "User", f"system:serviceaccount:{subject.get('namespace', '')}:{subject['name']}"
    return subject["kind"], subject["name"]


def uncovered(wanted: Iterable[Rule], owned: Iterable[Rule]) -> list[Rule]:
    """Return what of ``wanted`` none of ``owned`` grants, broken down to single permissions (escalation check)."""
    held = tuple(owned)
    return [atom for rule in wanted for atom in _atoms(rule) if not any(_includes(have, atom) for have in held)]


def _atoms(rule: Rule) -> Iterator[Rule]:
    for verb, path in product(rule.verbs, rule.paths):
        yield Rule((verb,), paths=(path,))
    for verb, group, resource, name in product(rule.verbs, rule.groups, rule.resources, rule.names or ("",)):
        yield Rule((verb,), (group,), (resource,), (name,) if name else ())


def _includes(have: Rule, atom: Rule) -> bool:
    """Tell whether ``have`` grants a single permission; a star in it must be a star in ``have``."""
    if EVERYTHING not in have.verbs and atom.verbs[0] not in have.verbs:
        return False
    if atom.paths:
        return any(_path_matches(pattern, atom.paths[0]) for pattern in have.paths)
    resource, _, subresource = atom.resources[0].partition("/")
    patterns = {EVERYTHING, atom.resources[0], *((f"*/{subresource}",) if subresource and resource else ())}
    return (
        (EVERYTHING in have.groups or atom.groups[0] in have.groups)
        and any(pattern in patterns for pattern in have.resources)
        and (not have.names or (bool(atom.names) and atom.names[0] in have.names))
    )


def aggregated(role: Object, others: Iterable[Object]) -> list[Object] | None:
    """Return the rules that a ClusterRole with an ``aggregationRule`` has from others; None if it has no such rule."""
    from l3conf.emulator.apiserver.selectors import label_selector_of  # noqa: PLC0415 - few roles aggregate

    aggregation = role.get("aggregationRule")
    if not aggregation:
        return None
    selectors = [label_selector_of(selector) for selector in aggregation.get("clusterRoleSelectors") or ()]
    rules: list[Object] = []
    for other in others:
        chosen = any(selector is not None and selector.matches(other) for selector in selectors)
        if chosen and other["metadata"]["name"] != role["metadata"]["name"]:
            for rule in other.get("rules") or ():
                if rule not in rules:
                    rules.append(rule)
    return rules
