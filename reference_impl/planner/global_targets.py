"""Whether what objects about global addresses name is there. Pure.

An address is kept for a target that is away: it may come back, and others know it by that address.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reference_impl.planner.conditions import FALSE, TRUE, Condition
from reference_impl.planner.endpoints import by_service, cluster_ips, hosts_behind
from reference_impl.planner.global_objects import Target, name_of
from reference_impl.planner.translation import read_pods

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reference_impl.planner.global_objects import Egress, Ingress
    from reference_impl.planner.translation import Object
    from reference_impl.state import IPNetwork

RESOLVED_REFS = "ResolvedRefs"
"""Condition, as the Gateway API has it: whether what an object refers to was found."""
_FOUND = Condition(type=RESOLVED_REFS, status=TRUE, reason="ResolvedRefs", message="what it names is there")


def resolve_targets(
    ingress: Iterable[Ingress],
    egress: Iterable[Egress],
    *,
    version: int,
    pods: Iterable[Object],
    services: Iterable[Object],
    slices: Iterable[Object],
    reserved: Sequence[IPNetwork],
) -> Mapping[str, Condition]:
    """Return the condition of every object that names something, by the object's uid.

    ``version`` is the IP version of what is translated; ``reserved`` as ``hosts_behind`` has it.
    """
    running = read_pods(pods, version)
    names = {pod.name for pod in running}
    virtual = {name_of(each) for each in services if any(own.version == version for own in cluster_ips(each))}
    behind = by_service(slices)

    def lacking(each: Ingress) -> str:
        name = "/".join(each.named)
        if each.target is Target.SERVICE:
            return "" if each.named in virtual else f"Service {name}: none with a ClusterIP of IPv{version}"
        if each.endpoint is None:
            return "" if each.named in names else f"pod {name}: none with an IPv{version} address of its own"
        there = each.endpoint in hosts_behind(behind.get(each.named, ()), version, reserved)
        return "" if there else f"Service {name} has no ready endpoint {each.endpoint} that is a host"

    conditions = {}
    for one in ingress:
        message = lacking(one)
        conditions[one.claim.owner] = _missing("BackendNotFound", message) if message else _FOUND
    for other in egress:
        if other.selector is not None:
            selected = any(pod.name[0] == other.namespace and other.selector.matches(pod.labels) for pod in running)
            message = "no pod of the namespace has the labels that spec.podSelector asks for"
            conditions[other.claim.owner] = _FOUND if selected else _missing("NoMatchingPods", message)
    return conditions


def _missing(reason: str, message: str) -> Condition:
    return Condition(type=RESOLVED_REFS, status=FALSE, reason=reason, message=message)
