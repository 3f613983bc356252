"""How cells of kubectl's tables are read from objects and written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from l3conf.emulator.apiserver.tables import Column

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from l3conf.emulator.cluster_api import Object

NONE = "<none>"
WIDE = 1


def at(*path: str, missing: Any = NONE) -> Callable[[Object], Any]:  # noqa: ANN401 - a cell
    """Return what reads the cell at a path, ``missing`` if there is nothing."""

    def show(obj: Object) -> Any:  # noqa: ANN401 - a cell
        value: Any = obj
        for step in path:
            value = value.get(step) if isinstance(value, dict) else None
        return missing if value is None or value == "" else value

    return show


def integer(name: str, *path: str) -> Column:
    """Return a column of numbers, 0 if absent."""
    return Column(name, at(*path, missing=0), "integer")


def count(*path: str) -> Callable[[Object], int]:
    """Return what counts the entries at a path."""
    find = at(*path, missing=())
    return lambda obj: len(find(obj))


def joined(values: Iterable[Any]) -> str:
    """Return values with commas, ``<none>`` without any."""
    return ",".join(str(value) for value in values) or NONE


def selector_text(selector: Mapping[str, Any] | None) -> str:
    """Return a label selector, or a plain map of labels, as kubectl prints it."""
    if not selector:
        return NONE
    labels = selector.get("matchLabels", selector if "matchExpressions" not in selector else {})
    signs = {"In": "in", "NotIn": "notin"}
    terms = [f"{key}={value}" for key, value in sorted(labels.items())]
    for term in selector.get("matchExpressions") or ():
        values = ",".join(term.get("values") or ())
        sign = signs.get(term["operator"])
        exists = term["key"] if term["operator"] == "Exists" else f"!{term['key']}"
        terms.append(f"{term['key']} {sign} ({values})" if sign else exists)
    return joined(terms)


def containers(*path: str) -> tuple[Column, Column]:
    """Return the wide columns for a PodSpec at a path."""
    find = at(*path, "containers", missing=())
    return (
        Column("Containers", lambda obj: joined(c.get("name") for c in find(obj)), priority=WIDE),
        Column("Images", lambda obj: joined(c.get("image") for c in find(obj)), priority=WIDE),
    )


def selector(*path: str) -> Column:
    """Return the wide column for a selector at a path."""
    find = at(*path, missing=None)
    return Column("Selector", lambda obj: selector_text(find(obj)), priority=WIDE)
