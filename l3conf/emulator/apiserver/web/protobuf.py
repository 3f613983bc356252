"""Bodies in ``application/vnd.kubernetes.protobuf``: what kubectl's typed clients send for built-in kinds since 1.32.

Only decoding: answers are JSON, which every client accepts. The wire format is protobuf (varint, fixed64,
length-delimited); field numbers and types of the built-in messages are data (``protobuf_fields.json``: message →
number → JSON name, type; ``[]`` repeated, ``{}`` map, ``?`` keeps its zero value, an empty name is embedded in its
parent).
"""

from __future__ import annotations

import base64
import json
import struct
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from l3conf.emulator.apiserver import errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from l3conf.emulator.cluster_api import Object

_MAGIC = b"k8s\x00"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_VARINT_LIMIT = 64


def decode(body: bytes) -> Object:
    """Return the object of an enveloped body (``runtime.Unknown``); 400 if it is malformed or of an unknown kind."""
    if not body.startswith(_MAGIC):
        raise errors.bad_request("error decoding request body: the protobuf envelope is missing")
    try:
        envelope = dict(_fields(body[len(_MAGIC) :]))
        meta = {number: value.decode() for number, value in _fields(envelope.get(1, b""))}
        api_version, kind = meta.get(1, ""), meta.get(2, "")
        message = _table()["kinds"].get(f"{api_version} {kind}")
        if message is None:
            raise errors.unsupported_media_type(("application/json", "application/yaml"))
        return {"apiVersion": api_version, "kind": kind, **_message(message, envelope.get(2, b""))}
    except (ValueError, IndexError, struct.error, AttributeError, TypeError) as error:
        raise errors.bad_request(f"error decoding request body: {error}") from None


@cache
def _table() -> Mapping[str, Mapping[str, Any]]:
    table: Mapping[str, Mapping[str, Any]] = json.loads(
        resources.files(__package__).joinpath("protobuf_fields.json").read_text()
    )
    return table


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Yield (number, value): int for varints, bytes for everything else."""
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        kind = key & 7
        if kind == _VARINT:
            value, position = _varint(data, position)
            yield key >> 3, value
            continue
        length, position = (
            (8, position) if kind == _FIXED64 else (4, position) if kind == _FIXED32 else _varint(data, position)
        )
        if kind not in {_FIXED64, _FIXED32, _BYTES} or position + length > len(data):
            raise ValueError("truncated protobuf message")
        yield key >> 3, data[position : position + length]
        position += length


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while shift < _VARINT_LIMIT:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - the continuation bit
            return value, position
        shift += 7
    raise ValueError("varint too long")


def _message(name: str, data: bytes) -> Object:
    """Return a message as the JSON that Go would make of it: what is empty is left out."""
    known = _table()["messages"][name]
    obj: Object = {}
    for number, raw in _fields(data):
        if (found := known.get(str(number))) is None:
            continue
        field, kind = found
        base = kind.rstrip("[]{}?")
        if kind.endswith("{}"):
            entry = dict(_fields(raw))
            obj.setdefault(field, {})[entry.get(1, b"").decode()] = _value(base, entry.get(2, b""))
        elif kind.endswith("[]"):
            obj.setdefault(field, []).append(_value(base, raw))
        elif not field:
            obj |= _message(base, raw)
        elif (value := _value(base, raw)) or kind.endswith("?") or isinstance(value, dict):
            obj[field] = value
    return obj


def _value(kind: str, raw: Any) -> Any:  # noqa: ANN401 - JSON
    special = _SPECIAL.get(kind)
    return special(raw) if special is not None else _message(kind, raw)


def _signed(raw: int) -> int:
    return raw - (1 << 64) if raw >> 63 else raw


def _text(raw: bytes) -> str:
    return raw.decode()


def _time(raw: bytes) -> str | None:
    """Return meta/v1 Time; the zero time, which is an empty message, is null."""
    parts = dict(_fields(raw))
    if not parts.get(1):
        return None
    return datetime.fromtimestamp(_signed(parts[1]), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _micro_time(raw: bytes) -> str | None:
    parts = dict(_fields(raw))
    if not parts.get(1):
        return None
    moment = datetime.fromtimestamp(_signed(parts[1]), UTC).replace(microsecond=parts.get(2, 0) // 1000)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _int_or_string(raw: bytes) -> int | str:
    parts = dict(_fields(raw))
    return _text(parts.get(3, b"")) if parts.get(1) else _signed(parts.get(2, 0))


def _embedded_json(raw: bytes) -> Any:  # noqa: ANN401 - JSON
    return json.loads(dict(_fields(raw)).get(1) or b"null")


_SPECIAL: Mapping[str, Callable[[Any], Any]] = {
    "string": _text,
    "int32": _signed,
    "int64": _signed,
    "bool": bool,
    "bytes": lambda raw: base64.b64encode(raw).decode(),
    "double": lambda raw: struct.unpack("<d", raw)[0],
    "meta.Time": _time,
    "meta.MicroTime": _micro_time,
    "meta.FieldsV1": _embedded_json,
    "runtime.RawExtension": _embedded_json,
    "resource.Quantity": lambda raw: _text(dict(_fields(raw)).get(1, b"")),
    "intstr.IntOrString": _int_or_string,
    "authentication.ExtraValue": lambda raw: [_text(value) for _, value in _fields(raw)],
    "authorization.ExtraValue": lambda raw: [_text(value) for _, value in _fields(raw)],
}
