"""Media types: what a client accepts, and what it sends. Pure."""

from __future__ import annotations

import enum
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from l3conf.emulator.apiserver import errors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from l3conf.emulator.cluster_api import Object

JSON = "application/json"
YAML = "application/yaml"
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
PROTOBUF = "application/vnd.kubernetes.protobuf"
BODIES = (JSON, YAML, PROTOBUF)
PATCHES = (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH)


class Shape(enum.Enum):
    """How an object is transformed for the client."""

    AS_IS = ""
    TABLE = "Table"
    PARTIAL = "PartialObjectMetadata"
    PARTIAL_LIST = "PartialObjectMetadataList"
    DISCOVERY = "APIGroupDiscoveryList"


class Accepted(NamedTuple):
    """A way of answering that the client accepts."""

    shape: Shape
    media: str = JSON
    version: str = ""
    """Of the transforming API: ``v1`` for Table, ``v2`` for discovery."""

    @property
    def content_type(self) -> str:
        """The answer's Content-Type."""
        if self.shape is Shape.DISCOVERY:
            return f"{self.media};g=apidiscovery.k8s.io;v={self.version};as=APIGroupDiscoveryList"
        return self.media


def accepted(header: str, *, discovery: bool = False) -> Accepted:
    """Return the first way in ``Accept`` that this server knows; 406 if there is none."""
    for media, params in _ranges(header or "*/*"):
        if media not in {JSON, YAML, "*/*", "application/*"}:
            continue
        found = _shape(params, discovery=discovery)
        if found is not None:
            return Accepted(found, YAML if media == YAML else JSON, params.get("v", ""))
    raise errors.not_acceptable((JSON, YAML))


def _ranges(header: str) -> Iterator[tuple[str, dict[str, str]]]:
    for part in header.split(","):
        media, *params = (piece.strip() for piece in part.split(";"))
        pairs = (param.partition("=") for param in params)
        yield media.lower(), {name.strip(): value.strip() for name, _, value in pairs}


def _shape(params: dict[str, str], *, discovery: bool) -> Shape | None:
    wanted = params.get("as", "")
    if params.get("g") == "apidiscovery.k8s.io":
        known = discovery and params.get("v") in {"v2", "v2beta1"}
        return Shape.DISCOVERY if known else None
    if wanted and (params.get("g") != "meta.k8s.io" or params.get("v") != "v1"):
        return None
    try:
        return Shape(wanted)
    except ValueError:
        return None


def encode(value: object, media: str = JSON) -> bytes:
    """Return a value as JSON or YAML."""
    if media == YAML:
        import yaml  # noqa: PLC0415 - rarely asked for

        return yaml.safe_dump(value, sort_keys=False).encode()
    return json.dumps(value, separators=(",", ":")).encode()


def decode(body: bytes, content_type: str, *, known: tuple[str, ...] = BODIES) -> Any:  # noqa: ANN401 - JSON
    """Return a body's value; 415 for a media type that is not ``known``, 400 if it is malformed."""
    media = content_type.partition(";")[0].strip().lower() or JSON
    if media not in known:
        raise errors.unsupported_media_type(known)
    if media == PROTOBUF:
        from l3conf.emulator.apiserver.web import protobuf  # noqa: PLC0415 - typed Go clients only

        return protobuf.decode(body)
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        if "yaml" not in media:
            raise errors.bad_request(f"error decoding request body: {error}") from None
    return _decode_yaml(body)


def _decode_yaml(body: bytes) -> Any:  # noqa: ANN401 - JSON
    import yaml  # noqa: PLC0415 - rarely sent

    try:
        return yaml.safe_load(body)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise errors.bad_request(f"error decoding request body: {error}") from None


def as_object(value: Any) -> Object:  # noqa: ANN401 - JSON
    """Return a decoded body that must be an object; 400 otherwise."""
    if not isinstance(value, dict):
        raise errors.bad_request("the request body must be a JSON object")
    return value
