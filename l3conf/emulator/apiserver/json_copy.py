"""Copies of JSON values: stored objects are shared and never changed, so whoever wants to change one copies it."""

from __future__ import annotations

import json
import marshal
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from l3conf.emulator.cluster_api import Object

T = TypeVar("T")


def copied(value: T) -> T:
    """Return a deep copy of stored JSON; marshal does it in C, several times faster than ``copy.deepcopy``."""
    copy: T = marshal.loads(marshal.dumps(value))  # type: ignore[arg-type]  # noqa: S302 - bytes of our own making
    return copy


def plain(obj: Mapping[str, object]) -> Object:
    """Return a deep copy made of exact JSON types: tuples become lists, string enums and addresses their text."""
    made: Object = json.loads(json.dumps(obj, default=_as_json))
    return made


def _as_json(value: object) -> object:
    return dict(value) if isinstance(value, Mapping) else str(value)
