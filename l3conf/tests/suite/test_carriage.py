"""A protocol that kernel or network plugin do not carry inside clusters is noticed before it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from l3conf.labs.fake import Wrong
from l3conf.model.topology import IPFamily
from l3conf.observation import Probe, Protocol
from l3conf.plugin.carriage import is_carried_inside
from l3conf.plugin.inventory import Pods

if TYPE_CHECKING:
    from l3conf.tests.suite.conftest import Stage


def carried(stage: Stage, protocol: Protocol = Protocol.SCTP) -> bool:
    return is_carried_inside(stage.harness, stage.pods, protocol, IPFamily.IPV4)


def test_what_every_cluster_carries_is_carried(stage: Stage) -> None:
    assert carried(stage)


def test_one_lost_direction_inside_one_cluster_is_enough(stage: Stage) -> None:
    def is_sctp_to_one(probe: Probe) -> bool:
        return probe.protocol is Protocol.SCTP and probe.destination == stage.pods.of("west")[0].address()

    with stage.lab.wrong(Wrong.LOST, is_sctp_to_one):
        assert not carried(stage)
        assert carried(stage, Protocol.UDP)


def test_what_is_lost_between_clusters_is_another_question(stage: Stage) -> None:
    stage.lab.joined.clear()
    assert carried(stage)


def test_pods_alone_on_their_nodes_show_nothing(stage: Stage) -> None:
    alone = Pods((stage.pods.of("east")[0], stage.pods.of("west")[0]))
    assert not is_carried_inside(stage.harness, alone, Protocol.SCTP, IPFamily.IPV4)
