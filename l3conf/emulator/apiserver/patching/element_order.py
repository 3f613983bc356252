"""The order of a merged list: the patch's order wins, items that only the server knows keep their place among it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from l3conf.emulator.apiserver.schemas.json_value import JSON


def ordered(merged: list[JSON], wanted: list[JSON], live: list[JSON], key: str) -> list[JSON]:
    """Return the items of ``merged``: those in ``wanted`` in its order, the others put where ``live`` had them.

    Items are compared by their field ``key``, or by themselves if it is "". An item that only ``live`` has goes before
    the first wanted item, from the place of the last insertion on, that ``live`` had after it; else to the end.
    """
    order = {_identity(item, key): position for position, item in enumerate(wanted)}
    before = {_identity(item, key): position for position, item in enumerate(live)}
    patched = sorted((i for i in merged if _identity(i, key) in order), key=lambda i: order[_identity(i, key)])
    server_only = [i for i in merged if _identity(i, key) not in order]
    server_only.sort(key=lambda i: before.get(_identity(i, key), len(before)))
    result: list[JSON] = []
    waiting = iter(patched)
    following = next(waiting, None)
    for item in server_only:
        while following is not None and not _stood_before(item, following, before, key):
            result.append(following)
            following = next(waiting, None)
        result.append(item)
    return result + ([following, *waiting] if following is not None else [])


def _stood_before(item: JSON, other: JSON, before: dict[str, int], key: str) -> bool:
    left, right = before.get(_identity(item, key)), before.get(_identity(other, key))
    return left is not None and right is not None and left < right


def _identity(item: JSON, key: str) -> str:
    return repr(item.get(key) if key and isinstance(item, dict) else item)
