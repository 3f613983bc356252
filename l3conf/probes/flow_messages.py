"""Numbered flows and their records as JSON values. Pure.

Series are long and read while flows run: numbers and times are packed as little-endian arrays, in base64.
"""

from __future__ import annotations

import base64
import sys
from array import array
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from l3conf.continuity import FlowRecord, NumberedFlow, Position, Series

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SWAP = sys.byteorder != "little"


def flow_to_json(flow: NumberedFlow) -> dict[str, Any]:
    """Return a flow as a JSON object."""
    return {
        "id": flow.id,
        "source": flow.source,
        "destination": str(flow.destination),
        "port": flow.port,
        "receivers": list(flow.receivers),
        "rate": flow.rate,
        "size": flow.size,
        "fresh": flow.fresh,
    }


def flow_from_json(value: Mapping[str, Any]) -> NumberedFlow:
    """Return the flow of a JSON object; ``ValueError`` if it is none."""
    try:
        return NumberedFlow(
            id=bytes.fromhex(value["id"]).hex(),
            source=str(value["source"]),
            destination=ip_address(value["destination"]),
            port=int(value["port"]),
            receivers=tuple(value["receivers"]),
            rate=float(value["rate"]),
            size=int(value["size"]),
            fresh=bool(value.get("fresh", False)),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"no numbered flow: {error!r}") from error


def record_to_json(record: FlowRecord) -> dict[str, Any]:
    """Return a record as a JSON object, without its flow."""
    return {
        "emitted": _pack(record.emitted),
        "received": _pack(record.received),
        "ended": record.ended,
        "refused": dict(record.refused),
        "overflown": record.overflown,
        "strayed": record.strayed,
        "flaw": record.flaw,
    }


def record_from_json(flow: NumberedFlow, value: Mapping[str, Any]) -> FlowRecord:
    """Return the record of ``flow`` that a JSON object tells."""
    return FlowRecord(
        flow=flow,
        emitted=_unpack(value["emitted"]),
        received=_unpack(value["received"]),
        ended=value["ended"],
        refused=value["refused"],
        overflown=value["overflown"],
        strayed=value["strayed"],
        flaw=value["flaw"],
    )


def positions_from_json(values: Sequence[Sequence[Any]]) -> list[Position]:
    """Return positions from lists of identity, packets emitted and packets received; ``ValueError`` otherwise."""
    try:
        return [Position(str(identity), int(emitted), int(received)) for identity, emitted, received in values]
    except TypeError as error:
        raise ValueError(f"no position in a flow: {error}") from error


def _pack(series: Series) -> list[str]:
    return [_encode(array("Q", series.numbers)), _encode(array("d", series.times))]


def _unpack(value: list[str]) -> Series:
    numbers, times = value
    return Series(_decode("Q", numbers), _decode("d", times))


def _encode(values: array[Any]) -> str:
    if _SWAP:
        values.byteswap()
    return base64.b64encode(values.tobytes()).decode()


def _decode(code: str, text: str) -> array[Any]:
    values: array[Any] = array(code)
    values.frombytes(base64.b64decode(text))
    if _SWAP:
        values.byteswap()
    return values
