"""Field names, types and descriptions of Kubernetes' own types, read from the official ``kubernetes`` package.

Its generated model classes are the best-kept description of the API in Python, but importing those behind Pod takes
0.6 s and 40 MB of pydantic models, which an API server on the emulator's only thread cannot afford. Each class holds
the same facts as plain literals, so this module reads the source files of the types asked for (0.2 ms each) and
evaluates those literals; nothing of the package is imported. Both generations of the package are understood: plain
classes (up to release 35) and pydantic models.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from l3conf.errors import MissingPrerequisiteError

if TYPE_CHECKING:
    from collections.abc import Mapping

_LITERAL = r"^    {name}\b[^=\n]*= (\{{.*?\}})"
_PYDANTIC_FIELD = re.compile(
    r"^    (\w+): (?P<type>[^=\n]+) = Field\(.*?description=(?P<text>\"(?:[^\"\\]|\\.)*\")", re.MULTILINE
)
_PYDANTIC_REQUIRED = re.compile(
    r"^    (\w+): (?!Optional\[|ClassVar\[)[^=\n]+(?: = Field\((?!default=)|$)", re.MULTILINE
)
_PYDANTIC_TYPE = re.compile(
    r'^class \w+\(BaseModel\):\n    """\n    (.*?)(?:\n\n    Attributes:|\n    """)', re.MULTILINE | re.DOTALL
)
_PLAIN_FIELD = re.compile(
    r'"""Gets the (\w+) of this \w+\.\s*(?:# noqa: E501)?\n\n\s*(?P<text>.*?)\s*(?:# noqa: E501)?\n\n', re.DOTALL
)
_PLAIN_REQUIRED = re.compile(r"Invalid value for `(\w+)`, must not be `None`")


@dataclass(frozen=True, slots=True)
class Model:
    """One type: its fields by JSON name."""

    name: str
    """Class name in the package: ``V1PodSpec``, ``CoreV1EndpointPort``."""
    types: Mapping[str, str]
    """JSON name → type as the generator writes it: ``str``, ``List[V1Container]``, ``Dict[str, str]``, ``object`` …"""


@dataclass(frozen=True, slots=True)
class ModelDocs:
    """What people read about a type."""

    text: str
    fields: Mapping[str, str]
    """JSON name → description."""
    required: frozenset[str]
    """JSON names."""


def exists(name: str) -> bool:
    """Tell whether the installed package has a class of that name."""
    return _file(name).is_file()


@functools.cache
def model(name: str) -> Model:
    """Return the fields of a class of the package; KeyError if it has none of that name."""
    names = _literal(name, "attribute_map")
    types = _literal(name, "openapi_types")
    return Model(name, {names[attribute]: type_name for attribute, type_name in types.items()})


def docs(name: str) -> ModelDocs:
    """Return descriptions; not cached, as only OpenAPI documents need them and those are cached themselves."""
    source = _source(name)
    names = _literal(name, "attribute_map")
    texts = {found[1]: cast("str", ast.literal_eval(found["text"])) for found in _PYDANTIC_FIELD.finditer(source)}
    texts |= {found[1]: found["text"].replace('\\"', '"') for found in _PLAIN_FIELD.finditer(source)}
    required = {*_PLAIN_REQUIRED.findall(source), *_PYDANTIC_REQUIRED.findall(source)}
    headline = _PYDANTIC_TYPE.search(source)
    return ModelDocs(
        text=" ".join(headline[1].split()) if headline else "",
        fields={names[attribute]: text for attribute, text in texts.items() if attribute in names},
        required=frozenset(names[attribute] for attribute in required if attribute in names),
    )


def _literal(name: str, attribute: str) -> dict[str, str]:
    found = re.search(_LITERAL.format(name=attribute), _source(name), re.MULTILINE | re.DOTALL)
    if found is None:
        raise KeyError(name)
    return cast("dict[str, str]", ast.literal_eval(found[1]))


@functools.lru_cache(maxsize=8)
def _source(name: str) -> str:
    try:
        return _file(name).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise KeyError(name) from None


def _file(name: str) -> Path:
    words = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    words = re.sub(r"([a-z\d])([A-Z])", r"\1_\2", words)
    return _directory() / f"{words.lower()}.py"


@functools.cache
def _directory() -> Path:
    spec = importlib.util.find_spec("kubernetes")
    if spec is None or not spec.submodule_search_locations:
        raise MissingPrerequisiteError(
            "the Python package kubernetes is not installed", remedy="pip install kubernetes"
        )
    return Path(spec.submodule_search_locations[0]) / "client" / "models"
