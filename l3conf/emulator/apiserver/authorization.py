"""The cluster's RBAC objects at work: the current policy, escalation checks, and roles that gather others' rules."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from l3conf.emulator.apiserver import errors
from l3conf.emulator.apiserver.admission import Change, Passive
from l3conf.emulator.apiserver.default_roles import cluster_role_bindings, cluster_roles
from l3conf.emulator.apiserver.rbac import Attributes, Policy, Rule, aggregated, make_policy, rules_of, uncovered

if TYPE_CHECKING:
    from l3conf.emulator.apiserver.options import User
    from l3conf.emulator.apiserver.registry import Registry
    from l3conf.emulator.apiserver.resources import Resource
    from l3conf.emulator.apiserver.verbs import Verbs
    from l3conf.emulator.cluster_api import Object

GROUP = "rbac.authorization.k8s.io"
ROLES, CLUSTER_ROLES, BINDINGS, CLUSTER_BINDINGS = (
    f"{plural}.{GROUP}" for plural in ("roles", "clusterroles", "rolebindings", "clusterrolebindings")
)


class Authorization(Passive):
    """Answers who may do what; keeps users from granting what they do not have."""

    keys = frozenset({ROLES, CLUSTER_ROLES, BINDINGS, CLUSTER_BINDINGS})

    def __init__(self, registry: Registry, verbs: Verbs) -> None:
        self._registry = registry
        self._verbs = verbs
        self._policy: Policy | None = None

    def bootstrap(self) -> None:
        """Create the default roles and bindings."""
        for role in cluster_roles():
            self._verbs.create(self._registry.named(CLUSTER_ROLES), "", role)
        for binding in cluster_role_bindings():
            self._verbs.create(self._registry.named(CLUSTER_BINDINGS), "", binding)

    @property
    def policy(self) -> Policy:
        """The policy of the objects as they are now; built when first asked after a change."""
        if self._policy is None:
            store = self._verbs.store
            kinds = (ROLES, CLUSTER_ROLES, BINDINGS, CLUSTER_BINDINGS)
            self._policy = make_policy(*([obj for _, obj in store.items(kind)] for kind in kinds))
        return self._policy

    def check(self, user: User, asked: Attributes) -> None:
        """Raise 403 in kube-apiserver's words unless the user may."""
        if not self.policy.allows(user, asked):
            raise refusal(user, asked)

    def admit(self, change: Change) -> None:
        """Refuse to write a role or binding that grants more than its writer has (escalate and bind override)."""
        if change.options.trusted or "system:masters" in change.options.user.groups:
            return
        if change.resource.key in {ROLES, CLUSTER_ROLES}:
            if change.old is None or change.new.get("rules") != change.old.get("rules"):
                self._check_grant(change, "escalate", rules_of(change.new), change.new["metadata"]["name"])
        elif change.old is None or change.new.get("subjects") != change.old.get("subjects"):
            reference, namespace = change.new["roleRef"], change.new["metadata"].get("namespace", "")
            key = (namespace if reference["kind"] == "Role" else "", reference["name"])
            self._check_grant(change, "bind", self.policy.roles.get(key, ()), reference["name"])

    def stored(self, change: Change) -> None:
        """Forget the old policy; bring gathered rules up to date."""
        self._policy = None
        if change.resource.key == CLUSTER_ROLES:
            self._gather()

    def removed(self, resource: Resource, obj: Object) -> None:
        """Forget the old policy; bring gathered rules up to date."""
        del obj
        self._policy = None
        if resource.key == CLUSTER_ROLES:
            self._gather()

    def _gather(self) -> None:
        """Write the rules of roles that aggregate others; ends because a write that changes nothing is none."""
        resource = self._registry.named(CLUSTER_ROLES)
        roles = [obj for _, obj in self._verbs.store.items(CLUSTER_ROLES)]
        for role in roles:
            rules = aggregated(role, roles)
            if rules is not None and rules != (role.get("rules") or []):
                self._verbs.update(resource, "", role["metadata"]["name"], partial(_with_rules, rules))
                return

    def _check_grant(self, change: Change, verb: str, wanted: tuple[Rule, ...], role: str) -> None:
        user, namespace = change.options.user, change.new["metadata"].get("namespace", "")
        kind = change.new["roleRef"]["kind"] if verb == "bind" else change.new["kind"]
        plural = "clusterroles" if kind == "ClusterRole" else "roles"
        asked = Attributes(verb=verb, group=GROUP, resource=plural, namespace=namespace, name=role)
        if self.policy.allows(user, asked):
            return
        missing = uncovered(wanted, self.policy.rules_for(user, namespace))
        if missing:
            who = f'user "{user.name}" (groups={list(user.groups)})'
            why = f"{who} is attempting to grant RBAC permissions not currently held:"
            listed = "\n".join(str(rule.to_dict()) for rule in missing)
            raise errors.forbidden(
                change.resource.plural, change.new["metadata"]["name"], f"{why}\n{listed}", change.resource.group
            )


def _with_rules(rules: list[Object], live: Object) -> Object:
    return {**live, "rules": rules}


def refusal(user: User, asked: Attributes) -> errors.StatusError:
    """Return the 403 for what a user may not do."""
    if asked.path:
        message = f'forbidden: User "{user.name}" cannot {asked.verb} path "{asked.path}"'
        return errors.StatusError(403, "Forbidden", message)
    scope = f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
    why = f'User "{user.name}" cannot {asked.verb} resource "{asked.spelt}" in API group "{asked.group}" {scope}'
    return errors.forbidden(asked.resource, asked.name, why, asked.group)
