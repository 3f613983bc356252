"""What a run may do in every cluster: roles as a file, and the questions that find out what is missing. Pure.

``rights.yaml`` is the one place where rights stand: administrators apply it, ``--dry-run`` prints it, the preflight
asks for what is in it.
"""

from __future__ import annotations

from importlib.resources import files
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

CLUSTER_ROLE = "l3conf"
OWN_NAMESPACE_ROLE = "l3conf-own-namespace"
_OPTIONAL = frozenset({"configmaps", "servicecidrs", "customresourcedefinitions"})
"""Resources without which a run only knows less: a range is then an option, a digest is left out."""


class Right(NamedTuple):
    """One verb on one resource."""

    group: str
    resource: str
    verb: str
    name: str = ""

    def __str__(self) -> str:
        """Return the right as kubectl names it."""
        kind = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{self.verb} {kind}{'/' if self.name else ''}{self.name}"

    def review(self) -> dict[str, Any]:
        """Return the SelfSubjectAccessReview that asks for it, in all namespaces."""
        resource, _, subresource = self.resource.partition("/")
        attributes = {"group": self.group, "resource": resource, "subresource": subresource, "verb": self.verb}
        return {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {**attributes, **({"name": self.name} if self.name else {})}},
        }


def roles_text() -> str:
    """Return the roles as the file has them, comments included."""
    return files(__package__).joinpath("rights.yaml").read_text(encoding="utf-8")


def job_text() -> str:
    """Return the Job that runs inside a cluster, as its file has it."""
    return files(__package__).joinpath("job.yaml").read_text(encoding="utf-8")


def roles() -> list[dict[str, Any]]:
    """Return the roles as objects."""
    return list(yaml.safe_load_all(roles_text()))


def needed(role: str = CLUSTER_ROLE) -> list[Right]:
    """Return the rights of a role without which no run is possible."""
    rules: Sequence[Mapping[str, Any]] = next(each["rules"] for each in roles() if each["metadata"]["name"] == role)
    return [right for rule in rules for right in _rights(rule) if right.resource not in _OPTIONAL]


def _rights(rule: Mapping[str, Any]) -> Iterator[Right]:
    names = rule.get("resourceNames") or [""]
    for group, resource, verb, name in product(rule["apiGroups"], rule["resources"], rule["verbs"], names):
        yield Right(group, resource, verb, name)
