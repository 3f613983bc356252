"""The order of a merged list: the patch's order wins, items that only the server knows keep their place among it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from l3conf.emulator.apiserver.schemas.json_value import JSON


def by_key(key: str) -> Callable[[JSON], str]:
    """Return what tells items apart: their field ``key``, or the items themselves if it is ""."""
    return lambda item: repr(item.get(key) if key and isinstance(item, dict) else item)


def ordered(merged: list[JSON], wanted: list[JSON], live: list[JSON], identity: Callable[[JSON], str]) -> list[JSON]:
    """Return the items of ``merged``: those in ``wanted`` in its order, the others put where ``live`` had them.

    An item that only ``live`` has goes before the first wanted item, from the place of the last insertion on, that
    ``live`` had after it; else to the end.
    """
    order = {identity(item): position for position, item in enumerate(wanted)}
    before = {identity(item): position for position, item in enumerate(live)}
    patched = sorted((i for i in merged if identity(i) in order), key=lambda i: order[identity(i)])
    server_only = [i for i in merged if identity(i) not in order]
    server_only.sort(key=lambda i: before.get(identity(i), len(before)))
    result: list[JSON] = []
    for item in server_only:
        place = before.get(identity(item), len(before))
        while patched and not place < before.get(identity(patched[0]), -1):
            result.append(patched.pop(0))
        result.append(item)
    return result + patched
