"""``Table`` (meta/v1): objects as kubectl prints them, row by row."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from l3conf.emulator.apiserver import jsonpath

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from l3conf.emulator.apiserver.resources import Resource
    from l3conf.emulator.cluster_api import Object

UNKNOWN = "<unknown>"
_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 86400, 365 * 86400


class Column(NamedTuple):
    """A column: what stands above it and what it shows of an object."""

    name: str
    show: Callable[[Object], Any]
    type: str = "string"
    priority: int = 0
    """Above 0: only with ``-o wide``."""
    format: str = ""
    description: str = ""

    @property
    def definition(self) -> Object:
        """The TableColumnDefinition."""
        return {
            "name": self.name,
            "type": self.type,
            "format": self.format,
            "description": self.description,
            "priority": self.priority,
        }


def age(moment: str | None) -> str:
    """Return how long ago a timestamp was, as kubectl prints it."""
    if not moment:
        return UNKNOWN
    try:
        then = datetime.fromisoformat(moment)
    except ValueError:
        return "<invalid>"
    return human_duration((datetime.now(UTC) - then).total_seconds())


def human_duration(seconds: float) -> str:
    """Return seconds as ``45s``, ``3m20s``, ``12m``, ``4h5m``, ``9h``, ``2d3h``, ``12d``, ``2y10d``."""
    total = max(0, int(seconds))
    for unit, fine_below, name, below, smaller in (
        (1, 120, "s", 1, ""),
        (_MINUTE, 10 * _MINUTE, "m", 1, "s"),
        (_MINUTE, 3 * _HOUR, "m", 0, ""),
        (_HOUR, 8 * _HOUR, "h", _MINUTE, "m"),
        (_HOUR, 2 * _DAY, "h", 0, ""),
        (_DAY, 8 * _DAY, "d", _HOUR, "h"),
        (_DAY, 2 * _YEAR, "d", 0, ""),
        (_YEAR, 8 * _YEAR, "y", _DAY, "d"),
    ):
        if total < fine_below:
            rest = (total % unit) // below if below else 0
            return f"{total // unit}{name}" + (f"{rest}{smaller}" if smaller and rest else "")
    return f"{total // _YEAR}y"


def created(obj: Object) -> str:
    """Return an object's age."""
    return age(obj["metadata"].get("creationTimestamp"))


NAME = Column(
    "Name",
    lambda obj: obj["metadata"].get("name", ""),
    format="name",
    description="Name must be unique within a namespace.",
)
AGE = Column("Age", created, description="CreationTimestamp is when the object was created.")


def columns_of(resource: Resource) -> Sequence[Column]:
    """Return the columns that kubectl shows for a resource."""
    if resource.custom is not None:
        custom = [_custom_column(column) for column in resource.custom.printer_columns]
        return (NAME, *custom) if custom else (NAME, AGE)
    from l3conf.emulator.apiserver.printing import PRINTED  # noqa: PLC0415 - only people look at tables

    return PRINTED.get(resource.key, (NAME, AGE))


def _custom_column(column: Mapping[str, Any]) -> Column:
    path, kind = column["jsonPath"], column["type"]

    def show(obj: Object) -> Any:  # noqa: ANN401 - a cell
        found = jsonpath.find(path, obj)
        if not found or found[0] is None:
            return None
        if kind == "date":
            return age(str(found[0]))
        if kind in {"integer", "number", "boolean"}:
            return found[0]
        return ",".join(_plain(value) for value in found)

    return Column(
        column["name"],
        show,
        kind,
        int(column.get("priority", 0)),
        column.get("format", ""),
        column.get("description") or f"Custom resource definition column (in JSONPath format): {path}",
    )


def _plain(value: object) -> str:
    if isinstance(value, str):
        return value
    import json  # noqa: PLC0415 - few columns show more than text

    return json.dumps(value, separators=(",", ":"))


def table(
    objects: Iterable[Object], columns: Sequence[Column], include: str, metadata: Mapping[str, Any] | None = None
) -> Object:
    """Return a Table; ``include`` says what of each object goes along: ``None``, ``Metadata`` or ``Object``."""
    rows = []
    for obj in objects:
        row: Object = {"cells": [column.show(obj) for column in columns]}
        if include != "None":
            row["object"] = obj if include == "Object" else partial(obj)
        rows.append(row)
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": dict(metadata or {}),
        "columnDefinitions": [column.definition for column in columns],
        "rows": rows,
    }


def partial(obj: Object) -> Object:
    """Return an object's metadata as a PartialObjectMetadata."""
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}
