"""What a topology file may say beyond its schema: pure functions from its data to problems.

Ranges of different clusters may overlap (that is what the ``overlap`` profile is about), with one exception: the
underlay (every site's LAN and the WAN) is one routed network, so nothing may overlap it.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from ipaddress import IPv4Network, ip_network
from typing import TYPE_CHECKING, Any

from l3conf.model import addressing
from l3conf.model.topology import IPFamily
from l3conf.spec.problems import FieldPath, Problem, field_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from l3conf.model.topology import ClusterSpec, IPNetwork, Topology

DEFAULT_WAN = "192.0.2.0/24"
RESERVED_NAMES = frozenset({"broker", "wan"})
"""Places of every lab (``labs.base``): a cluster of that name could not be told from them."""
UNUSABLE = tuple(map(IPv4Network, ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3")))
"""Never forwarded: this network, loopback, link-local, multicast and reserved (RFC 6890)."""
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


def topology_problems(data: Mapping[str, Any], families: Collection[IPFamily]) -> list[Problem]:
    """Return what is wrong with schema-valid topology data, for ground that realises these families."""
    spec = data["spec"]
    problems = list(_name_problems(spec["clusters"]))
    problems += _gateway_problems(spec["clusters"])
    ranges: list[_Range] = []
    for path, texts, cluster in _range_lists(spec):
        found = list(_parse_list(path, texts, cluster, families, problems))
        ranges += found
        problems += _family_problems(path, found)
    problems += _overlap_problems(ranges)
    return problems


def size_problems(topology: Topology) -> list[Problem]:
    """Return the ranges that are too small for what stands in them."""
    problems = list(_wan_problems(topology))
    for index, cluster in enumerate(topology.clusters):
        problems += _cluster_size_problems(("spec", "clusters", index), cluster)
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
    yield ("spec", "wanCIDRs"), spec.get("wanCIDRs", [DEFAULT_WAN]), None
    for index, cluster in enumerate(spec["clusters"]):
        for key in ("podCIDRs", "serviceCIDRs", "nodeCIDRs"):
            yield ("spec", "clusters", index, key), cluster[key], index


def _parse_list(
    path: FieldPath,
    texts: list[str],
    cluster: int | None,
    families: Collection[IPFamily],
    problems: list[Problem],
) -> Iterator[_Range]:
    """Yield the ranges that can be used further; append what is wrong with the others."""
    for index, text in enumerate(texts):
        item = (*path, index)
        parsed = _parse(item, text, families)
        if isinstance(parsed, Problem):
            problems.append(parsed)
            continue
        yield _Range(item, parsed, cluster, underlay=path[-1] in {"wanCIDRs", "nodeCIDRs"})


def _parse(path: FieldPath, text: str, families: Collection[IPFamily]) -> IPNetwork | Problem:
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
    if IPFamily.of(network) not in families:
        what = f"{text!r}: the emulated lab does not realise {IPFamily.of(network).value} yet"
        return Problem(path, what, f"use {' or '.join(sorted(family.value for family in families))} ranges")
    for unusable in UNUSABLE:
        if isinstance(network, IPv4Network) and network.overlaps(unusable):
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
        if apart or first.network.version != second.network.version:
            continue
        if first.network.overlaps(second.network):  # the versions are equal here
            what = f"{second.network} overlaps {first.network} of {field_name(first.path)}"
            yield Problem(second.path, what, "choose disjoint ranges")


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
        addressing.pod_ranges(cluster, len(cluster.nodes) - 1)
    except ValueError as error:
        yield Problem((*base, "podCIDRs"), str(error), "use a shorter prefix or fewer nodes")
