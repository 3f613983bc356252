"""ValidatingAdmissionPolicies at work: every write of every client is judged by the policies that are bound."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from l3conf.emulator.apiserver import errors
from l3conf.emulator.apiserver.admission import Change, Passive
from l3conf.emulator.apiserver.policy_matching import Asked, matches
from l3conf.emulator.apiserver.schemas.cel_policies import Denial, Evaluation, EvaluationError, policy_problems
from l3conf.emulator.apiserver.store import Key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from l3conf.emulator.apiserver.options import User
    from l3conf.emulator.apiserver.resources import Resource
    from l3conf.emulator.apiserver.store import Store
    from l3conf.emulator.cluster_api import Object

GROUP = "admissionregistration.k8s.io"
POLICIES, BINDINGS = f"validatingadmissionpolicies.{GROUP}", f"validatingadmissionpolicybindings.{GROUP}"
_CODES = {"Unauthorized": 401, "Forbidden": 403, "Invalid": 422, "RequestEntityTooLarge": 413}
"""HTTP codes of the reasons that a validation may give; Invalid if it gives none."""


class _Bound(NamedTuple):
    """A policy with one of its bindings."""

    policy: Object
    binding: Object


class AdmissionPolicies(Passive):
    """Refuses what a bound policy denies. Stands last: it sees writes as they shall be stored."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: tuple[_Bound, ...] | None = None

    def admit(self, change: Change) -> None:
        """Refuse a write that a policy denies, and a policy that does not compile."""
        if change.resource.key in {POLICIES, BINDINGS}:
            _check(change)
            return
        asked = Asked(
            operation="CREATE" if change.old is None else "UPDATE",
            resource=change.resource,
            subresource=change.subresource,
            obj=change.new,
            old=change.old,
            user=change.options.user,
            dry_run=change.options.dry_run,
        )
        change.options.warnings.extend(self._judge(asked))

    def deleting(self, resource: Resource, obj: Object, user: User) -> None:
        """Refuse a deletion that a policy denies."""
        if resource.key not in {POLICIES, BINDINGS}:
            self._judge(Asked(operation="DELETE", resource=resource, obj=None, old=obj, user=user))

    def stored(self, change: Change) -> None:
        """Forget what was bound if that changed."""
        if change.resource.key in {POLICIES, BINDINGS}:
            self._known = None

    def removed(self, resource: Resource, obj: Object) -> None:
        """Forget what was bound if that changed."""
        del obj
        if resource.key in {POLICIES, BINDINGS}:
            self._known = None

    @property
    def _bound(self) -> tuple[_Bound, ...]:
        """Policies with their bindings, as they are now; built when first asked after a change."""
        if self._known is None:
            policies = {key.name: obj for key, obj in self._store.items(POLICIES)}
            bindings = [obj for _, obj in self._store.items(BINDINGS)]
            named = [(binding["spec"].get("policyName", ""), binding) for binding in bindings]
            self._known = tuple(_Bound(policies[name], binding) for name, binding in named if name in policies)
        return self._known

    def _judge(self, asked: Asked) -> list[str]:
        """Raise the first denial; return those that only warn."""
        if not self._bound:
            return []
        namespace = self._store.get("namespaces", Key("", asked.namespace)) if asked.namespace else None
        facts = {
            "object": asked.obj,
            "oldObject": asked.old,
            "request": asked.to_request(),
            "namespaceObject": namespace,
        }
        warnings: list[str] = []
        for bound in self._bound:
            constraints = (bound.policy["spec"].get("matchConstraints"), bound.binding["spec"].get("matchResources"))
            if not all(matches(match, asked, namespace) for match in constraints):
                continue
            for denial in _denials(bound.policy["spec"], Evaluation(bound.policy["spec"], facts)):
                actions, text = bound.binding["spec"].get("validationActions") or (), _text(bound, denial)
                if "Deny" in actions:
                    raise _refusal(asked, text, denial.reason)
                if "Warn" in actions:
                    warnings.append(f"Validation failed for {text}")
        return warnings


def _denials(spec: Object, evaluation: Evaluation) -> Iterator[Denial]:
    """Yield what a policy denies; an expression without a value denies unless ``failurePolicy`` is Ignore."""
    try:
        if evaluation.applies():
            yield from evaluation.denials()
    except EvaluationError as error:
        if spec.get("failurePolicy", "Fail") == "Fail":
            yield Denial(message=str(error), reason="")


def _text(bound: _Bound, denial: Denial) -> str:
    policy, binding = bound.policy["metadata"]["name"], bound.binding["metadata"]["name"]
    return f"ValidatingAdmissionPolicy '{policy}' with binding '{binding}' denied request: {denial.message}"


def _refusal(asked: Asked, text: str, reason: str) -> errors.StatusError:
    name = str(asked.metadata.get("name") or "")
    refusal = errors.forbidden(asked.resource.plural, name, text, asked.resource.group)
    reason = reason if reason in _CODES else "Invalid"
    return errors.StatusError(_CODES[reason], reason, refusal.message, refusal.details)


def _check(change: Change) -> None:
    if change.resource.key == POLICIES:
        problems = list(policy_problems(change.new.get("spec") or {}))
        if problems:
            raise errors.invalid(change.resource.kind, change.new["metadata"].get("name") or "", problems, GROUP)
