"""What an object of a built-in kind must be (``pkg/apis/*/validation``): the rules that clients run into.

Types and unknown fields are ``schemas.builtin``'s; here is what a type cannot say. Pure; errors in field order.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

from l3conf.emulator.apiserver.field_rules import PROTOCOLS, choice, port_number
from l3conf.emulator.apiserver.naming import check_labels, dns_label
from l3conf.emulator.apiserver.pod_rules import pod_spec
from l3conf.emulator.apiserver.schemas.field_error import duplicate, invalid, not_supported, required
from l3conf.emulator.apiserver.selectors import label_selector_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from l3conf.emulator.apiserver.schemas.field_error import FieldError
    from l3conf.emulator.cluster_api import Object


def _pod(obj: Object) -> Iterator[FieldError]:
    yield from pod_spec(obj.get("spec") or {}, "spec")


def _service(obj: Object) -> Iterator[FieldError]:
    spec = obj.get("spec") or {}
    kinds = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
    yield from choice(spec.get("type"), "spec.type", kinds)
    yield from choice(spec.get("sessionAffinity"), "spec.sessionAffinity", ("ClientIP", "None"))
    yield from check_labels(spec.get("selector"), "spec.selector")
    if spec.get("type") == "ExternalName":
        if not spec.get("externalName"):
            yield required("spec.externalName")
        return
    ports = spec.get("ports") or ()
    if not ports and spec.get("clusterIP") != "None":
        yield required("spec.ports")
    yield from _service_ports(ports)


def _service_ports(ports: Any) -> Iterator[FieldError]:  # noqa: ANN401 - JSON as it came
    names: set[str] = set()
    pairs: set[tuple[object, object]] = set()
    for index, port in enumerate(ports):
        where = f"spec.ports[{index}]"
        name = port.get("name") or ""
        if not name and len(ports) > 1:
            yield required(f"{where}.name")
        elif name and (why := dns_label(name)):
            yield invalid(f"{where}.name", name, why)
        if name and name in names:
            yield duplicate(f"{where}.name", name)
        names.add(name)
        yield from port_number(port.get("port"), f"{where}.port")
        yield from choice(port.get("protocol"), f"{where}.protocol", PROTOCOLS)
        if isinstance(port.get("targetPort"), int):
            yield from port_number(port["targetPort"], f"{where}.targetPort")
        pair = (port.get("protocol"), port.get("port"))
        if pair in pairs:
            yield duplicate(where, {"protocol": pair[0], "port": pair[1]})
        pairs.add(pair)


def _workload(obj: Object) -> Iterator[FieldError]:
    spec = obj.get("spec") or {}
    selector, template = spec.get("selector"), spec.get("template") or {}
    chosen = label_selector_of(selector)
    if chosen is None:
        yield required("spec.selector")
    elif not chosen.requirements:
        yield invalid("spec.selector", selector, "empty selector is invalid for deployment")
    elif not chosen.matches({"metadata": template.get("metadata") or {}}):
        labels = (template.get("metadata") or {}).get("labels")
        yield invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")
    yield from check_labels((template.get("metadata") or {}).get("labels"), "spec.template.metadata.labels")
    pod = template.get("spec") or {}
    yield from pod_spec(pod, "spec.template.spec")
    if pod.get("restartPolicy", "Always") != "Always":
        yield not_supported("spec.template.spec.restartPolicy", pod["restartPolicy"], ("Always",))
    replicas = spec.get("replicas")
    if isinstance(replicas, int) and replicas < 0:
        yield invalid("spec.replicas", replicas, "must be greater than or equal to 0")


def _binding(obj: Object) -> Iterator[FieldError]:
    reference = obj.get("roleRef") or {}
    kinds = ("ClusterRole",) if obj["kind"] == "ClusterRoleBinding" else ("Role", "ClusterRole")
    yield from choice(reference.get("kind"), "roleRef.kind", kinds)
    if not reference.get("name"):
        yield required("roleRef.name")
    for index, subject in enumerate(obj.get("subjects") or ()):
        where = f"subjects[{index}]"
        if not subject.get("name"):
            yield required(f"{where}.name")
        yield from choice(subject.get("kind"), f"{where}.kind", ("ServiceAccount", "User", "Group"))
        if subject.get("kind") == "ServiceAccount" and not subject.get("namespace"):
            yield required(f"{where}.namespace")


def _role(obj: Object) -> Iterator[FieldError]:
    for index, rule in enumerate(obj.get("rules") or ()):
        where = f"rules[{index}]"
        if not rule.get("verbs"):
            yield required(f"{where}.verbs", "verbs must contain at least one value")
        if rule.get("nonResourceURLs"):
            if obj["kind"] == "Role":
                why = "namespaced rules cannot apply to non-resource URLs"
                yield invalid(f"{where}.nonResourceURLs", rule["nonResourceURLs"], why)
            continue
        if not rule.get("apiGroups"):
            yield required(f"{where}.apiGroups", "resource rules must supply at least one api group")
        if not rule.get("resources"):
            yield required(f"{where}.resources", "resource rules must supply at least one resource")


def _endpoint_slice(obj: Object) -> Iterator[FieldError]:
    yield from choice(obj.get("addressType"), "addressType", ("FQDN", "IPv4", "IPv6"))
    version = {"IPv4": 4, "IPv6": 6}.get(str(obj.get("addressType")))
    for index, endpoint in enumerate(obj.get("endpoints") or ()):
        where = f"endpoints[{index}].addresses"
        if not endpoint.get("addresses"):
            yield required(where, "must contain at least 1 address")
        for position, address in enumerate(endpoint.get("addresses") or ()):
            if version and not _is_address(address, version):
                yield invalid(f"{where}[{position}]", address, f"must be a valid IPv{version} address")


def _is_address(text: str, version: int) -> bool:
    try:
        return ipaddress.ip_address(text).version == version
    except ValueError:
        return False


def _secret(obj: Object) -> Iterator[FieldError]:
    import binascii  # noqa: PLC0415 - secrets are rare, start-up is not

    for key, value in (obj.get("data") or {}).items():
        try:
            binascii.a2b_base64(value or "", strict_mode=True)
        except (ValueError, TypeError):
            yield invalid(f"data[{key}]", "", "must be base64")
    if obj.get("type") == "kubernetes.io/service-account-token":
        name = "kubernetes.io/service-account.name"
        if not (obj["metadata"].get("annotations") or {}).get(name):
            yield required(f"metadata.annotations[{name}]")


def _event(obj: Object) -> Iterator[FieldError]:
    involved = (obj.get("involvedObject") or {}).get("namespace") or ""
    namespace = obj["metadata"].get("namespace")
    if namespace != (involved or "default"):
        yield invalid("involvedObject.namespace", involved, "does not match event.namespace")


RULES: Mapping[str, Callable[[Object], Iterable[FieldError]]] = {
    "pods": _pod,
    "services": _service,
    "secrets": _secret,
    "events": _event,
    "daemonsets.apps": _workload,
    "deployments.apps": _workload,
    "replicasets.apps": _workload,
    "endpointslices.discovery.k8s.io": _endpoint_slice,
    "roles.rbac.authorization.k8s.io": _role,
    "clusterroles.rbac.authorization.k8s.io": _role,
    "rolebindings.rbac.authorization.k8s.io": _binding,
    "clusterrolebindings.rbac.authorization.k8s.io": _binding,
}
"""Rules for an object as it shall be stored, by storage key."""
