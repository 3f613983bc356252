"""What a PodSpec must be, in a Pod or in a template (``pkg/apis/core/validation``). Pure; errors in field order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from l3conf.emulator.apiserver.field_rules import PROTOCOLS, choice, port_number
from l3conf.emulator.apiserver.naming import check_labels, dns_label
from l3conf.emulator.apiserver.schemas.field_error import FieldError, FieldReason, duplicate, invalid, required

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


def pod_spec(spec: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    """Yield what is wrong with a PodSpec at ``path``."""
    containers = spec.get("containers") or ()
    if not containers:
        yield required(f"{path}.containers")
    volumes = {volume.get("name") for volume in spec.get("volumes") or ()}
    seen: set[str] = set()
    for kind, listed in (("initContainers", spec.get("initContainers") or ()), ("containers", containers)):
        for index, container in enumerate(listed):
            where = f"{path}.{kind}[{index}]"
            yield from _container(container, where, volumes)
            if (name := container.get("name", "")) in seen:
                yield duplicate(f"{where}.name", name)
            seen.add(name)
    yield from choice(spec.get("restartPolicy"), f"{path}.restartPolicy", ("Always", "OnFailure", "Never"))
    policies = ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None")
    yield from choice(spec.get("dnsPolicy"), f"{path}.dnsPolicy", policies)
    yield from check_labels(spec.get("nodeSelector"), f"{path}.nodeSelector")


def _container(container: Mapping[str, Any], path: str, volumes: set[Any]) -> Iterator[FieldError]:
    name = container.get("name") or ""
    if not name:
        yield required(f"{path}.name")
    elif why := dns_label(name):
        yield invalid(f"{path}.name", name, why)
    if not container.get("image"):
        yield required(f"{path}.image")
    for index, port in enumerate(container.get("ports") or ()):
        yield from port_number(port.get("containerPort"), f"{path}.ports[{index}].containerPort")
        yield from choice(port.get("protocol"), f"{path}.ports[{index}].protocol", PROTOCOLS)
    for index, mount in enumerate(container.get("volumeMounts") or ()):
        if mount.get("name") not in volumes:
            message = f'Not found: "{mount.get("name", "")}"'
            yield _not_found(f"{path}.volumeMounts[{index}].name", message)
        if not mount.get("mountPath"):
            yield required(f"{path}.volumeMounts[{index}].mountPath")
    yield from _environment(container.get("env") or (), f"{path}.env")
    yield from choice(container.get("imagePullPolicy"), f"{path}.imagePullPolicy", ("Always", "IfNotPresent", "Never"))


def _environment(variables: Iterable[Mapping[str, Any]], path: str) -> Iterator[FieldError]:
    for index, variable in enumerate(variables):
        if not variable.get("name"):
            yield required(f"{path}[{index}].name")
        if variable.get("value") and variable.get("valueFrom"):
            yield invalid(f"{path}[{index}].valueFrom", "", "may not be specified when `value` is not empty")


def _not_found(path: str, message: str) -> FieldError:
    return FieldError(path, FieldReason.INVALID, message)
