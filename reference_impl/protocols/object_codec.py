"""Cluster and Endpoint between JSON and values. Peers' objects are not trusted: what is wrong is said, by field.

Admission may be absent (an older broker, another implementation's CRDs), so nothing here relies on it.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, ip_address, ip_network
from typing import TYPE_CHECKING, Any

from reference_impl.names import CREATED, PAIR_DRIVER, PAIR_POLICY
from reference_impl.protocols.objects import Cluster, Endpoint, Object, port_number

if TYPE_CHECKING:
    from reference_impl.state import IPAddress, IPNetwork

_PORT = "udp-port"
_LONGEST_QUOTED = 64
"""Characters of a wrong value that an error repeats."""
_BROADCAST = IPv4Address("255.255.255.255")


class MalformedObjectError(ValueError):
    """An object does not say what it must; the text names the field."""


def cluster_spec(cluster: Cluster) -> Object:
    """Return ``Cluster.spec``."""
    return {
        "cluster_id": cluster.cluster_id,
        "service_cidr": [str(cidr) for cidr in cluster.service_cidrs],
        "cluster_cidr": [str(cidr) for cidr in cluster.pod_cidrs],
        "global_cidr": [str(cidr) for cidr in cluster.global_cidrs],
    }


def endpoint_spec(endpoint: Endpoint) -> Object:
    """Return ``Endpoint.spec``: singular fields for older readers, plural ones beside them."""
    spec: Object = {
        "cluster_id": endpoint.cluster_id,
        "cable_name": endpoint.cable_name,
        "hostname": endpoint.hostname,
        "subnets": [str(subnet) for subnet in endpoint.subnets],
        "private_ip": str(endpoint.private_ip),
        "privateIPs": [str(endpoint.private_ip)],
        "public_ip": str(endpoint.public_ip or ""),
        "nat_enabled": endpoint.nat_enabled,
        "backend": endpoint.backend,
        "backend_config": {_PORT: str(endpoint.port), **dict(sorted(endpoint.parameters))},
    }
    if endpoint.public_ip is not None:
        spec["publicIPs"] = [str(endpoint.public_ip)]
    if endpoint.health_check_ip is not None:
        spec["healthCheckIP"] = str(endpoint.health_check_ip)
        offered = (endpoint.health_check_ip, *endpoint.other_health_check_ips)
        spec["healthCheckIPs"] = [str(address) for address in offered]
    return spec


def parse_cluster(obj: Mapping[str, Any]) -> Cluster:
    """Read a Cluster; ``MalformedObjectError`` names the field."""
    spec = _mapping(obj, "spec")
    return Cluster(
        cluster_id=_text(spec, "cluster_id"),
        pod_cidrs=_prefixes(spec.get("cluster_cidr"), "cluster_cidr"),
        service_cidrs=_prefixes(spec.get("service_cidr"), "service_cidr"),
        # Who has none says so in many ways: not at all, or as Go writes a list of nothing.
        global_cidrs=() if spec.get("global_cidr") is None else _prefixes(spec["global_cidr"], "global_cidr"),
        created=_created(obj),
        isolation=_isolation(_annotation(obj, PAIR_POLICY)),
        cable_driver=_annotation(obj, PAIR_DRIVER),
    )


def parse_endpoint(obj: Mapping[str, Any]) -> Endpoint:
    """Read an Endpoint; ``MalformedObjectError`` names the field."""
    spec = _mapping(obj, "spec")
    subnets = _prefixes(spec.get("subnets"), "subnets")
    if not subnets:
        raise MalformedObjectError("subnets is empty")
    private_ip = next(iter(_addresses(spec, "private_ip", "privateIPs")), None)
    if private_ip is None:
        raise MalformedObjectError("private_ip is missing")
    health = _addresses(spec, "healthCheckIP", "healthCheckIPs")
    return Endpoint(
        cluster_id=_text(spec, "cluster_id"),
        cable_name=_text(spec, "cable_name"),
        hostname=_text(spec, "hostname"),
        subnets=subnets,
        private_ip=private_ip,
        public_ip=next(iter(_addresses(spec, "public_ip", "publicIPs")), None),
        health_check_ip=next(iter(health), None),
        other_health_check_ips=health[1:],
        nat_enabled=bool(spec.get("nat_enabled")),
        backend=_text(spec, "backend"),
        port=_port(spec.get("backend_config")),
        parameters=_parameters(spec.get("backend_config")),
        created=_created(obj),
    )


def _mapping(obj: object, key: str) -> Mapping[str, Any]:
    value = obj.get(key) if isinstance(obj, Mapping) else None
    if not isinstance(value, Mapping):
        raise MalformedObjectError(f"{key} is not an object")
    return value


def _text(spec: Mapping[str, Any], key: str) -> str:
    value = spec.get(key)
    if not isinstance(value, str) or not value:
        raise MalformedObjectError(f"{key} is missing")
    return value


def _isolation(said: str) -> tuple[str, str] | None:
    reason, _, message = said.partition(": ")
    return (reason, message) if reason else None


def _annotation(obj: Mapping[str, Any], name: str) -> str:
    metadata = obj.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, Mapping) else None
    return str(annotations.get(name) or "") if isinstance(annotations, Mapping) else ""


def _created(obj: Mapping[str, Any]) -> str:
    """Return when an object came to the broker, as its copy tells; else when it was made here."""
    metadata = obj.get("metadata")
    made = metadata.get("creationTimestamp") if isinstance(metadata, Mapping) else None
    return _annotation(obj, CREATED) or str(made or "")


def _prefixes(value: object, key: str) -> tuple[IPNetwork, ...]:
    if not isinstance(value, list):
        raise MalformedObjectError(f"{key} is not a list")
    try:
        return tuple(_network(text) for text in _texts(value, key))
    except ValueError as error:
        raise MalformedObjectError(f"{key}: {error}") from None


@functools.lru_cache(maxsize=1 << 16)
def _network(text: str) -> IPNetwork:
    """Read a prefix; remembered, since a member's objects are read anew at every step and seldom change."""
    return ip_network(text)


