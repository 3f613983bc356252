"""Whether a protocol passes inside clusters: what does not, no implementation can carry between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from l3conf.expectations.flow import Flow
from l3conf.expectations.traffic import Traffic
from l3conf.observation import Outcome
from l3conf.wait import DeadlineMissedError, Pending

if TYPE_CHECKING:
    from l3conf.expectations.harness import Harness
    from l3conf.model.topology import IPFamily
    from l3conf.observation import Protocol
    from l3conf.plugin.inventory import Pods


def is_carried_inside(harness: Harness, pods: Pods, protocol: Protocol, family: IPFamily) -> bool:
    """Say whether all pods reach the pods on other nodes of their own cluster; if there are none, nothing is shown."""
    having = pods.having(family)
    traffic = Traffic(
        tuple(
            Flow(client=a, server=b, protocol=protocol, family=family)
            for a in having
            for b in having
            if a.site.cluster == b.site.cluster and a.site.node != b.site.node
        )
    )

    def look() -> bool | Pending:
        lost = sum(one.outcome is not Outcome.DELIVERED for one in traffic.observe())
        return Pending(f"{lost} of {len(traffic.flows)} were not answered") if lost else True

    if not traffic.flows:
        return False
    try:
        return harness.wait(f"{protocol.value} over {family.value} passes inside every cluster", look, "T_probe")
    except DeadlineMissedError:
        return False
