"""What is wrong with a member, where, and what mends it: facts from its API in, findings out. Pure.

The order is that in which things depend on one another: who has no kinds has no agents, who has no agents has no
connections. A finding whose cause is another finding is left out, so that the first line is where to begin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reference_impl.names import MEMBER_NAMESPACE
from reference_impl.planner import installation_findings as installation
from reference_impl.planner.connection_findings import connection_findings, member_findings
from reference_impl.planner.finding import Finding, Weight, age, mapping
from reference_impl.planner.member_facts import Facts, Object, Part

if TYPE_CHECKING:
    from collections.abc import Iterable

STALE = 15
"""Seconds: three missed reports."""
AHEAD = 5
"""Seconds that a report may be ahead of the reader's clock."""


def diagnose(facts: Facts) -> tuple[Finding, ...]:
    """Return all findings, causes before what follows from them; none if nothing is wrong."""
    missing = [*installation.missing_kinds(facts), *installation.not_installed(facts)]
    found = [*_unread(facts), *missing]
    if any(finding.weight is Weight.ERROR for finding in missing):
        return tuple(found)
    nodes = [*installation.gateway_nodes(facts), *installation.pod_ranges(facts)]
    agents = [*installation.rights(facts), *installation.agents(facts)]
    found += [*installation.settings(facts), *nodes, *agents]
    reports = list(_reports(facts))
    leaders = [obj for obj in facts.gateways if _leads(obj) and _is_fresh(obj, facts.now)]
    if not leaders and any(finding.weight is Weight.ERROR for finding in (*nodes, *agents)):
        # Nobody leads because nobody runs: that is said already, and what is left of reports says nothing.
        return tuple(found)
    found += [*reports, *_leadership(facts, leaders)]
    for obj in leaders:
        found += connection_findings(obj, facts.route_agents, mapping(facts.settings))
    if leaders:
        found += member_findings(facts.clusters, facts.endpoints, leaders, mapping(facts.settings))
    return tuple(dict.fromkeys(found))


def _unread(facts: Facts) -> Iterable[Finding]:
    for part, reason in facts.unread.items():
        yield Finding(
            weight=Weight.WARNING,
            code="NotReadable",
            where=part.value,
            what=f"cannot be read, so nothing is said of them: {reason}",
            remedy="use a kubeconfig whose user may get and list them",
        )


def _reports(facts: Facts) -> Iterable[Finding]:
    for kind, objects in (("gateway", facts.gateways), ("route agent", facts.route_agents)):
        for obj in objects:
            seconds = facts.now - _stamp(obj)
            where = f"{kind} {obj['metadata']['name']}"
            if seconds > STALE:
                yield Finding(
                    code="StaleReport",
                    where=where,
                    what=f"its last report is {age(seconds)} old: the agent is dead, or cannot write",
                    remedy=f"kubectl -n {MEMBER_NAMESPACE} get pods -o wide; whatever it said is worth nothing now",
                )
            elif seconds < -AHEAD:
                yield Finding(
                    weight=Weight.WARNING,
                    code="ClocksDiffer",
                    where=where,
                    what=f"its last report is dated {age(-seconds)} ahead of this machine's clock",
                    remedy="set the clocks of nodes and of this machine (NTP)",
                )


def _leadership(facts: Facts, leaders: list[Object]) -> Iterable[Finding]:
    if Part.OBJECTS in facts.unread:
        return
    if not leaders:
        yield Finding(
            code="NoActiveGateway",
            where="gateways",
            what="no gateway says that it is active",
            remedy=f"kubectl -n {MEMBER_NAMESPACE} get gateways,lease submariner-gateway-lock",
        )
    elif len(leaders) > 1:
        yield Finding(
            code="SeveralActiveGateways",
            where=", ".join(sorted(obj["metadata"]["name"] for obj in leaders)),
            what="several gateways say that they are active",
            remedy="wait for a lease period (15 s); then look at the lease submariner-gateway-lock",
        )


def _leads(obj: Object) -> bool:
    return mapping(obj.get("status")).get("haStatus") == "active"


def _is_fresh(obj: Object, now: float) -> bool:
    return now - _stamp(obj) <= STALE


def _stamp(obj: Object) -> float:
    text = str(mapping(obj["metadata"].get("annotations")).get("update-timestamp", ""))
    return float(text) if text.isascii() and text.isdecimal() else 0.0
