"""What a topology file may say beyond its schema: pure functions from its data to problems.

Ranges of different clusters may overlap (that is what the ``overlap`` profile is about), with one exception: the
underlay (every site's LAN and the WAN) is one routed network, so nothing may overlap it. Only a cluster's own pod
range may hold its LAN, beyond the slices of its nodes: in clouds whose network gives addresses to pods and nodes alike.
Global ranges may overlap anything: that an implementation notices is what a row asks (L3-H11).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from ipaddress import IPv4Network, ip_network
from typing import TYPE_CHECKING, Any

from l3conf.model import addressing
from l3conf.model.topology import IPFamily, NetworkPlugin
from l3conf.spec.problems import FieldPath, Problem, field_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from l3conf.model.topology import ClusterSpec, IPNetwork, Topology

DEFAULT_WAN, DEFAULT_WAN_IPV6 = "192.0.2.0/24", "2001:db8::/64"
RESERVED_NAMES = frozenset({"broker", "wan"})
"""Places of every lab (``labs.base``): a cluster of that name could not be told from them."""
UNUSABLE = tuple(
    map(
        ip_network,
        ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3", "::/8", "fe80::/10", "ff00::/8"),
    )
)
"""Never forwarded: this network, loopback, IPv4 in IPv6 clothes, link-local, multicast, reserved (RFC 6890, 4291)."""
FORMERLY_UNUSABLE = IPv4Network("240.0.0.0/4")
"""Reserved by RFC 1112, but forwarded by enough stacks that global addresses are commonly taken from here."""
MIN_SERVICE_HOST_BITS = 5
"""Room for ``kubernetes`` (.1), cluster DNS (.10) and a handful of services."""
MAX_SERVICE_HOST_BITS = 20
"""kube-apiserver refuses larger ``--service-cluster-ip-range``."""


@dataclass(frozen=True, slots=True)
class _Range:
    path: FieldPath
    network: IPNetwork
    cluster: int | None
    """Index of the cluster it belongs to; None: the WAN."""
    underlay: bool


def wan_ranges(spec: Mapping[str, Any]) -> list[str]:
    """Return the WAN's ranges as written, else the defaults: IPv4, and IPv6 where a site has it."""
    lans = [text for cluster in spec["clusters"] for text in cluster["nodeCIDRs"]]
    default = [DEFAULT_WAN, DEFAULT_WAN_IPV6] if any(":" in text for text in lans) else [DEFAULT_WAN]
    written: list[str] = spec.get("wanCIDRs", default)
    return written


def topology_problems(data: Mapping[str, Any]) -> list[Problem]:
    """Return what is wrong with schema-valid topology data."""
    spec = data["spec"]
    problems = list(_name_problems(spec["clusters"]))
    problems += _gateway_problems(spec["clusters"])
    ranges: list[_Range] = []
    for path, texts, cluster in _range_lists(spec):
        found = list(_parse_list(path, texts, cluster, problems))
        ranges += found
        problems += _family_problems(path, found)
    problems += _overlap_problems(ranges)
    problems += _global_range_problems(spec["clusters"])
    return problems


def size_problems(topology: Topology) -> list[Problem]:
    """Return the ranges that are too small for what stands in them, or of a family that nothing there carries."""
    problems = list(_wan_problems(topology))
    for index, cluster in enumerate(topology.clusters):
        problems += _cluster_size_problems(("spec", "clusters", index), cluster)
        problems += _carriage_problems(("spec", "clusters", index), cluster, topology.wan_cidrs)
    return problems


def _name_problems(clusters: list[dict[str, Any]]) -> Iterator[Problem]:
    base: FieldPath = ("spec", "clusters")
    yield from _duplicates(base, [cluster["name"] for cluster in clusters], "cluster")
    for index, cluster in enumerate(clusters):
        if cluster["name"] in RESERVED_NAMES:
            what = f"{cluster['name']!r} names another place of every lab"
            yield Problem((*base, index, "name"), what, "choose another name")
        names = [node["name"] for node in cluster["nodes"]]
        yield from _duplicates((*base, index, "nodes"), names, "node")


