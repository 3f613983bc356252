"""Where did it break? A failing flow is walked hop by hop: underlay, cluster, tunnel, route, pod.

One batch of probes and a few look-ups, bounded to about half a second. Whatever a lab cannot tell is left out;
nothing here changes a verdict.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from l3conf.errors import L3confError
from l3conf.expectations.flow import describe
from l3conf.expectations.places import PORT, Pod, Service
from l3conf.model.topology import IPFamily
from l3conf.observation import Outcome, Probe, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from l3conf.expectations.flow import Flow
    from l3conf.expectations.harness import Harness
    from l3conf.expectations.places import Server
    from l3conf.labs.base import Lab
    from l3conf.model.topology import IPAddress

_PATIENCE = 0.4
"""Seconds for each hop's probe; all are sent at once."""


def diagnose(harness: Harness, flows: Sequence[Flow]) -> list[str]:
    """Return lines that say how far the first of ``flows`` gets. Empty if there is nothing to walk."""
    if not flows:
        return []
    flow = flows[0]
    try:
        return [f"where {flow} breaks:", *_walk(harness, flow)]
    except (L3confError, LookupError, OSError) as error:
        return [f"the path of {flow} could not be walked: {error}"]


def _walk(harness: Harness, flow: Flow) -> list[str]:
    server = _some_pod(flow.server)
    if not isinstance(flow.client, Pod) or server is None:
        return []
    lab, family = harness.lab, flow.family
    target = _asked_abroad(lab, flow, server)
    hops = _hops(lab, flow.client, server, family, target)
    seen = lab.probe([probe for _, probe in hops])
    lines = [f"  {name}: {describe(one)}" for (name, _), one in zip(hops, seen, strict=True)]
    for cluster in dict.fromkeys((flow.client.site.cluster, server.site.cluster)):
        lines += [f"  {line}" for line in harness.status(cluster)]
    lines += _routes(lab, flow.client, server, family, target)
    broken = next((name for (name, _), one in zip(hops, seen, strict=True) if one.outcome is not Outcome.DELIVERED), "")
    verdict = f"the first hop that does not answer is: {broken}" if broken else "every hop by itself answers"
    return [*lines, f"  => {verdict}"]


def _asked_abroad(lab: Lab, flow: Flow, server: Pod) -> IPAddress:
    """Return the address by which other clusters address the server: a pod, or a Service's global address."""
    if isinstance(flow.server, Service) and lab.topology.cluster(flow.server.cluster).is_translated:
        return flow.server.address(flow.family)
    return server.address(flow.family)


def _hops(lab: Lab, client: Pod, server: Pod, family: IPFamily, target: IPAddress) -> list[tuple[str, Probe]]:
    """Return what to ask along the way, from the underlay upwards."""
    here, there = (lab.topology.cluster(pod.site.cluster) for pod in (client, server))
    if here.name == there.name:
        return [_echo(f"pod {client} -> pod {server}", client.place, server.address(family))]
    near, far = (cluster.gateway_nodes[0].name for cluster in (here, there))
    near_place, far_place = f"{here.name}@{near}", f"{there.name}@{far}"
    at_home = server.local.address(family)
    # A global address may be that of a Service, which answers no echo.
    ask = _datagram if there.is_translated else _echo
    return [
        _echo(f"underlay {near_place} -> {far_place}", near_place, _node_address(lab, far_place, family)),
        _echo(f"client's cluster: {client} -> {near_place}", client.place, _node_address(lab, near_place, family)),
        _echo(f"server's cluster: {far_place} -> {server}", far_place, at_home),
        ask(f"tunnel: gateway {near_place} -> {server}", near_place, target),
        ask(f"whole path: {client} -> {server}", client.place, target),
        _datagram(f"server process: {far_place} -> {server} udp", far_place, at_home),
    ]


def _datagram(name: str, place: str, destination: IPAddress) -> tuple[str, Probe]:
    return name, Probe(source=place, destination=destination, port=PORT, protocol=Protocol.UDP, timeout=_PATIENCE)


def _echo(name: str, place: str, destination: IPAddress) -> tuple[str, Probe]:
    return name, Probe(source=place, destination=destination, protocol=Protocol.ICMP, timeout=_PATIENCE)


def _node_address(lab: Lab, place: str, family: IPFamily) -> IPAddress:
    """Return a node's address on its LAN: of the family, or of the one that carries it."""
    own = lab.addresses(place)
    return next((address for address in own if IPFamily.of(address) is family), own[0])


def _routes(lab: Lab, client: Pod, server: Pod, family: IPFamily, target: IPAddress) -> list[str]:
    """Return the routes that the nodes on the way would take to the server."""
    here, there = (lab.topology.cluster(pod.site.cluster) for pod in (client, server))
    near = [(here.name, client.site.node), *((here.name, node.name) for node in here.gateway_nodes)]
    far = [*((there.name, node.name) for node in there.gateway_nodes), (there.name, server.site.node)]
    asked = {**dict.fromkeys(far, server.local.address(family)), **dict.fromkeys(near, target)}
    lines = []
    for cluster, node in dict.fromkeys((*near, *far)):
        code, out, err = lab.run(f"{cluster}@{node}", ["ip", "route", "get", str(asked[cluster, node])], timeout=1.0)
        first = (out if code == 0 else err).strip().splitlines()[:1]
        lines.append(f"  route on {cluster}@{node}: {first[0].strip() if first else 'none'}")
    return lines


def _some_pod(server: Server) -> Pod | None:
    if isinstance(server, Service):
        return server.backends[0] if server.backends else None
    return server if isinstance(server, Pod) else None
