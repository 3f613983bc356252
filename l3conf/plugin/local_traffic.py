"""Traffic that no connection between clusters may change (L3-F7), observed as a table of words.

Inside each cluster: pod to pod, pod to Service, pod to node, node to pod. To and from outside: pod to outsider,
node to outsider, outsider to pod. The same table is taken before an implementation is installed, while it works
and after it left; what differs is its doing.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from l3conf.expectations.flow import Flow, describe
from l3conf.expectations.places import Pod, Service
from l3conf.labs.base import Capability
from l3conf.model.topology import IPFamily
from l3conf.observation import ORDINARY, Observation, Outcome, Protocol

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping, Sequence

    from l3conf.expectations.harness import Harness
    from l3conf.expectations.places import Client, Node, Outsider

LocalTraffic = dict[str, str]
"""What became of each local flow, by its name."""
_ROUNDS = 3
"""Tries for what was not answered: one lost packet is no change."""
_PATIENCE = 0.4


def observe(
    harness: Harness,
    pods: Sequence[Pod],
    services: Mapping[str, Service],
    nodes: Sequence[Node],
    outsider: Outsider,
    family: IPFamily,
    *,
    hidden: Container[str] = (),
) -> LocalTraffic:
    """Send the whole set and return the table. ``LabError`` for faults of the harness.

    ``hidden`` names the clusters behind NAT: nobody outside can begin a flow to their pods.
    """
    having = [pod for pod in pods if _has(pod, family)]
    protocols = tuple(Protocol) if Capability.SCTP in harness.lab.capabilities else ORDINARY
    flows = list(_flows(having, services, nodes, outsider, family, hidden, protocols))
    table: LocalTraffic = {}
    open_ = flows
    for _ in range(_ROUNDS):
        seen = harness.send([flow.probe(_PATIENCE) for flow in open_])
        table |= {str(flow): _words(flow, one) for flow, one in zip(open_, seen, strict=True)}
        open_ = [flow for flow, one in zip(open_, seen, strict=True) if one.outcome is not Outcome.DELIVERED]
        if not open_:
            break
    return table


def unserved(harness: Harness, pods: Sequence[Pod], services: Mapping[str, Service], family: IPFamily) -> list[str]:
    """Return the pods that do not reach the Service of their own cluster.

    Asked over TCP, each time from a new port: a UDP packet that came before kube-proxy knew the Service would
    leave a connection-tracking entry behind that keeps later ones from being translated.
    """
    flows = [
        Flow(client=pod, server=services[pod.site.cluster], protocol=Protocol.TCP, family=family)
        for pod in pods
        if _has(pod, family)
    ]
    seen = harness.send([flow.probe(_PATIENCE) for flow in flows])
    return [
        f"{flow}: {describe(one)}"
        for flow, one in zip(flows, seen, strict=True)
        if one.outcome is not Outcome.DELIVERED
    ]


def differences(before: LocalTraffic, now: LocalTraffic) -> list[str]:
    """Return one line for every flow that is not what it was."""
    return [
        f"{name}: was {before.get(name, 'not observed')}, is {now.get(name, 'not observed')}"
        for name in dict.fromkeys([*before, *now])
        if before.get(name) != now.get(name)
    ]


def undelivered(table: LocalTraffic) -> list[str]:
    """Return the flows that were not answered: with these a lab is no ground to stand on."""
    return [f"{name}: {words}" for name, words in table.items() if not words.startswith("delivered")]


def _flows(
    pods: Sequence[Pod],
    services: Mapping[str, Service],
    nodes: Sequence[Node],
    outsider: Outsider,
    family: IPFamily,
    hidden: Container[str],
    protocols: Sequence[Protocol],
) -> Iterator[Flow]:
    yield from _inside(pods, services, family, protocols)
    if not (_has(outsider, family) and all(_has(node, family) for node in nodes)):
        return  # pods have a family that the underlay lacks: it goes nowhere but to other pods
    # TCP, each time from a new port: the source that outsiders and nodes see is then decided anew every time.
    for node, pod in product(nodes, pods):
        if node.site.cluster == pod.site.cluster:
            yield Flow(client=pod, server=node, protocol=Protocol.TCP, family=family)
            yield Flow(client=node, server=pod, protocol=Protocol.TCP, family=family)
    places: list[Client] = [*pods, *nodes]
    for place, protocol in product(places, (Protocol.TCP, Protocol.ICMP)):
        yield Flow(client=place, server=outsider, protocol=protocol, family=family)
    for pod in (pod for pod in pods if pod.site.cluster not in hidden):
        yield Flow(client=outsider, server=pod, protocol=Protocol.TCP, family=family)


def _inside(
    pods: Sequence[Pod], services: Mapping[str, Service], family: IPFamily, protocols: Sequence[Protocol]
) -> Iterator[Flow]:
    """Yield the flows between pods, and from pods to Services, of the same cluster."""
    for client, server, protocol in product(pods, pods, protocols):
        if client.site.cluster == server.site.cluster and client != server:
            yield Flow(client=client, server=server, protocol=protocol, family=family)
    for pod, protocol in product(pods, (Protocol.UDP, Protocol.TCP)):
        yield Flow(client=pod, server=services[pod.site.cluster], protocol=protocol, family=family)


def _has(place: Pod | Node | Outsider, family: IPFamily) -> bool:
    """Say whether a place has an address of a family."""
    return any(IPFamily.of(address) is family for address in place.addresses)


def _words(flow: Flow, seen: Observation) -> str:
    """Return what came of a flow, without what may change from one probe to the next."""
    if seen.outcome is not Outcome.DELIVERED:
        return describe(seen)
    if seen.seen_as is None:
        return "delivered"
    # Which backend a Service chooses is chance, and a pod that meets itself there is masqueraded.
    if isinstance(flow.server, Service) and isinstance(flow.client, Pod) and seen.responder == flow.client.place:
        return f"delivered, seen as {flow.client.address(flow.family)}"
    return f"delivered, seen as {seen.seen_as}"
