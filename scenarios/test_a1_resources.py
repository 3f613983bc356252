"""The API is served with structural schemas, and keeps what is written to it."""

from __future__ import annotations

import pytest

from l3conf.testing import Lab, sample, undescribed, verifies

KINDS = ("Cluster", "Endpoint", "Gateway", "RouteAgent")


@verifies("L3-A1")
@pytest.mark.topology("two-clusters")
@pytest.mark.parametrize("kind", KINDS)
def test_every_cluster_serves_the_kind_with_a_structural_schema(installed_lab: Lab, kind: str) -> None:
    """Discovery lists it, and OpenAPI gives every field of a maximal object a type."""
    for resources in installed_lab.resources:
        assert {"create", "delete", "get", "list", "patch", "update", "watch"} <= resources.verbs(kind)
        obj = sample(kind)
        part = "spec" if "spec" in obj else "status"
        assert list(undescribed(resources.schema(kind), {part: obj[part]})) == []


@verifies("L3-A1")
@pytest.mark.topology("two-clusters")
@pytest.mark.parametrize("kind", KINDS)
def test_a_maximal_object_reads_back_as_it_was_written(installed_lab: Lab, kind: str) -> None:
    """Nothing is dropped, nothing is respelt; defaults may be added."""
    for resources in installed_lab.resources:
        obj = sample(kind)
        part = "spec" if "spec" in obj else "status"
        stored = resources.round_trip(obj)[part]
        assert {name: stored.get(name) for name in obj[part]} == obj[part]


@verifies("L3-A1")
@pytest.mark.topology("two-clusters")
@pytest.mark.parametrize("kind", KINDS)
def test_unknown_fields_meet_the_same_fate_on_create_and_update(installed_lab: Lab, kind: str) -> None:
    """Pruned or preserved, but consistently."""
    for resources in installed_lab.resources:
        on_create, on_update = resources.keeps_unknown_fields(sample(kind))
        assert on_create == on_update
