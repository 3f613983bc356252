"""Global ranges of members: given out by whoever administers the broker, when a member joins.

The record is one ConfigMap at the broker that is replaced only if it is still what was read: members that join at the
same moment never get the same range. Members have no right to it.
"""

from __future__ import annotations

import hashlib
import os
import sys
from ipaddress import ip_network
from typing import TYPE_CHECKING

from reference_impl.drivers.api import ConflictError, NotFoundError, Resource
from reference_impl.hooks.request import HookError
from reference_impl.names import BROKER_NAMESPACE, GLOBAL_RANGES, MANAGED_BY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reference_impl.drivers.api import Object
    from reference_impl.hooks.cluster import HookCluster
    from reference_impl.hooks.request import HookRequest, Member
    from reference_impl.state import IPNetwork

POOLS = {4: "REFERENCE_IMPL_GLOBAL_POOL", 6: "REFERENCE_IMPL_GLOBAL_POOL_V6"}
"""Variables with the range that members' ranges are taken from and the length of theirs, by IP version."""
DEFAULT_POOLS = {4: "100.64.0.0/10/18", 6: "fd6c:33c0::/32/48"}
"""Shared address space (RFC 6598): every stack forwards it, and few clusters have it; 256 members of 16,384 each. And
unique local addresses (RFC 4193): 65,536 members, whose prefixes are translated."""
LONGEST = {4: 28, 6: 48}
"""Longest prefix of a member's range: in a smaller one there is no room for what a cluster calls as, nor for what
makes up for checksums (RFC 6296)."""
_TRIES = 100


async def global_ranges(request: HookRequest, broker: HookCluster) -> tuple[str, ...]:
    """Return the global ranges of the member that joins, and keep them for it until it leaves; none if it wants none.

    The same ones for a member that joins again. Ranges that the caller names are kept as they are: whether they
    collide with anybody's, all members say in their status.
    """
    member = request.member
    if member.global_cidrs is None:
        return ()
    for text in member.global_cidrs:
        try:
            _checked(text)
        except ValueError as error:
            raise HookError(f"{member.name}: global range {text}: {error}") from None
    occupied = _occupied(request, await broker.find(Resource.CLUSTER, BROKER_NAMESPACE))
    for _ in range(_TRIES):
        record = await _record(broker)
        known = dict(record.get("data") or {})
        chosen = ",".join(member.global_cidrs) or known.get(member.name) or ",".join(_chosen(member, known, occupied))
        if known.get(member.name) == chosen:
            return tuple(chosen.split(","))
        for other, text in known.items():
            if other != member.name and _overlap(chosen, text):
                sys.stderr.write(f"{member.name}: global range {chosen} overlaps {text} of {other}\n")
        try:
            await _replace(broker, record, {**known, member.name: chosen})
        except ConflictError:
            continue
        return tuple(chosen.split(","))
    raise HookError(f"broker: ConfigMap {GLOBAL_RANGES} changed at every one of {_TRIES} tries")


async def give_back(broker: HookCluster, cluster_id: str) -> None:
    """Let others have a member's ranges."""
    for _ in range(_TRIES):
        record = await _record(broker)
        known = dict(record.get("data") or {})
        if known.pop(cluster_id, None) is None:
            return
        try:
            await _replace(broker, record, known)
        except ConflictError:
            continue
        return


async def _record(broker: HookCluster) -> Object:
    try:
        return await broker.api.get(Resource.CONFIG_MAP, GLOBAL_RANGES, BROKER_NAMESPACE)
    except NotFoundError:
        labels = {"app.kubernetes.io/managed-by": MANAGED_BY}
        metadata = {"name": GLOBAL_RANGES, "namespace": BROKER_NAMESPACE, "labels": labels}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}


async def _replace(broker: HookCluster, record: Object, data: Mapping[str, str]) -> None:
    body = {**record, "data": dict(data)}
    if "resourceVersion" in record["metadata"]:
        await broker.api.replace(Resource.CONFIG_MAP, body)
    else:
        await broker.api.create(Resource.CONFIG_MAP, body)


def _occupied(request: HookRequest, clusters: Iterable[Object]) -> tuple[IPNetwork, ...]:
    """Return what any member uses inside or is known by."""
    texts = [text for member in request.members for text in _of(member)]
    for obj in clusters:
        spec = obj.get("spec") or {}
        if spec.get("cluster_id") != request.cluster:
            texts += [
                text for field in ("cluster_cidr", "service_cidr", "global_cidr") for text in spec.get(field) or ()
            ]
    found = []
    for text in texts:
        try:
            found.append(ip_network(text))
        except ValueError:
            continue
    return tuple(found)


def _of(member: Member) -> Iterable[str]:
    return (*member.pod_cidrs, *member.service_cidrs, *(member.global_cidrs or ()))


def _chosen(member: Member, known: Mapping[str, str], occupied: Sequence[IPNetwork]) -> list[str]:
    """Return a free range for each IP version of a member's pods."""
    versions = sorted({ip_network(each).version for each in member.pod_cidrs} or {4})
    return [str(_next(member.name, version, known, occupied)) for version in versions]


def _next(cluster_id: str, version: int, known: Mapping[str, str], occupied: Iterable[IPNetwork]) -> IPNetwork:
    """Return a free range. Where the look begins follows from the name: one just given back is seldom next."""
    pool, length = _pool(version)
    count = 1 << (length - pool.prefixlen)
    taken = [*occupied, *(ip_network(each) for ranges in known.values() for each in ranges.split(","))]
    first = int.from_bytes(hashlib.sha256(cluster_id.encode()).digest()[:4], "big")
    size = pool.num_addresses // count
    for index in range(count):
        base = int(pool.network_address) + (first + index) % count * size
        found = ip_network((base, length))
        if not any(found.version == each.version and found.overlaps(each) for each in taken):
            return found
    raise HookError(f"broker: no range of /{length} is free in {pool}: set {POOLS[version]}")


def _pool(version: int) -> tuple[IPNetwork, int]:
    """Return the range that members' ranges of an IP version are taken from, and the length of theirs."""
    text, example = os.environ.get(POOLS[version]) or DEFAULT_POOLS[version], DEFAULT_POOLS[version]
    prefix, _, length = text.rpartition("/")
    try:
        pool = _checked(prefix, int(length))
        if pool.version != version:
            raise ValueError(f"{pool} is not of IPv{version}")  # noqa: TRY301 - said like all other reasons
    except ValueError as error:
        given = f"{POOLS[version]}={text}"
        raise HookError(f"{given}: {error}: give <prefix>/<length of a member's>, as {example}") from None
    return pool, int(length)


def _checked(text: str, length: int | None = None) -> IPNetwork:
    """Return a range that is as long, or holds ranges that are; ``ValueError`` says why it is of no use."""
    found = ip_network(text)
    wanted, longest = found.prefixlen if length is None else length, LONGEST[found.version]
    if not found.prefixlen <= wanted <= longest:
        raise ValueError(f"/{wanted} is not from /{found.prefixlen} to /{longest}")
    return found


def _overlap(one: str, other: str) -> bool:
    ranges = [[ip_network(each) for each in text.split(",")] for text in (one, other)]
    return any(a.version == b.version and a.overlaps(b) for a in ranges[0] for b in ranges[1])
