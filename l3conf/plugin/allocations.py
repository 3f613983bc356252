"""Global addresses as API objects hold them, and which of them a pod is seen as. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from l3conf.plugin.conditions import conditions_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from l3conf.model.topology import IPAddress, IPNetwork
    from l3conf.plugin.cluster_api import Object

ALLOCATED = "Allocated"
CLUSTER_EGRESS = "cluster-egress.submariner.io"
"""The only ClusterGlobalEgressIP that counts."""
CLUSTER_IP, HEADLESS_POD, ENDPOINTS = "ClusterIPService", "HeadlessServicePod", "HeadlessServiceEndpoints"
"""Targets of a GlobalIngressIP."""
ENDPOINT_ADDRESS = "submariner.io/headless-svc-endpoints-ip"
"""Annotation of a GlobalIngressIP that says which endpoint of a Service is meant."""


@dataclass(frozen=True, slots=True)
class Allocations:
    """The objects of one cluster that hold global addresses."""

    ingress: Sequence[Object] = ()
    """GlobalIngressIPs of all namespaces."""
    egress: Sequence[Object] = ()
    """GlobalEgressIPs of all namespaces."""
    cluster_egress: Sequence[Object] = ()

    def __iter__(self) -> Iterator[tuple[str, Object]]:
        """Yield every object with how a message names it."""
        for kind, objects in (
            ("GlobalIngressIP", self.ingress),
            ("GlobalEgressIP", self.egress),
            ("ClusterGlobalEgressIP", self.cluster_egress),
        ):
            for obj in objects:
                namespace = obj["metadata"].get("namespace", "")
                yield f"{kind} {f'{namespace}/' if namespace else ''}{obj['metadata']['name']}", obj

    @property
    def held(self) -> dict[str, frozenset[IPAddress]]:
        """The addresses that each object holds, by its name; of objects that hold any."""
        found = {name: addresses_of(obj) for name, obj in self}
        return {name: addresses for name, addresses in found.items() if addresses}

    def of_service(self, namespace: str, name: str) -> list[Object]:
        """Return the GlobalIngressIPs of an exported ClusterIP Service."""
        return [
            obj
            for obj in _within(self.ingress, namespace)
            if obj["spec"].get("target") == CLUSTER_IP and _referred(obj, "serviceRef") == name
        ]

    def of_headless(self, namespace: str, name: str) -> dict[str, Object]:
        """Return the GlobalIngressIPs of an exported headless Service, by pod."""
        return {
            _referred(obj, "podRef"): obj
            for obj in _within(self.ingress, namespace)
            if obj["spec"].get("target") == HEADLESS_POD and _referred(obj, "serviceRef") == name
        }

    def of_endpoints(self, namespace: str, name: str) -> dict[str, Object]:
        """Return the GlobalIngressIPs of an exported headless Service without pods, by the endpoint's address."""
        return {
            str((obj["metadata"].get("annotations") or {}).get(ENDPOINT_ADDRESS)): obj
            for obj in _within(self.ingress, namespace)
            if obj["spec"].get("target") == ENDPOINTS and _referred(obj, "serviceRef") == name
        }

    def seen_as(self, pod: Object) -> frozenset[IPAddress]:
        """Return as which addresses other clusters may see a pod: those of the narrowest object that holds any.

        Its own, else those of a GlobalEgressIP of its namespace that selects it, else of one that selects all, else
        its cluster's (L3-H7).
        """
        namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        labels = pod["metadata"].get("labels") or {}
        own = [
            obj
            for obj in _within(self.ingress, namespace)
            if obj["spec"].get("target") == HEADLESS_POD and _referred(obj, "podRef") == name
        ]
        beside = list(_within(self.egress, namespace))
        selecting = [obj for obj in beside if obj["spec"].get("podSelector") is not None]
        narrowest_first = (
            own,
            [obj for obj in selecting if matches(obj["spec"]["podSelector"], labels)],
            [obj for obj in beside if obj not in selecting],
            [obj for obj in self.cluster_egress if obj["metadata"]["name"] == CLUSTER_EGRESS],
        )
        found = (frozenset(one for obj in objects for one in addresses_of(obj)) for objects in narrowest_first)
        return next(filter(None, found), frozenset())


def addresses_of(obj: Object) -> frozenset[IPAddress]:
    """Return the global addresses in an object's status, be they one or several."""
    status = obj.get("status") or {}
    texts = [status.get("allocatedIP"), *(status.get("allocatedIPs") or [])]
    return frozenset(ip_address(text) for text in texts if text)


def lacking(obj: Object, count: int) -> str:
    """Return what an object lacks that shall hold ``count`` addresses and say so; empty if nothing."""
    held, said = addresses_of(obj), _condition(obj)
    if len(held) != count:
        words = f": {said.get('reason')}: {said.get('message')}" if said else ""
        return f"{obj['metadata']['name']} holds {len(held)} of {count} addresses{words}"
    return "" if said.get("status") == "True" else f"{obj['metadata']['name']} does not say {ALLOCATED}: True"


def unrefused(obj: Object) -> list[str]:
    """Return what is missing for an object to say that it has got nothing, and why (L3-H5)."""
    name, said, held = obj["metadata"]["name"], _condition(obj), addresses_of(obj)
    lines = [f"{name} holds {', '.join(map(str, sorted(held, key=int)))}"] if held else []
    if said.get("status") != "False":
        lines.append(f"{name} says {ALLOCATED}: {said.get('status') or 'nothing'}")
    return lines + [f"{name} gives no {word}" for word in ("reason", "message") if not said.get(word)]


def faults(
    held: Mapping[str, Mapping[str, frozenset[IPAddress]]],
    published: Mapping[str, Iterable[IPNetwork]],
    in_use: Mapping[str, Iterable[IPNetwork]],
) -> list[str]:
    """Return what is wrong with the addresses that objects hold, by cluster (L3-H4).

    Each is held once in the cluster set, lies in a range that its cluster ``published``, and in none that some member
    has ``in_use``.
    """
    owners: dict[IPAddress, str] = {}
    lines = []
    for cluster, objects in held.items():
        for name, addresses in objects.items():
            for address in sorted(addresses, key=int):
                owner = f"{cluster}: {name}"
                if address in owners:
                    lines.append(f"{address} is held by {owners[address]} and by {owner}")
                owners.setdefault(address, owner)
                if not any(address in cidr for cidr in published.get(cluster, ())):
                    lines.append(f"{address} of {owner} is in no global range of {cluster}")
                lines += [
                    f"{address} of {owner} is also in {cidr} of {member}"
                    for member, cidrs in in_use.items()
                    for cidr in cidrs
                    if address in cidr
                ]
    return lines


def matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Say whether a label selector of Kubernetes matches labels; an empty one matches all."""
    wanted = (selector.get("matchLabels") or {}).items()
    return wanted <= labels.items() and all(_holds(one, labels) for one in selector.get("matchExpressions") or [])


def _holds(requirement: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    value, values = labels.get(requirement["key"]), requirement.get("values") or []
    match requirement["operator"]:
        case "In":
            return value is not None and value in values
        case "NotIn":
            return value is None or value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
    raise ValueError(f"{requirement['operator']} is no operator of label selectors")


def _within(objects: Iterable[Object], namespace: str) -> Iterator[Object]:
    return (obj for obj in objects if obj["metadata"].get("namespace") == namespace)


def _referred(obj: Object, field: str) -> str:
    return str((obj["spec"].get(field) or {}).get("name", ""))


def _condition(obj: Object) -> Mapping[str, Any]:
    return next((one for one in conditions_of(obj) if one.get("type") == ALLOCATED), {})
