"""JSON-schema part of validating a custom resource, with kube-apiserver's wording.

The walk over schema and object is the ``jsonschema`` library's (Draft 4, which OpenAPI 3.0 derives from); added is
what Kubernetes does its own way: ``nullable``, int-or-string, Go's formats and RE2 patterns, and the messages of
kube-openapi's validator.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from jsonschema import Draft4Validator, ValidationError
from jsonschema.validators import extend

from l3conf.emulator.apiserver.schemas import field_error, formats
from l3conf.emulator.apiserver.schemas.field_error import NO_FIELD, FieldError, FieldReason
from l3conf.emulator.apiserver.schemas.json_value import JSON, kind_of
from l3conf.emulator.apiserver.schemas.patterns import compiled_pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

_OBJECT_FIELDS = ("apiVersion", "kind")
_INTEGER_RANGES = {"int32": 2**31, "int64": 2**63}


def schema_errors(validator: Draft4Validator, value: JSON) -> list[FieldError]:
    """Return what is wrong with ``value``, in the order of the schema."""
    return [error for found in validator.iter_errors(value) for error in _worded(found)]


def validator_for(schema: Mapping[str, Any]) -> Draft4Validator:
    """Return a validator that may be used any number of times; building it costs some microseconds."""
    return cast("Draft4Validator", _StructuralValidator(schema))


def json_path(parts: Iterable[str | int]) -> str:
    """Return ``spec.subnets[0]`` for ``("spec", "subnets", 0)``."""
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    return path.removeprefix(".")


# What Kubernetes checks its own way. Signature and laziness are those of jsonschema's keyword functions.


def _check_type(_: object, expected: str, value: JSON, schema: Mapping[str, Any]) -> Iterator[ValidationError]:
    found = kind_of(value)
    if found == expected or (expected == "number" and found == "integer"):
        return
    if found == "null" and schema.get("nullable") is True:
        return
    yield ValidationError(expected)


def _check_int_or_string(_: object, wanted: JSON, value: JSON, schema: Mapping[str, Any]) -> Iterator[ValidationError]:
    if wanted is not True or kind_of(value) in {"integer", "string"}:
        return
    if value is not None or schema.get("nullable") is not True:
        yield ValidationError("integer,string")


def _check_format(_: object, name: str, value: JSON, schema: Mapping[str, Any]) -> Iterator[ValidationError]:
    if isinstance(value, str) and schema.get("type", "string") == "string":
        if not formats.check(name, value):
            yield ValidationError(name)
    elif kind_of(value) == "integer" and name in _INTEGER_RANGES and schema.get("type") == "integer":
        limit = _INTEGER_RANGES[name]
        if not -limit <= value < limit:
            yield ValidationError(name)


def _check_pattern(_: object, pattern: str, value: JSON, __: Mapping[str, Any]) -> Iterator[ValidationError]:
    if isinstance(value, str) and not compiled_pattern(pattern).found_in(value):
        yield ValidationError(pattern)


def _check_embedded(_: object, wanted: JSON, value: JSON, __: Mapping[str, Any]) -> Iterator[ValidationError]:
    if wanted is True and isinstance(value, dict):
        for name in _OBJECT_FIELDS:
            if not value.get(name):
                yield ValidationError(name, validator="required", validator_value=[name])


def _check_required(_: object, names: list[str], value: JSON, __: Mapping[str, Any]) -> Iterator[ValidationError]:
    if isinstance(value, dict):
        for name in names:
            if name not in value:
                yield ValidationError(name)


_StructuralValidator = extend(  # type: ignore[no-untyped-call]  # jsonschema leaves it unannotated
    Draft4Validator,
    {
        "type": _check_type,
        "format": _check_format,
        "pattern": _check_pattern,
        "required": _check_required,
        "x-kubernetes-int-or-string": _check_int_or_string,
        "x-kubernetes-embedded-resource": _check_embedded,
        "$ref": None,
        "dependencies": None,
    },
)


# Wording, one entry per keyword: kube-openapi's pkg/validation/errors and apiextensions' translation of them.


def _worded(error: ValidationError) -> Iterator[FieldError]:
    path = json_path(error.absolute_path)
    keyword = str(error.validator)
    if keyword in _COMPOSITES:
        yield FieldError(NO_FIELD, FieldReason.INVALID, f'Invalid value: "": "{path}" {_COMPOSITES[keyword](error)}')
        yield from _nearest_branch(error)
    else:
        yield _WORDINGS.get(keyword, _generic)(error, path)


def _nearest_branch(error: ValidationError) -> Iterator[FieldError]:
    """Return the complaints of the alternative that came closest, as a hint."""
    branches: dict[Any, list[ValidationError]] = {}
    for inner in error.context or ():
        branches.setdefault(inner.schema_path[0], []).append(inner)
    for inner in min(branches.values(), key=len, default=[]):
        yield from _worded(inner)


def _type(error: ValidationError, path: str) -> FieldError:
    found = kind_of(error.instance)
    return field_error.type_invalid(path, found, f'{path} in body must be of type {error.message}: "{found}"')


def _format(error: ValidationError, path: str) -> FieldError:
    name, value = error.message, error.instance
    if name in _INTEGER_RANGES:
        detail = f"Checked value must be of type integer with format {name} in {path}"
        return field_error.invalid(path, value, detail)
    shown = field_error.shown(value)
    return field_error.type_invalid(path, value, f"{path} in body must be of type {name}: {shown}")


def _required(error: ValidationError, path: str) -> FieldError:
    return field_error.required(f"{path}.{error.message}".removeprefix("."))


def _enum(error: ValidationError, path: str) -> FieldError:
    return field_error.not_supported(path, error.instance, cast("list[Any]", error.validator_value))


def _bound(relation: str, strict: str, exclusive: str) -> Callable[[ValidationError, str], FieldError]:
    def word(error: ValidationError, path: str) -> FieldError:
        schema = cast("Mapping[str, Any]", error.schema)
        words = strict if schema.get(exclusive) is True else relation
        return field_error.invalid(path, error.instance, f"{path} in body should be {words} {error.validator_value}")

    return word


def _should(words: str, shown: Callable[[JSON], JSON]) -> Callable[[ValidationError, str], FieldError]:
    def word(error: ValidationError, path: str) -> FieldError:
        detail = f"{path} in body {words.format(error.validator_value)}"
        return field_error.invalid(path, shown(error.instance), detail)

    return word


def _generic(error: ValidationError, path: str) -> FieldError:
    return field_error.invalid(path, error.instance, error.message)


def _itself(value: JSON) -> JSON:
    return value


def _too_many(error: ValidationError, path: str) -> FieldError:
    return field_error.too_many(path, len(cast("list[Any]", error.instance)), cast("int", error.validator_value))


_WORDINGS: dict[str, Callable[[ValidationError, str], FieldError]] = {
    "type": _type,
    "x-kubernetes-int-or-string": _type,
    "format": _format,
    "required": _required,
    "x-kubernetes-embedded-resource": _required,
    "enum": _enum,
    "minimum": _bound("greater than or equal to", "greater than", "exclusiveMinimum"),
    "maximum": _bound("less than or equal to", "less than", "exclusiveMaximum"),
    "multipleOf": _should("should be a multiple of {}", _itself),
    "pattern": _should("should match '{}'", _itself),
    "minLength": _should("should be at least {} chars long", _itself),
    "maxLength": lambda error, path: field_error.too_long(path, cast("int", error.validator_value)),
    "minItems": _should("should have at least {} items", len),
    "maxItems": _too_many,
    "uniqueItems": _should("shouldn't contain duplicates", lambda _: ""),
    "minProperties": _should("should have at least {} properties", len),
    "maxProperties": _too_many,
}


def _alternatives(error: ValidationError) -> str:
    branches = cast("list[Mapping[str, Any]]", error.validator_value)
    count = sum(validator_for(branch).is_valid(error.instance) for branch in branches)
    return f"{count} valid alternatives" if count else "none valid"


_COMPOSITES: dict[str, Callable[[ValidationError], str]] = {
    "anyOf": lambda _: "must validate at least one schema (anyOf)",
    "oneOf": lambda error: f"must validate one and only one schema (oneOf). Found {_alternatives(error)}",
    "not": lambda _: "must not validate the schema (not)",
}
