"""What members know of each other, read from their own APIs: pure judgements over lists of objects."""

from __future__ import annotations

import base64
from collections import Counter
from ipaddress import ip_network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from l3conf.model.topology import ClusterSpec, IPNetwork
    from l3conf.plugin.cluster_api import Object

SHORTEST_KEY = 32
"""Bytes: X25519, Ed25519 and P-256 have no shorter public keys."""


def not_learnt(
    member: str, others: Iterable[ClusterSpec], clusters: Sequence[Object], endpoints: Sequence[Object]
) -> list[str]:
    """Return what a member does not know, or knows wrongly, of the others (L3-C1)."""
    missing = []
    for other in others:
        own = [obj["spec"] for obj in clusters if obj["spec"].get("cluster_id") == other.name]
        if not own:
            missing.append(f"{member} knows no Cluster {other.name}")
        for spec in own:
            if _ranges(spec.get("cluster_cidr")) != set(other.pod_cidrs):
                missing.append(f"{member} has Cluster {other.name} with pod ranges {spec.get('cluster_cidr')}")
            if _ranges(spec.get("service_cidr")) != set(other.service_cidrs):
                missing.append(f"{member} has Cluster {other.name} with service ranges {spec.get('service_cidr')}")
            if not _are_global(_ranges(spec.get("global_cidr")), other):
                missing.append(f"{member} has Cluster {other.name} with global ranges {spec.get('global_cidr')}")
        known = [obj["spec"] for obj in endpoints if obj["spec"].get("cluster_id") == other.name]
        if not known:
            missing.append(f"{member} knows no Endpoint of {other.name}")
        ranges = {cidr for spec in own for cidr in _ranges(spec.get("global_cidr"))}
        missing += [
            f"{member} has an Endpoint of {other.name} with subnets {spec.get('subnets')}"
            for spec in known
            if not _leads_to(_ranges(spec.get("subnets")), other, ranges)
        ]
    return missing


def _are_global(published: set[IPNetwork], cluster: ClusterSpec) -> bool:
    """Say whether a cluster's published global ranges are those that it shall have: none, these, or any."""
    if not cluster.global_cidrs:
        return bool(published) is cluster.is_translated
    return published == set(cluster.global_cidrs)


def _leads_to(subnets: set[IPNetwork], cluster: ClusterSpec, global_ranges: set[IPNetwork]) -> bool:
    """Say whether an Endpoint leads to all that a cluster is known by: to global ranges alone where it has any."""
    if cluster.is_translated:
        return subnets == global_ranges
    return {*cluster.pod_cidrs, *cluster.service_cidrs} <= subnets


def still_known(holder: str, leaver: str, **collections: Sequence[Object]) -> list[str]:
    """Return the objects of a leaver that somebody still holds (L3-M2)."""
    return [
        f"{holder} still has {kind} {obj['metadata']['name']}"
        for kind, objects in collections.items()
        for obj in objects
        if obj.get("spec", {}).get("cluster_id") == leaver
    ]


def differences(member: str, kind: str, here: Iterable[Object], broker: Iterable[Object]) -> list[str]:
    """Return what a member holds of the others and the broker does not, or the reverse, or twice (L3-C6)."""
    held, offered = (
        Counter(_identity(obj) for obj in objects if (obj.get("spec") or {}).get("cluster_id") != member)
        for objects in (here, broker)
    )
    return [
        f"{member} has {held[identity]} {kind} {identity}, the broker {offered[identity]}"
        for identity in sorted(held.keys() | offered.keys())
        if held[identity] != offered[identity]
    ]


def _identity(obj: Object) -> str:
    spec = obj.get("spec") or {}
    return " ".join(str(spec.get(field, "")) for field in ("cluster_id", "cable_name", "subnets", "cluster_cidr"))


def unknown_version(member: str, gateways: Iterable[Object], others: Mapping[str, Iterable[Object]]) -> Iterator[str]:
    """Yield what is missing for others to know a member's version (L3-A8): they must hold it in any field of it.

    ``others``: the Clusters and Endpoints in each other member's API.
    """
    versions = {str((gateway.get("status") or {}).get("version") or "") for gateway in gateways} - {""}
    if not versions:
        yield f"no Gateway of {member} reports a version"
    for version in versions:
        for other, objects in others.items():
            held = [obj for obj in objects if (obj.get("spec") or {}).get("cluster_id") == member]
            if not any(version in text for obj in held for text in _texts([obj["spec"], _own_words(obj)])):
                yield f"{other} holds nothing of {member} that says {version}"


def _own_words(obj: Object) -> list[object]:
    metadata = obj["metadata"]
    return [metadata.get("labels"), metadata.get("annotations")]


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (text for item in value.values() for text in _texts(item))
    elif isinstance(value, list):
        yield from (text for item in value for text in _texts(item))
    elif isinstance(value, str):
        yield value


def _ranges(texts: Iterable[str] | None) -> set[IPNetwork]:
    """Return what can be read as prefixes; what cannot is missing from the set and so noticed."""
    found = set()
    for text in texts or ():
        try:
            found.add(ip_network(text))
        except ValueError:
            continue
    return found


def published_keys(owner: str, endpoints: Iterable[Object]) -> set[str]:
    """Return what in a member's Endpoints has the form of a key: 32 bytes or more in base64."""
    values = (
        str(value)
        for endpoint in endpoints
        if endpoint["spec"].get("cluster_id") == owner
        for value in (endpoint["spec"].get("backend_config") or {}).values()
    )
    return {value for value in values if _is_key(value)}


def _is_key(text: str) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) >= SHORTEST_KEY
    except ValueError:
        return False
