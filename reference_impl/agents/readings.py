"""Objects of one kind as values, each read once: caches keep an object until it changes, and never change one in place.

A member of a set of a hundred holds two hundred objects of others, of which one changes at a time. What cannot be read
is a refusal, not a crash.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from reference_impl.planner.membership import Refusal
from reference_impl.protocols.object_codec import MalformedObjectError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from reference_impl.drivers.api import Object

V = TypeVar("V")


class Readings(Generic[V]):
    """Remembers what the objects that it was last asked about say."""

    __slots__ = ("_known", "_parse")

    def __init__(self, parse: Callable[[Object], V]) -> None:
        """``parse``: a pure function."""
        self._parse = parse
        self._known: dict[int, tuple[Object, V | None, Refusal | None]] = {}
        """By identity, together with the object itself: as long as it is held nothing else has its identity."""

    def of(self, objects: Iterable[Object]) -> tuple[tuple[V, ...], tuple[Refusal, ...]]:
        """Return the objects that can be read, and a refusal for each that cannot."""
        known = self._known
        self._known = {id(obj): known.get(id(obj)) or (obj, *self._read(obj)) for obj in objects}
        readings = self._known.values()
        return (
            tuple(value for _, value, _ in readings if value is not None),
            tuple(refusal for _, _, refusal in readings if refusal is not None),
        )

    def _read(self, obj: Object) -> tuple[V | None, Refusal | None]:
        try:
            return self._parse(obj), None
        except Exception as error:  # noqa: BLE001 - what a peer wrote concerns that peer, whatever it does to a parser
            return None, _malformed(obj, error)


def _malformed(obj: Object, error: Exception) -> Refusal:
    spec = obj.get("spec")
    cluster_id = spec.get("cluster_id") if isinstance(spec, dict) else None
    name = f"{obj.get('kind', 'object')} {obj['metadata']['name']}"
    text = str(error) if isinstance(error, MalformedObjectError) else f"{type(error).__name__}: {error}"
    return Refusal(cluster_id=str(cluster_id or ""), reason="Malformed", message=f"{name}: {text}")