def _texts(values: Iterable[object], key: str) -> Iterable[str]:
    for value in values:
        if not isinstance(value, str):
            raise MalformedObjectError(f"{key}: {value!r} is not a string")
        yield value


def _addresses(spec: Mapping[str, Any], singular: str, plural: str) -> tuple[IPAddress, ...]:
    """Read the plural field, else the singular one: newer writers keep both, older ones only the singular.

    At most one address per IP version, the IPv4 one first: it is what the singular field means.
    """
    listed = spec.get(plural)
    texts = listed if isinstance(listed, list) and listed else [spec.get(singular) or ""]
    try:
        found = [ip_address(text) for text in _texts(texts, plural) if text]
    except ValueError as error:
        raise MalformedObjectError(f"{singular}: {error}") from None
    for address in found:
        if getattr(address, "scope_id", None):
            raise MalformedObjectError(f"{singular}: {address} has a zone, which means nothing elsewhere")
        if address.is_multicast or address.is_unspecified or address.is_loopback or address == _BROADCAST:
            raise MalformedObjectError(f"{singular}: {address} is no host that could be reached")
    if len({address.version for address in found}) < len(found):
        raise MalformedObjectError(f"{plural} has two addresses of one IP version")
    return tuple(sorted(found, key=lambda address: address.version))


def _port(config: object) -> int:
    text = str(config.get(_PORT) or "4500") if isinstance(config, Mapping) else "4500"
    port = port_number(text)
    if port is None:
        raise MalformedObjectError(f"backend_config.udp-port: {text[:_LONGEST_QUOTED]!r} is not a port")
    return port


def _parameters(config: object) -> frozenset[tuple[str, str]]:
    """Return the entries that are strings, as all are that admission has seen."""
    items = config.items() if isinstance(config, Mapping) else ()
    return frozenset((key, value) for key, value in items if key != _PORT and isinstance(value, str))
