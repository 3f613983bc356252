"""The JSONPath that ``additionalPrinterColumns`` use: ``.a.b``, ``['a']``, ``[0]``, ``[*]``, ``[?(@.x=="y")]``."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_STEP = re.compile(
    r"""\.?(?:
        \[\?\(\s*@\.(?P<where>[\w.\-]+)\s*==\s*(?P<quote>["']?)(?P<value>[^"')]*)(?P=quote)\s*\)\]
      | \[\s*["'](?P<quoted>[^"']+)["']\s*\]
      | \[(?P<index>-?\d+)\]
      | (?P<all>\[\*\]|\*)
      | (?P<name>(?:[^.\[\]\\*]|\\.)+)
    )""",
    re.VERBOSE,
)


class Step(NamedTuple):
    """One step down; exactly one of the fields is set, or ``every``."""

    name: str = ""
    position: int | None = None
    where: tuple[str, ...] = ()
    value: str = ""
    every: bool = False

    def follow(self, value: Any) -> Iterator[Any]:  # noqa: ANN401 - JSON
        """Yield what the step leads to."""
        if self.name:
            if isinstance(value, dict) and self.name in value:
                yield value[self.name]
        elif self.position is not None:
            if isinstance(value, list) and -len(value) <= self.position < len(value):
                yield value[self.position]
        elif self.every:
            yield from value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        elif isinstance(value, list):
            yield from (item for item in value if _text(item, self.where) == self.value)


def _text(value: Any, path: Iterable[str]) -> str | None:  # noqa: ANN401 - JSON
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    if isinstance(value, bool):
        return str(value).lower()
    return None if value is None else str(value)


@lru_cache(maxsize=512)
def parse(path: str) -> tuple[Step, ...]:
    """Return the steps of a path; ValueError if it is none that is supported."""
    text, position, steps = path.strip().removeprefix("{").removesuffix("}").removeprefix("$"), 0, []
    while position < len(text):
        match = _STEP.match(text, position)
        if match is None or match.end() == position:
            raise ValueError(f"unsupported JSONPath {path!r} at {position}")
        steps.append(_step(match))
        position = match.end()
    return tuple(steps)


def _step(match: re.Match[str]) -> Step:
    if match["where"]:
        return Step(where=tuple(match["where"].split(".")), value=match["value"])
    if match["index"] is not None:
        return Step(position=int(match["index"]))
    if match["all"]:
        return Step(every=True)
    return Step(name=match["quoted"] or re.sub(r"\\(.)", r"\1", match["name"]))


def find(path: str, value: Any) -> list[Any]:  # noqa: ANN401 - JSON
    """Return all that a path leads to; nothing for a path that leads nowhere."""
    found = [value]
    for step in parse(path):
        found = [below for each in found for below in step.follow(each)]
    return found
