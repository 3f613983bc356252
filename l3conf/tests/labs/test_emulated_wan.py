"""Captures on the WAN of a running lab are calibrated in both families."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from l3conf.expectations.filters import carrying, payload_of, without_checksum
from l3conf.expectations.harness import Harness
from l3conf.expectations.wan import Wan
from l3conf.labs.emulated import EmulatedLab
from l3conf.model.addressing import node_addresses
from l3conf.observation import Outcome, Probe
from l3conf.plugin.inventory import find_outsider
from l3conf.spec.budgets import Budgets
from l3conf.spec.files import load_topology

if TYPE_CHECKING:
    from collections.abc import Iterator

TOPOLOGY = Path(__file__).parents[3] / "topologies" / "dual-stack.yaml"

pytestmark = pytest.mark.xdist_group("emulated-lab")


@pytest.fixture(scope="module")
def lab() -> Iterator[EmulatedLab]:
    running = EmulatedLab.start(dataclasses.replace(load_topology(TOPOLOGY), pods_per_node=1))
    yield running
    running.close()


@pytest.fixture
def wan(lab: EmulatedLab) -> Wan:
    # A busy machine must not fail the lab's own test.
    harness = Harness(lab=lab, budgets=Budgets.default().with_overrides({"T_probe": 10.0}))
    return Wan(harness, find_outsider(harness))


def test_what_passes_is_seen_once_and_what_does_not_is_not(lab: EmulatedLab, wan: Wan) -> None:
    probes = [
        Probe(source="east@east-1", destination=address, port=7100, timeout=10.0) for address in wan.outsider.addresses
    ]
    with wan.capturing() as capture:
        seen = lab.probe(probes)
        assert {one.outcome for one in seen} == {Outcome.DELIVERED}
        for one in seen:
            query, answer = capture.shows(payload_of(one))
            assert (query.destination, query.destination_port) == (one.probe.destination, 7100)
            assert (answer.source, answer.destination) == (query.destination, query.source)
        with pytest.raises(AssertionError, match="the udp payload from east@east-1"):
            capture.must_not_show(payload_of(seen[0]))
        capture.must_not_show(carrying(b"nobody has sent this", "what nobody sent"), without_checksum())


def test_udp_without_checksum_is_seen_where_it_is(lab: EmulatedLab, wan: Wan) -> None:
    nodes = node_addresses(lab.topology.clusters[0], 0)
    source, destination = (next(a for a in each if a.version == 6) for each in (wan.outsider.addresses, nodes))
    packet = without_checksum().sample(source, destination, b"no checksum, but no mark either")
    with wan.capturing() as capture:
        lab.inject("@outsider", [packet])
        with pytest.raises(AssertionError, match="UDP over IPv6 without checksum"):
            capture.must_not_show(without_checksum())