def _duplicates(base: FieldPath, names: list[str], what: str) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for index, name in enumerate(names):
        if name in first:
            other = field_name((*base, first[name], "name"))
            yield Problem((*base, index, "name"), f"{what} name {name!r} is taken by {other}", "choose another name")
        first.setdefault(name, index)


def _gateway_problems(clusters: list[dict[str, Any]]) -> Iterator[Problem]:
    for index, cluster in enumerate(clusters):
        if not any(node.get("gateway", False) for node in cluster["nodes"]):
            path = ("spec", "clusters", index, "nodes")
            yield Problem(path, f"cluster {cluster['name']!r} has no gateway node", "give one node gateway: true")


def _range_lists(spec: Mapping[str, Any]) -> Iterator[tuple[FieldPath, list[str], int | None]]:
    yield ("spec", "wanCIDRs"), wan_ranges(spec), None
    for index, cluster in enumerate(spec["clusters"]):
        for key in ("podCIDRs", "serviceCIDRs", "nodeCIDRs"):
            yield ("spec", "clusters", index, key), cluster[key], index


def _global_range_problems(clusters: list[dict[str, Any]]) -> list[Problem]:
    problems: list[Problem] = []
    for index, cluster in enumerate(clusters):
        path: FieldPath = ("spec", "clusters", index, "globalCIDRs")
        found = list(_parse_list(path, cluster.get("globalCIDRs", []), index, problems))
        problems += _family_problems(path, found)
        pods = {":" in text for text in cluster["podCIDRs"]}
        problems += [
            Problem(item.path, f"{item.network} is of a family that podCIDRs lacks", "use one that pods have")
            for item in found
            if (item.network.version == 6) not in pods  # noqa: PLR2004 - the IP version number
        ]
    return problems


def _parse_list(
    path: FieldPath,
    texts: list[str],
    cluster: int | None,
    problems: list[Problem],
) -> Iterator[_Range]:
    """Yield the ranges that can be used further; append what is wrong with the others."""
    for index, text in enumerate(texts):
        item = (*path, index)
        parsed = _parse(item, text)
        if isinstance(parsed, Problem):
            problems.append(parsed)
            continue
        yield _Range(item, parsed, cluster, underlay=path[-1] in {"wanCIDRs", "nodeCIDRs"})


def _parse(path: FieldPath, text: str) -> IPNetwork | Problem:
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        return Problem(path, f"{text!r} is not an IP prefix", "write one such as 10.1.0.0/16")
    if "/" not in text:
        return Problem(path, f"{text!r} has no prefix length", "write one such as 10.1.0.0/16")
    try:
        ip_network(text)
    except ValueError:
        return Problem(path, f"{text!r} has host bits set", f"write {network}")
    if path[-2] == "globalCIDRs" and isinstance(network, IPv4Network) and network.subnet_of(FORMERLY_UNUSABLE):
        return network
    for unusable in UNUSABLE:
        if network.version == unusable.version and network.overlaps(unusable):
            return Problem(path, f"{text!r} contains addresses of {unusable}, which are never routed", "use others")
    return network


def _family_problems(path: FieldPath, ranges: Iterable[_Range]) -> Iterator[Problem]:
    seen: dict[IPFamily, FieldPath] = {}
    for item in ranges:
        family = IPFamily.of(item.network)
        if family in seen:
            what = f"is the second {family.value} range beside {field_name(seen[family])}"
            yield Problem(item.path, what, f"keep one per family in {field_name(path)}")
        seen.setdefault(family, item.path)


def _overlap_problems(ranges: list[_Range]) -> Iterator[Problem]:
    for first, second in itertools.combinations(ranges, 2):
        apart = first.cluster != second.cluster and not (first.underlay or second.underlay)
        if apart or first.network.version != second.network.version or _is_lan_among_pods(first, second):
            continue
        if first.network.overlaps(second.network):  # the versions are equal here
            what = f"{second.network} overlaps {first.network} of {field_name(first.path)}"
            yield Problem(second.path, what, "choose disjoint ranges")


def _is_lan_among_pods(pods: _Range, lan: _Range) -> bool:
    """Say whether the second range is the LAN of the cluster whose pod range, the first, holds all of it."""
    kinds = (pods.path[-2], lan.path[-2])
    return pods.cluster == lan.cluster and kinds == ("podCIDRs", "nodeCIDRs") and lan.network.subnet_of(pods.network)  # type: ignore[arg-type]


