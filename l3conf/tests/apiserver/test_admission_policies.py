"""ValidatingAdmissionPolicies: who may write what, in the words of kube-apiserver."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from l3conf.emulator.apiserver.admission_policies import BINDINGS, POLICIES, AdmissionPolicies
from l3conf.emulator.apiserver.errors import StatusError
from l3conf.emulator.apiserver.options import DeleteOptions, User, WriteOptions
from l3conf.emulator.apiserver.registry import Registry
from l3conf.emulator.apiserver.store import Store
from l3conf.emulator.apiserver.verbs import Verbs

if TYPE_CHECKING:
    from l3conf.tests.apiserver.hosting import Hosted

Object = dict[str, Any]
ALICE, BOB = User("alice", ("devs",)), User("bob", ("ops",))
OWN = {"expression": "object == null || object.data.owner == request.userInfo.username"}


class Guarded:
    """An API with one policy on ConfigMaps."""

    def __init__(self, spec: Object, binding: Object) -> None:
        store = Store()
        self.registry, self.verbs = Registry(), Verbs(store)
        self.verbs.admissions.append(AdmissionPolicies(store))
        rules = [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["configmaps"]}]
        policy = {"metadata": {"name": "p"}, "spec": {"matchConstraints": {"resourceRules": rules}, **spec}}
        bound = {"policyName": "p", "validationActions": ["Deny"], **binding}
        self._create(POLICIES, "", policy)
        self._create(BINDINGS, "", {"metadata": {"name": "b"}, "spec": bound})
        self.warnings: list[str] = []

    def create(self, user: User, name: str = "m", resource: str = "configmaps", **metadata: Any) -> Object:  # noqa: ANN401
        body = {"metadata": {"name": name, **metadata}, "data": {"owner": "alice"}}
        options = WriteOptions(user=user, warnings=self.warnings, field_validation="Ignore")
        return self.verbs.create(self.registry.named(resource), "default", body, options)

    def delete(self, user: User, name: str = "m") -> None:
        self.verbs.delete(self.registry.named("configmaps"), "default", name, DeleteOptions(user=user))

    def _create(self, resource: str, namespace: str, obj: Object) -> None:
        self.verbs.create(self.registry.named(resource), namespace, obj)


def guarded(*validations: Object, binding: Object | None = None, **spec: Any) -> Guarded:  # noqa: ANN401
    return Guarded({"validations": list(validations or [OWN]), **spec}, binding or {})


def test_a_write_is_judged_by_who_makes_it() -> None:
    api = guarded()
    api.create(ALICE)
    with pytest.raises(StatusError) as refused:
        api.create(BOB, "other")
    words = "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: failed expression: object == null"
    assert words in refused.value.message
    assert (refused.value.code, refused.value.reason) == (422, "Invalid")


def test_a_validation_says_message_and_reason() -> None:
    api = guarded({**OWN, "messageExpression": "'not for ' + request.userInfo.username", "reason": "Forbidden"})
    with pytest.raises(StatusError, match="denied request: not for bob") as refused:
        api.create(BOB)
    assert (refused.value.code, refused.value.reason) == (403, "Forbidden")


def test_a_deletion_shows_the_old_object() -> None:
    api = guarded({"expression": "request.operation != 'DELETE' || oldObject.data.owner == request.userInfo.username"})
    api.create(BOB)
    with pytest.raises(StatusError, match="denied request"):
        api.delete(BOB)
    api.delete(ALICE)


def test_a_failing_expression_denies_unless_the_policy_says_ignore() -> None:
    broken = {"expression": "object.data.missing == 'x'"}
    with pytest.raises(StatusError, match="resulted in error: no such key: missing"):
        guarded(broken).create(ALICE)
    guarded(broken, failurePolicy="Ignore").create(ALICE)


def test_a_variable_without_a_value_fails_where_it_is_read() -> None:
    variables = [{"name": "gone", "expression": "object.data.gone"}, {"name": "who", "expression": "'alice'"}]
    guarded({"expression": "variables.who == 'alice'"}, variables=variables).create(BOB)
    with pytest.raises(StatusError, match="no such key: gone"):
        guarded({"expression": "variables.gone == ''"}, variables=variables).create(BOB)


@pytest.mark.parametrize(
    ("spec", "binding"),
    [
        ({"matchConditions": [{"name": "devs", "expression": "'devs' in request.userInfo.groups"}]}, {}),
        ({"matchConstraints": {"resourceRules": []}}, {}),
        ({}, {"matchResources": {"objectSelector": {"matchLabels": {"guarded": "yes"}}}}),
        ({}, {"matchResources": {"excludeResourceRules": [
            {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["CREATE"], "resources": ["*/*"]}
        ]}}),
        ({}, {"policyName": "another"}),
    ],
    ids=["condition", "rules", "selector", "exclusion", "unbound"],
)  # fmt: skip
def test_what_does_not_match_is_not_judged(spec: Object, binding: Object) -> None:
    guarded(binding=binding, **spec).create(BOB)


def test_other_resources_are_not_judged() -> None:
    guarded().create(BOB, resource="serviceaccounts")


def test_a_binding_may_only_warn() -> None:
    api = guarded(binding={"validationActions": ["Warn"]})
    api.create(BOB)
    assert api.warnings == [
        "Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b' denied request: failed expression: "
        + OWN["expression"]
    ]


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"validations": [{"expression": "object.x =="}]}, r"spec.validations\[0\].expression"),
        ({"validations": [{"expression": "strange == 1"}]}, "undeclared reference to 'strange'"),
        ({"paramKind": {"apiVersion": "v1", "kind": "ConfigMap"}}, "parameters are not evaluated"),
        ({"validations": []}, "must contain at least one item"),
    ],
)
def test_a_policy_that_cannot_be_evaluated_is_refused(spec: Object, words: str) -> None:
    with pytest.raises(StatusError, match=words) as refused:
        guarded(**{"validations": [OWN], **spec}) if "validations" not in spec else Guarded(spec, {})
    assert refused.value.code == 422


def test_kubectl_applies_a_policy_and_meets_it(kube: Hosted) -> None:
    """The kinds are served with schema and discovery, and a denial reaches the client."""
    kube.kubectl("apply", "-f", "-", stdin=_MANIFEST)
    assert "no-passwords" in kube.kubectl("get", "validatingadmissionpolicies")
    refused = kube.kubectl("create", "configmap", "c", "--from-literal=password=x", check=False)
    assert "denied request: keep it in a Secret" in refused
    kube.kubectl("create", "configmap", "c", "--from-literal=user=x")
    kube.kubectl("delete", "-f", "-", stdin=_MANIFEST)
    kube.kubectl("create", "configmap", "d", "--from-literal=password=x")


_MANIFEST = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: no-passwords}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
      - {apiGroups: [""], apiVersions: ["v1"], operations: [CREATE, UPDATE], resources: [configmaps]}
  validations:
    - {expression: "!has(object.data) || !('password' in object.data)", message: keep it in a Secret}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: no-passwords}
spec: {policyName: no-passwords, validationActions: [Deny]}
"""
