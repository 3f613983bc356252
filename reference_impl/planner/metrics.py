"""What a gateway knows of its connections in the text format of Prometheus, version 0.0.4. Pure.

Names and labels are the established ones, so that dashboards and alerts that exist go on working.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reference_impl.meter_script import counter_name
from reference_impl.protocols.health import Health
from reference_impl.state import Flow

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reference_impl.planner.status import PeerReport
    from reference_impl.protocols.objects import Endpoint
    from reference_impl.state import Count, Tracking

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
STATUSES = tuple(health.value for health in Health)


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One metric with all its samples."""

    name: str
    help: str
    samples: tuple[tuple[Mapping[str, str], float], ...]
    """Labels and value."""
    kind: str = "gauge"


def connection_metrics(local: Endpoint, peers: Iterable[PeerReport], counts: Mapping[str, Count]) -> str:
    """Return the exposition of all connections of a gateway; every status of a peer is there, one of them is 1.

    ``counts``: what has passed through the cables, by name of the counter.
    """
    listed = sorted(peers, key=lambda peer: (peer.endpoint.cluster_id, peer.version))
    labelled = [(peer, {**_labels(local, peer.endpoint), "ip_version": str(peer.version)}) for peer in listed]
    return render(
        [
            Family(
                name="submariner_connections",
                help="Connections by cable and status: 1 for the status that holds.",
                samples=tuple(
                    ({**labels, "status": status}, float(peer.state.value == status))
                    for peer, labels in labelled
                    for status in STATUSES
                ),
            ),
            Family(
                name="submariner_connection_latency_seconds",
                help="Last round trip to the peer's healthCheckIP.",
                samples=tuple((labels, peer.round_trips.last) for peer, labels in labelled if peer.round_trips.count),
            ),
            Family(
                name="submariner_connection_silence_seconds",
                help="Time since the last confirmed round trip, or since asking began.",
                samples=tuple((labels, max(0.0, peer.silent_for)) for peer, labels in labelled),
            ),
            *_traffic(local, listed, counts),
        ]
    )


def tracking_metrics(local: Endpoint, tracking: Tracking) -> str:
    """Return the exposition of a gateway's connection tracking: here flows fail when ports of an address run out.

    Names follow those that node_exporter gives to the same numbers.
    """
    labels = {"local_cluster": local.cluster_id, "local_hostname": local.hostname}
    said = (
        ("entries", "gauge", tracking.entries, "Flows that the gateway node tracks."),
        ("entries_limit", "gauge", tracking.limit, "Most flows that it can track."),
        ("stat_insert_failed", "counter", tracking.refused, "New flows that found no free port, or a place taken."),
        ("stat_drop", "counter", tracking.dropped, "Packets dropped since their flow could not be tracked."),
    )
    return render(
        Family(name=f"submariner_gateway_nf_conntrack_{name}", help=text, samples=((labels, float(value)),), kind=kind)
        for name, kind, value, text in said
    )


def traffic(clusters: Iterable[str], counts: Mapping[str, Count]) -> Mapping[str, Mapping[Flow, Count]]:
    """Return what was exchanged with each cluster; nothing of those that are not counted yet."""
    return {
        cluster: {flow: counts[name] for flow, name in names.items()}
        for cluster in clusters
        for names in [{flow: counter_name(cluster, flow) for flow in Flow}]
        if counts.keys() >= {*names.values()}
    }


def render(families: Iterable[Family]) -> str:
    """Return metrics in the text format."""
    lines = []
    for family in families:
        lines += [f"# HELP {family.name} {_escaped(family.help)}", f"# TYPE {family.name} {family.kind}"]
        for labels, value in family.samples:
            pairs = ",".join(f'{name}="{_quoted(text)}"' for name, text in labels.items())
            lines.append(f"{family.name}{{{pairs}}} {value!r}")
    return "".join(f"{line}\n" for line in lines)


def _traffic(local: Endpoint, peers: Iterable[PeerReport], counts: Mapping[str, Count]) -> Iterable[Family]:
    """Count by peer, all IP versions together. Octets of IP between clusters, whatever the cable adds to them."""
    endpoints = {peer.endpoint.cluster_id: peer.endpoint for peer in peers}
    exchanged = traffic(endpoints, counts)
    for flow, verb in ((Flow.RECEIVED, "received from"), (Flow.SENT, "sent to")):
        counted = [(_labels(local, endpoints[cluster]), flows[flow]) for cluster, flows in exchanged.items()]
        yield Family(
            name=f"submariner_gateway_{flow.value}_bytes",
            help=f"Octets of IP {verb} a peer through the cable.",
            samples=tuple((labels, float(count.octets)) for labels, count in counted),
            kind="counter",
        )
        yield Family(
            name=f"submariner_gateway_{flow.value}_packets",
            help=f"IP packets {verb} a peer through the cable.",
            samples=tuple((labels, float(count.packets)) for labels, count in counted),
            kind="counter",
        )


def _labels(local: Endpoint, remote: Endpoint) -> dict[str, str]:
    return {
        "cable_driver": remote.backend,
        "local_cluster": local.cluster_id,
        "local_hostname": local.hostname,
        "local_endpoint_ip": str(local.private_ip),
        "remote_cluster": remote.cluster_id,
        "remote_hostname": remote.hostname,
        "remote_endpoint_ip": str(remote.tunnel_address),
    }


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _quoted(text: str) -> str:
    """Escape a label's value: what a peer calls itself must not become a line of its own."""
    return _escaped(text).replace('"', '\\"')