def _wan_problems(topology: Topology) -> Iterator[Problem]:
    needed = addressing.FIRST_SITE_OFFSET + len(topology.clusters) + 1
    for index, cidr in enumerate(topology.wan_cidrs):
        if cidr.num_addresses < needed:
            what = f"{cidr} is too small for {len(topology.clusters)} sites"
            yield Problem(("spec", "wanCIDRs", index), what, f"use a prefix of at least {needed} addresses")


def _cluster_size_problems(base: FieldPath, cluster: ClusterSpec) -> Iterator[Problem]:
    needed = addressing.FIRST_NODE_OFFSET + len(cluster.nodes) + 1
    for index, cidr in enumerate(cluster.node_cidrs):
        if cidr.num_addresses < needed:
            what = f"{cidr} is too small for {len(cluster.nodes)} nodes"
            yield Problem((*base, "nodeCIDRs", index), what, f"use a prefix of at least {needed} addresses")
    for index, cidr in enumerate(cluster.service_cidrs):
        host_bits = cidr.max_prefixlen - cidr.prefixlen
        longest, shortest = cidr.max_prefixlen - MIN_SERVICE_HOST_BITS, cidr.max_prefixlen - MAX_SERVICE_HOST_BITS
        if not MIN_SERVICE_HOST_BITS <= host_bits <= MAX_SERVICE_HOST_BITS:
            what = f"{cidr} is too {'small' if host_bits < MIN_SERVICE_HOST_BITS else 'large'} for services"
            yield Problem((*base, "serviceCIDRs", index), what, f"use a length from /{shortest} to /{longest}")
    try:
        slices = [piece for number, _ in cluster.numbered_nodes for piece in addressing.pod_ranges(cluster, number)]
    except ValueError as error:
        yield Problem((*base, "podCIDRs"), str(error), "use a shorter prefix or fewer nodes")
        return
    for index, cidr in enumerate(cluster.node_cidrs):
        for piece in slices:
            if piece.version == cidr.version and piece.overlaps(cidr):
                what = f"{cidr} overlaps {piece}, where a node has its pods"
                yield Problem((*base, "nodeCIDRs", index), what, "choose a range beyond the nodes' slices")


def _carriage_problems(base: FieldPath, cluster: ClusterSpec, wan: Sequence[IPNetwork]) -> Iterator[Problem]:
    """Every family needs something below it that carries it: services pods, pods the LAN, the LAN the WAN."""
    pods, lan, service = cluster.pod_cidrs, cluster.node_cidrs, cluster.service_cidrs[0]
    for index, cidr in _missing(cluster.service_cidrs, pods):
        what = f"{cidr} needs pods of its family, which podCIDRs lacks"
        yield Problem((*base, "serviceCIDRs", index), what, "add a range to podCIDRs")
    if cluster.plugin is not NetworkPlugin.OVERLAY:
        for index, cidr in _missing(pods, lan):
            what = f"plugin {cluster.plugin.value!r} cannot carry {cidr}: the LAN has no {IPFamily.of(cidr).value}"
            yield Problem((*base, "podCIDRs", index), what, "add a range to nodeCIDRs, or use plugin: overlay")
    if IPFamily.of(service) not in map(IPFamily.of, lan):
        what = (
            f"{service} is the first range, where pods find their API, but the LAN has no {IPFamily.of(service).value}"
        )
        yield Problem((*base, "serviceCIDRs", 0), what, "add a range to nodeCIDRs, or begin with the other family")
    for index, cidr in _missing(lan, wan):
        what = f"the WAN has no {IPFamily.of(cidr).value} for {cidr}"
        yield Problem((*base, "nodeCIDRs", index), what, "add a range to wanCIDRs")


def _missing(wanted: Sequence[IPNetwork], carrier: Sequence[IPNetwork]) -> Iterator[tuple[int, IPNetwork]]:
    """Yield the ranges, with their positions, whose family no range of the carrier has."""
    carried = {IPFamily.of(cidr) for cidr in carrier}
    return ((index, cidr) for index, cidr in enumerate(wanted) if IPFamily.of(cidr) not in carried)
