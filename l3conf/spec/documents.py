"""Reading one YAML document from a file that a stranger wrote: bounded, and with the line of every field."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from l3conf.errors import InvalidFileError
from l3conf.spec.problems import FieldPath, Problem, refuse

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MAX_BYTES = 1024 * 1024
"""A thousand clusters with ten nodes each need a third of it."""
MAX_DEPTH = 32
"""Nesting of any file of ours is below 10; the bound keeps recursion away from hostile input."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml where it is there: the catalogue loads ten times faster. Both construct plain data only."""


_TIMESTAMP = "tag:yaml.org,2002:timestamp"
_PLAIN_TAGS = (None, "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file."""

    file: Path
    data: Any
    """Mappings with text keys, lists, and scalars as YAML 1.1 types them."""
    lines: Mapping[FieldPath, int]
    """Line (from 1) of every key and list item."""
    digest: str
    """SHA-256 of the file's bytes, in hex."""


def read_document(file: Path) -> Document:
    """Read one YAML document.

    Raises ``InvalidFileError`` if the file cannot be read, is too large or too deep, is no YAML, holds other than
    one document, or uses anchors, tags of its own, duplicate keys or keys that are no text.
    """
    raw = _read(file)
    try:
        _check_events(raw)
        node = _Loader(raw).get_single_node()
        reader = _Reader(raw)
        data = reader.build(node, ()) if node is not None else None
    except yaml.YAMLError as error:
        raise InvalidFileError(_yaml_message(error), where=_place(file, error), remedy="mend the YAML") from error
    refuse(file, reader.problems, reader.lines)
    return Document(file, data, reader.lines, hashlib.sha256(raw).hexdigest())


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        what = error.strerror or str(error)
        raise InvalidFileError(f"cannot be read: {what}", where=str(file), remedy="check path and rights") from error
    if len(raw) > MAX_BYTES:
        raise InvalidFileError(f"is larger than {MAX_BYTES} bytes", where=str(file), remedy="split it")
    return raw


def _check_events(raw: bytes) -> None:
    """Refuse what could make a small file unbounded before anything recurses over it."""
    depth = 0
    for event in yaml.parse(raw, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _at(event.start_mark, "anchors and aliases are not supported")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if event.tag not in _PLAIN_TAGS:
                raise _at(event.start_mark, f"tag {event.tag} is not supported")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise _at(event.start_mark, f"nested deeper than {MAX_DEPTH}")


def _at(mark: Any, problem: str) -> yaml.MarkedYAMLError:  # noqa: ANN401 - either parser's mark
    return yaml.MarkedYAMLError(problem=problem, problem_mark=mark)


class _Reader:
    """Turns a node tree into data, noting lines and problems on the way."""

    def __init__(self, raw: bytes) -> None:
        self._scalars = _Loader(raw)
        self.lines: dict[FieldPath, int] = {}
        self.problems: list[Problem] = []

    def build(self, node: yaml.Node, path: FieldPath) -> Any:  # noqa: ANN401 - any YAML value
        self.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
        if node.tag == _TIMESTAMP:
            return node.value  # JSON has no dates: fields that want one parse it themselves, quoted or not
        try:
            return self._scalars.construct_object(node)
        except ValueError as error:  # e.g. !!int x
            raise _at(node.start_mark, str(error)) from error

    def _mapping(self, node: yaml.MappingNode, path: FieldPath) -> dict[str, Any]:
        built: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            if not isinstance(key, str) or key_node.tag != "tag:yaml.org,2002:str":
                shown = key if isinstance(key, str) else "a collection"
                self.problems.append(Problem((*path, str(shown)), "is a key that is no text", "quote it"))
                continue
            if key in built:
                line = key_node.start_mark.line + 1
                what = f"stands twice in this mapping, again at line {line}"
                self.problems.append(Problem((*path, key), what, "keep one of the two"))
                continue
            self.lines[*path, key] = key_node.start_mark.line + 1
            built[key] = self.build(value_node, (*path, key))
        return built


def _yaml_message(error: yaml.YAMLError) -> str:
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    return " ".join(str(problem).split())


def _place(file: Path, error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return f"{file}:{mark.line + 1}" if mark is not None else str(file)
