"""What an update of a built-in kind may not change (``pkg/apis/*/validation``, ValidateUpdate). Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from l3conf.emulator.apiserver.schemas.field_error import forbidden, invalid

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from l3conf.emulator.apiserver.schemas.field_error import FieldError
    from l3conf.emulator.cluster_api import Object

IMMUTABLE = "field is immutable"

_FROZEN: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "daemonsets.apps": (("spec", "selector"),),
    "deployments.apps": (("spec", "selector"),),
    "replicasets.apps": (("spec", "selector"),),
    "endpointslices.discovery.k8s.io": (("addressType",),),
    "secrets": (("type",),),
    "controllerrevisions.apps": (("data",),),
    "rolebindings.rbac.authorization.k8s.io": (("roleRef",),),
    "clusterrolebindings.rbac.authorization.k8s.io": (("roleRef",),),
}
"""Fields that no update may change, by storage key."""

_POD_MUTABLE = ("activeDeadlineSeconds", "terminationGracePeriodSeconds", "tolerations", "schedulingGates")


def check_update(key: str, new: Object, old: Object, *, trusted: bool) -> Iterator[FieldError]:
    """Yield what an update changes and may not. ``trusted`` lets the scheduler name a pod's node, once."""
    for path in _FROZEN.get(key, ()):
        if (value := _at(new, path)) != _at(old, path):
            yield invalid(".".join(path), value, IMMUTABLE)
    if key == "pods":
        yield from _pod_update(new["spec"], old["spec"], trusted=trusted)
    elif key in {"configmaps", "secrets"} and old.get("immutable"):
        for field in ("data", "binaryData", "immutable"):
            if new.get(field) != old.get(field):
                yield forbidden(field, "field is immutable when `immutable` is set")
    elif key == "services":
        yield from _service_update(new["spec"], old["spec"])


def _at(obj: Object, path: tuple[str, ...]) -> Any:  # noqa: ANN401 - JSON
    value: Any = obj
    for step in path:
        value = (value or {}).get(step)
    return value


def _pod_update(new: Mapping[str, Any], old: Mapping[str, Any], *, trusted: bool) -> Iterator[FieldError]:
    free = {
        *_POD_MUTABLE,
        "containers",
        "initContainers",
        *(("nodeName",) if trusted and not old.get("nodeName") else ()),
    }
    frozen = [{key: value for key, value in spec.items() if key not in free} for spec in (new, old)]
    images = [[_without_image(spec.get(kind)) for kind in ("containers", "initContainers")] for spec in (new, old)]
    if frozen[0] != frozen[1] or images[0] != images[1]:
        yield forbidden(
            "spec",
            "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
            "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
            "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
        )


def _without_image(containers: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - JSON as it came
    return [{key: value for key, value in container.items() if key != "image"} for container in containers or ()]


def _service_update(new: Mapping[str, Any], old: Mapping[str, Any]) -> Iterator[FieldError]:
    if "ExternalName" in {new.get("type"), old.get("type")} or not old.get("clusterIP"):
        return
    if new.get("clusterIP") != old.get("clusterIP"):
        yield invalid("spec.clusterIPs[0]", [new.get("clusterIP")], "may not change once set")
