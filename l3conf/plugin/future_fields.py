"""Fields of a version to come: kinds that know one more, and objects of a member that use it (L3-L4).

A member that does not know the field must carry it along: in its own objects when it writes these again, and in the
copies that it makes. An implementation that decodes objects into its own types and writes these back erases it.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from l3conf.errors import LabError
from l3conf.plugin.cluster_api import GROUP, MERGE_PATCH

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from l3conf.plugin.cluster_api import ClusterAPI, Object

FIELD = "l3confFromTheFuture"
_KINDS = ("clusters", "endpoints")
_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_JSON_PATCH = "application/json-patch+json"


@contextmanager
def known_everywhere(apis: Iterable[ClusterAPI]) -> Iterator[None]:
    """Have the kinds know one more field, as the next version of their CRDs would, while the context is open."""
    done: list[tuple[ClusterAPI, str, str]] = []
    try:
        for api in apis:
            for kind in _KINDS:
                crd = f"{_CRDS}/{kind}.{GROUP.split('/')[2]}"
                for number, version in enumerate(api.get(crd)["spec"]["versions"]):
                    if "properties" in version["schema"]["openAPIV3Schema"]["properties"].get("spec", {}):
                        path = f"/spec/versions/{number}/schema/openAPIV3Schema/properties/spec/properties/{FIELD}"
                        _patch(api, crd, [{"op": "add", "path": path, "value": {"type": "string"}}])
                        done.append((api, crd, path))
        yield
    finally:
        for api, crd, path in done:
            api.request("PATCH", crd, body=[{"op": "remove", "path": path}], content_type=_JSON_PATCH)


@contextmanager
def used_by(api: ClusterAPI, own: Iterable[Object], word: str) -> Iterator[None]:
    """Have a member's own objects use the field while the context is open. ``LabError`` if it does not take."""
    paths = [_path(obj) for obj in own]
    try:
        for path in paths:
            answer = api.request("PATCH", path, body={"spec": {FIELD: word}}, content_type=MERGE_PATCH)
            if not answer.ok or answer.body["spec"].get(FIELD) != word:
                raise LabError(f"the new field of {path} does not take: {answer.message}", where=api.name)
        yield
    finally:
        for path in paths:
            api.request("PATCH", path, body={"spec": {FIELD: None}}, content_type=MERGE_PATCH)


def lacking(apis: Iterable[ClusterAPI], member: str, word: str) -> list[str]:
    """Return the objects of a member, own and copied, that lack the field; a holder without any lacks it too."""
    return [line for api in apis for kind in _KINDS for line in _lacking_at(api, kind, member, word)]


def _lacking_at(api: ClusterAPI, kind: str, member: str, word: str) -> Iterator[str]:
    held = [obj for obj in api.items(f"{GROUP}/{kind}") if (obj.get("spec") or {}).get("cluster_id") == member]
    if not held:
        yield f"{api.name} holds no {kind} of {member}"
    for obj in held:
        if obj["spec"].get(FIELD) != word:
            yield f"{api.name}: {kind} {obj['metadata']['name']} has lost spec.{FIELD}"


def _path(obj: Object) -> str:
    metadata = obj["metadata"]
    return f"{GROUP}/namespaces/{metadata['namespace']}/{obj['kind'].lower()}s/{metadata['name']}"


def _patch(api: ClusterAPI, path: str, patch: object) -> None:
    answer = api.request("PATCH", path, body=patch, content_type=_JSON_PATCH)
    if not answer.ok:
        raise LabError(f"{path} does not take a new field: {answer.message}", where=api.name)
