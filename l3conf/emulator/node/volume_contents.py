"""What configMap, secret, downwardAPI and projected volumes hold. Pure, but for the token that a function issues."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from l3conf.emulator.node.atomic_writer import Content
from l3conf.emulator.node.environment import contents
from l3conf.emulator.node.field_refs import UnknownFieldError, field_value, resource_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from l3conf.emulator.node.environment import Lookup

DEFAULT_MODE = 0o644
WRITTEN_KINDS = ("configMap", "secret", "downwardAPI", "projected")
"""Volume types whose files the kubelet writes."""


class VolumeError(Exception):
    """A volume cannot be set up (yet): ``FailedMount``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeSources:
    """Where contents come from."""

    pod: Mapping[str, Any]
    addresses: Mapping[str, str]
    lookup: Lookup
    token: Callable[[Mapping[str, Any]], str]
    """Returns the token for a ``serviceAccountToken`` projection."""


def volume_contents(volume: Mapping[str, Any], sources: VolumeSources) -> dict[str, Content]:
    """Return the files of one volume by relative path. Raises ``VolumeError`` for what is missing."""
    name = volume["name"]
    for kind in WRITTEN_KINDS:
        if (source := volume.get(kind)) is not None:
            mode = source.get("defaultMode", DEFAULT_MODE)
            parts = source.get("sources") or () if kind == "projected" else ({kind: source},)
            try:
                return {path: content for part in parts for path, content in _files(part, mode, sources)}
            except (VolumeError, UnknownFieldError) as error:
                raise VolumeError(f'MountVolume.SetUp failed for volume "{name}" : {error}') from error
    return {}


def _files(part: Mapping[str, Any], mode: int, sources: VolumeSources) -> Iterator[tuple[str, Content]]:
    if (source := part.get("configMap")) is not None:
        yield from _from_object(source, "configmaps", source.get("name", ""), mode, sources.lookup)
    if (source := part.get("secret")) is not None:
        name = source.get("name") or source.get("secretName", "")
        yield from _from_object(source, "secrets", name, mode, sources.lookup)
    if (source := part.get("downwardAPI")) is not None:
        yield from _from_pod(source, mode, sources)
    if (source := part.get("serviceAccountToken")) is not None:
        yield source["path"], Content(sources.token(source).encode(), mode)


def _from_object(
    source: Mapping[str, Any], resource: str, name: str, mode: int, lookup: Lookup
) -> Iterator[tuple[str, Content]]:
    obj = lookup(resource, name)
    if obj is None:
        if not source.get("optional"):
            raise VolumeError(f'{resource.removesuffix("s")} "{name}" not found')
        return
    data = contents(obj)
    items = source.get("items")
    if not items:
        yield from ((key, Content(value, mode)) for key, value in data.items())
        return
    for item in items:
        if item["key"] in data:
            yield item["path"], Content(data[item["key"]], item.get("mode") or mode)
        elif not source.get("optional"):
            raise VolumeError(f"references non-existent config key: {item['key']}")


def _from_pod(source: Mapping[str, Any], mode: int, sources: VolumeSources) -> Iterator[tuple[str, Content]]:
    for item in source.get("items") or ():
        if reference := item.get("fieldRef"):
            text = field_value(sources.pod, reference["fieldPath"], addresses=sources.addresses)
        else:
            reference = item["resourceFieldRef"]
            text = resource_value(_container(sources.pod, reference), reference, capacity={})
        yield item["path"], Content(text.encode(), item.get("mode") or mode)


def _container(pod: Mapping[str, Any], reference: Mapping[str, Any]) -> Mapping[str, Any]:
    for container in pod["spec"]["containers"]:
        if container["name"] == reference.get("containerName"):
            found: Mapping[str, Any] = container
            return found
    raise UnknownFieldError(f"no container {reference.get('containerName')!r}")
