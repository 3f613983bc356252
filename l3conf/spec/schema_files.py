"""The published JSON schemas (draft 2020-12) and what they find wrong, said for people."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from l3conf.spec.package_data import package_file
from l3conf.spec.problems import FieldPath, Problem, suggestion

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError

MAX_ERRORS = 200
"""Errors read from one validation; a hostile file must not make millions of messages."""

_LABEL = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(?!\n)$"


@functools.cache
def load_schema(name: str) -> dict[str, Any]:
    """Return the schema of that name, e.g. ``topology`` or ``conformance-report``."""
    text = package_file("schemas", f"{name}.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


@functools.cache
def _validator(name: str) -> Draft202012Validator:
    # Imported here: jsonschema costs 60 ms that `l3conf list` does not need.
    from jsonschema import Draft202012Validator  # noqa: PLC0415

    return Draft202012Validator(load_schema(name))


def schema_problems(name: str, data: object) -> list[Problem]:
    """Return everything in ``data`` that the schema ``name`` does not allow; empty if nothing."""
    problems: list[Problem] = []
    for error in _validator(name).iter_errors(data):
        problems.extend(_explain(error))
        if len(problems) >= MAX_ERRORS:
            break
    return problems


@dataclass(frozen=True, slots=True)
class _Finding:
    """A ``ValidationError`` of jsonschema without its unset states."""

    keyword: str
    value: Any
    """The keyword's value in the schema."""
    instance: Any
    schema: Mapping[str, Any]
    message: str


def _explain(error: ValidationError) -> Iterator[Problem]:
    schema = error.schema if isinstance(error.schema, dict) else {}
    finding = _Finding(str(error.validator), error.validator_value, error.instance, schema, str(error.message))
    explain = _EXPLANATIONS.get(finding.keyword, _explain_other)
    yield from explain(finding, tuple(error.absolute_path))


def _explain_unknown_key(error: _Finding, path: FieldPath) -> Iterator[Problem]:
    known = set(error.schema.get("properties", {}))
    for key in error.instance.keys() - known:
        yield Problem((*path, str(key)), "unknown key", suggestion(str(key), known - error.instance.keys()))


def _explain_missing(error: _Finding, path: FieldPath) -> Iterator[Problem]:
    # jsonschema reports each missing key as an error of its own, but names it in the message only.
    missing = error.message.split("'")[1]
    about = error.schema.get("properties", {}).get(missing, {}).get("description", "")
    yield Problem((*path, missing), "missing", f"add it: {about}" if about else "add it")


def _explain_type(error: _Finding, path: FieldPath) -> Iterator[Problem]:
    wanted = str(error.value)
    remedy = "quote it" if wanted == "string" and _is_scalar(error.instance) else _TYPE_REMEDIES.get(wanted, "mend it")
    yield Problem(path, f"{_shown(error.instance)} is not of type {wanted}", remedy)


def _explain_choice(error: _Finding, path: FieldPath) -> Iterator[Problem]:
    choices = error.value if error.keyword == "enum" else [error.value]
    yield Problem(path, f"{_shown(error.instance)} is not allowed", suggestion(str(error.instance), map(str, choices)))


def _explain_pattern(error: _Finding, path: FieldPath) -> Iterator[Problem]:
    if error.value == _LABEL:
        remedy = "use lower-case letters, digits and dashes; begin and end with a letter or digit"
        yield Problem(path, f"{_shown(error.instance)} is not an RFC 1123 label", remedy)
        return
    about = error.schema.get("description", "")
    remedy = f"mend it: {about}" if about else "mend it"
    yield Problem(path, f"{_shown(error.instance)} does not match {error.value}", remedy)


def _explain_length(error: _Finding, path: FieldPath) -> Iterator[Problem]:
    limit = error.value
    if error.keyword == "maxLength":
        what = f"{_shown(error.instance)} has {len(error.instance)} characters, at most {limit} are allowed"
        yield Problem(path, what, "shorten it")
        return
    yield Problem(path, "is empty", "fill it in or leave the key out")


def _explain_other(error: _Finding, path: FieldPath) -> Iterator[Problem]:
    message = error.message
    yield Problem(path, message if len(message) <= MAX_SHOWN * 2 else f"breaks {error.keyword}", "see the schema")


_EXPLANATIONS = {
    "additionalProperties": _explain_unknown_key,
    "required": _explain_missing,
    "type": _explain_type,
    "enum": _explain_choice,
    "const": _explain_choice,
    "pattern": _explain_pattern,
    "minLength": _explain_length,
    "maxLength": _explain_length,
    "minItems": _explain_length,
}

_TYPE_REMEDIES = {
    "array": "write a list",
    "object": "write a mapping",
    "integer": "write a whole number",
    "number": "write a number",
    "boolean": "write true or false",
}

MAX_SHOWN = 80
"""Characters of a value that a message repeats."""


def _is_scalar(value: object) -> bool:
    return not isinstance(value, dict | list) and value is not None


def _shown(value: object) -> str:
    text = repr(value) if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 1]}…"
