"""Objects by which a member's users say who is known where under which global address, read without trust."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, TypeAlias

from reference_impl.names import CLUSTER_EGRESS, ENDPOINT_ADDRESS
from reference_impl.planner.ledger import Claim
from reference_impl.protocols.object_codec import MalformedObjectError
from reference_impl.protocols.selectors import Selector, parse_selector

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reference_impl.state import IPAddress

Object: TypeAlias = dict[str, Any]
Name: TypeAlias = tuple[str, str]
"""Namespace and name."""
INGRESS_KIND = "GlobalIngressIP"
MOST = 20
"""Addresses that one object may ask for (``submariner.io_globalegressips.yaml``)."""


class Target(enum.Enum):
    """``GlobalIngressIP.spec.target``."""

    SERVICE = "ClusterIPService"
    POD = "HeadlessServicePod"
    ENDPOINTS = "HeadlessServiceEndpoints"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingress:
    """A GlobalIngressIP."""

    claim: Claim
    target: Target
    named: Name
    """The Service or pod that is reached."""
    endpoint: IPAddress | None = None
    """Which of a Service's endpoints, of those that are no pods."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Egress:
    """A GlobalEgressIP, or the ClusterGlobalEgressIP that counts."""

    claim: Claim
    namespace: str
    """"" for the whole cluster."""
    selector: Selector | None = None
    """None: all pods there."""

    @property
    def rank(self) -> tuple[int, str, str]:
        """Order what applies to the same pod: pods selected, then the namespace, then the cluster; the oldest first."""
        breadth = 2 if not self.namespace else 0 if self.selector is not None else 1
        return breadth, self.claim.created, self.claim.owner


@dataclass(frozen=True, slots=True, kw_only=True)
class Unusable:
    """An object that gets no address whatever there is."""

    obj: Object
    reason: str
    """CamelCase."""
    message: str


def read_ingress(objects: Iterable[Object]) -> tuple[tuple[Ingress, ...], tuple[Unusable, ...]]:
    """Return the GlobalIngressIPs that ask for something that can be given, and the others."""
    found: list[Ingress] = []
    unusable: list[Unusable] = []
    for obj in objects:
        try:
            found.append(_ingress(obj))
        except MalformedObjectError as error:
            unusable.append(Unusable(obj=obj, reason="Invalid", message=str(error)))
    return tuple(found), tuple(unusable)


def read_egress(
    objects: Iterable[Object], cluster_wide: Iterable[Object]
) -> tuple[tuple[Egress, ...], tuple[Unusable, ...]]:
    """Return the GlobalEgressIPs and the ClusterGlobalEgressIP that can be read, and the others."""
    found: list[Egress] = []
    unusable: list[Unusable] = []
    for obj in objects:
        try:
            found.append(_egress(obj))
        except MalformedObjectError as error:
            unusable.append(Unusable(obj=obj, reason="Invalid", message=str(error)))
    for obj in cluster_wide:
        if obj["metadata"]["name"] != CLUSTER_EGRESS:
            message = f"only the object named {CLUSTER_EGRESS} counts"
            unusable.append(Unusable(obj=obj, reason="Ignored", message=message))
            continue
        try:
            found.append(Egress(claim=_claim(obj, _count(obj, "numGlobalIPs")), namespace=""))
        except MalformedObjectError as error:
            unusable.append(Unusable(obj=obj, reason="Invalid", message=str(error)))
    return tuple(found), tuple(unusable)


def uid_of(obj: Mapping[str, Any]) -> str:
    """Return what tells an object from one of the same name that came before or after it."""
    return str(obj["metadata"]["uid"])


def name_of(obj: Mapping[str, Any]) -> Name:
    """Return namespace and name."""
    return str(obj["metadata"].get("namespace") or ""), str(obj["metadata"]["name"])


def said(obj: Mapping[str, Any]) -> tuple[IPAddress, ...]:
    """Return the addresses in an object's status."""
    status = obj.get("status") or {}
    texts = status.get("allocatedIPs") or [status.get("allocatedIP") or ""]
    found = []
    for text in texts if isinstance(texts, list) else ():
        try:
            found.append(ip_address(str(text)))
        except ValueError:
            continue
    return tuple(found)


def _ingress(obj: Object) -> Ingress:
    spec = obj.get("spec")
    try:
        target = Target(spec.get("target") if isinstance(spec, dict) else None)
    except ValueError:
        raise MalformedObjectError(f"spec.target: none of {', '.join(each.value for each in Target)}") from None
    field = "podRef" if target is Target.POD else "serviceRef"
    reference = spec.get(field) if isinstance(spec, dict) else None
    name = reference.get("name") if isinstance(reference, dict) else None
    if not isinstance(name, str) or not name:
        raise MalformedObjectError(f"spec.{field}.name: missing")
    endpoint = _endpoint(obj) if target is Target.ENDPOINTS else None
    return Ingress(claim=_claim(obj, 1), target=target, named=(name_of(obj)[0], name), endpoint=endpoint)


def _endpoint(obj: Object) -> IPAddress:
    text = str((obj["metadata"].get("annotations") or {}).get(ENDPOINT_ADDRESS) or "")
    try:
        address = ip_address(text)
    except ValueError:
        raise MalformedObjectError(f"metadata.annotations[{ENDPOINT_ADDRESS}]: no address: {text!r}") from None
    if is_special(address):
        raise MalformedObjectError(f"metadata.annotations[{ENDPOINT_ADDRESS}]: {address} is no host's own address")
    return address


def is_special(address: IPAddress) -> bool:
    """Say whether an address is one that no endpoint may have: it means another host everywhere, or none.

    As the API server has it for Endpoints; who could lead others there would reach what listens for the gateway alone.
    """
    return address.is_unspecified or address.is_loopback or address.is_link_local or address.is_multicast


def _egress(obj: Object) -> Egress:
    spec = obj.get("spec")
    found = spec.get("podSelector") if isinstance(spec, dict) else None
    selector = None if found is None else parse_selector(found, "spec.podSelector")
    return Egress(claim=_claim(obj, _count(obj, "numberOfIPs")), namespace=name_of(obj)[0], selector=selector)


def _count(obj: Object, field: str) -> int:
    spec = obj.get("spec")
    count = spec.get(field, 1) if isinstance(spec, dict) else 1
    if not isinstance(count, int) or isinstance(count, bool) or not 0 <= count <= MOST:
        raise MalformedObjectError(f"spec.{field}: not a number from 0 to {MOST}")
    return count


def _claim(obj: Object, count: int) -> Claim:
    created = str(obj["metadata"].get("creationTimestamp") or "")
    return Claim(owner=uid_of(obj), count=count, created=created, said=said(obj))
