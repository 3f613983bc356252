"""The published CRDs refuse label selectors that nobody can have meant."""

from __future__ import annotations

from typing import Any

import pytest

from l3conf.emulator.apiserver.schemas.structural import StructuralSchema
from l3conf.spec.package_data import load_crds

SCHEMAS = {
    crd["spec"]["names"]["kind"]: StructuralSchema(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"])
    for crd in load_crds()
}
GOOD_SELECTOR: dict[str, Any] = {
    "matchLabels": {"example.org/role": "hub", "plain": ""},
    "matchExpressions": [
        {"key": "zone", "operator": "In", "values": ["a", "b"]},
        {"key": "example.org/old", "operator": "DoesNotExist"},
        {"key": "new", "operator": "Exists", "values": []},
    ],
}
BAD_SELECTORS: list[dict[str, Any]] = [
    {"matchLabels": {"role": "no value"}},
    *(
        {"matchExpressions": [expression]}
        for expression in (
            {"key": "a", "operator": "In"},
            {"key": "a", "operator": "NotIn", "values": []},
            {"key": "a", "operator": "Exists", "values": ["x"]},
            {"key": "", "operator": "Exists"},
            {"key": "no key", "operator": "Exists"},
            {"key": "a", "operator": "In", "values": ["no value"]},
        )
    ),
]


def refusals(kind: str, spec: dict[str, Any]) -> list[str]:
    return [str(each) for each in SCHEMAS[kind].validate({"kind": kind, "metadata": {"name": "x"}, "spec": spec})]


def _policy(**spec: object) -> dict[str, Any]:
    return {"left": {}, "right": {}, "action": "Connect", **spec}


def _egress(selector: dict[str, Any]) -> dict[str, Any]:
    return {"numberOfIPs": 1, "podSelector": selector}


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("ClusterConnectionPolicy", _policy(left=GOOD_SELECTOR, right=GOOD_SELECTOR, cableDriver="vxlan")),
        ("ClusterConnectionPolicy", _policy(action="Isolate")),
        ("GlobalEgressIP", _egress(GOOD_SELECTOR)),
    ],
)
def test_selectors_that_can_be_met_are_taken(kind: str, spec: dict[str, Any]) -> None:
    assert refusals(kind, spec) == []


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        *(("ClusterConnectionPolicy", _policy(left=bad)) for bad in BAD_SELECTORS),
        *(("ClusterConnectionPolicy", _policy(right=bad)) for bad in BAD_SELECTORS),
        ("ClusterConnectionPolicy", _policy(action="Isolate", cableDriver="vxlan")),
        *(("GlobalEgressIP", _egress(bad)) for bad in BAD_SELECTORS),
    ],
)
def test_selectors_that_nobody_can_have_meant_are_refused(kind: str, spec: dict[str, Any]) -> None:
    assert len(refusals(kind, spec)) == 1
