"""What is left behind in a real lab is counted, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from l3conf.bench.members import MemberSet
from l3conf.bench.topology import TWO_CLUSTERS
from l3conf.model.faults import NodeAdded
from l3conf.soak.measuring import measure
from l3conf.soak.resources import leaks
from l3conf.spec.files import load_implementation, load_topology

if TYPE_CHECKING:
    from collections.abc import Iterator

IMPLEMENTATION = Path(__file__).parents[3] / "reference_impl" / "impl.yaml"

pytestmark = pytest.mark.xdist_group("emulated-lab")


@pytest.fixture(scope="module")
def members() -> Iterator[MemberSet]:
    """Return a lab in which nothing is installed."""
    topology = load_topology(TWO_CLUSTERS)
    with MemberSet(load_implementation(IMPLEMENTATION), topology, agents=False) as running:
        yield running


def test_a_lab_that_is_left_alone_leaks_nothing(members: MemberSet) -> None:
    before = measure(members)
    assert before.namespaces > len(before.kernel) == 6
    assert before.processes["lab"].descriptors > before.namespaces
    assert leaks(before, measure(members)) == []


def test_a_route_an_object_and_a_node_are_counted_until_they_are_gone(members: MemberSet) -> None:
    before = measure(members)
    place, route = "east@east-1", ["10.99.0.0/16", "via", "172.16.1.1"]
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "left", "namespace": "default"}}
    assert members.lab.run(place, ["ip", "route", "add", *route], timeout=5)[0] == 0
    members.apis["east"].apply(config)
    held = before.objects["east"]["/api/v1/configmaps"]
    assert leaks(before, measure(members)) == [
        f"{place}: {before.kernel[place]['route'] + 1} route instead of {before.kernel[place]['route']}",
        f"east: {held + 1} /api/v1/configmaps instead of {held}",
    ]
    assert members.lab.run(place, ["ip", "route", "del", *route], timeout=5)[0] == 0
    assert members.apis["east"].request("DELETE", "/api/v1/namespaces/default/configmaps/left").ok
    with members.lab.fault(NodeAdded(cluster="west")):
        found = leaks(before, measure(members))
    assert any(line.startswith("lab: ") for line in found)
    assert any("/api/v1/nodes instead of" in line for line in found)
    assert leaks(before, measure(members)) == []
