"""What makes an ``openAPIV3Schema`` structural and complete (KEP-1979 of apiextensions, "structural schemas")."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from l3conf.emulator.apiserver.schemas.field_error import forbidden, invalid, not_supported, required
from l3conf.emulator.apiserver.schemas.list_type_rules import list_problems
from l3conf.emulator.apiserver.schemas.patterns import compiled_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from l3conf.emulator.apiserver.schemas.field_error import FieldError

_TYPES = ("array", "boolean", "integer", "number", "object", "string")
_UNSUPPORTED = ("$ref", "additionalItems", "definitions", "dependencies", "deprecated", "discriminator", "id")
_UNSUPPORTED_TOO = ("patternProperties", "readOnly", "writeOnly", "xml")
_JUNCTORS = ("allOf", "anyOf", "oneOf")
_ONLY_OUTSIDE_JUNCTORS = ("additionalProperties", "default", "description", "nullable", "title", "type")
_INT_OR_STRING = "x-kubernetes-int-or-string"
_PRESERVE = "x-kubernetes-preserve-unknown-fields"
_EMBEDDED = "x-kubernetes-embedded-resource"
_RULES = "x-kubernetes-validations"


def schema_problems(schema: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    """Yield everything that is wrong with a version's schema."""
    if schema.get("type") != "object":
        if schema.get("type"):
            yield invalid(f"{path}.type", schema["type"], "must be object at the root")
        else:
            yield required(f"{path}.type", "must not be empty at the root")
    if "additionalProperties" in schema:
        yield forbidden(f"{path}.additionalProperties", "must not be used at the root")
    if schema.get("nullable") is True:
        yield forbidden(f"{path}.nullable", "nullable cannot be true at the root")
    yield from _metadata(schema.get("properties", {}).get("metadata") or {}, f"{path}.properties[metadata]")
    yield from _node(schema, path, is_root=True)


def _metadata(schema: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    if set(schema.get("properties", {})) - {"name", "generateName"} or "additionalProperties" in schema:
        detail = "must not specify anything other than name and generateName, but metadata is implicitly specified"
        yield forbidden(path, detail)


def _node(schema: Mapping[str, Any], path: str, *, is_root: bool = False) -> Iterator[FieldError]:
    yield from _keywords(schema, path)
    if not is_root:
        yield from _type(schema, path)
    yield from _extensions(schema, path)
    yield from list_problems(schema, path)
    yield from _pattern(schema, path)
    for junctor in _JUNCTORS:
        for position, branch in enumerate(schema.get(junctor) or ()):
            yield from _branch(branch, schema, f"{path}.{junctor}[{position}]")
    if isinstance(schema.get("not"), dict):
        yield from _branch(schema["not"], schema, f"{path}.not")
    for name, sub in (schema.get("properties") or {}).items():
        yield from _node(sub, f"{path}.properties[{name}]")
    for name in ("additionalProperties", "items"):
        if isinstance(schema.get(name), dict):
            yield from _node(schema[name], f"{path}.{name}")
    yield from _default(schema, path)
    yield from _rules(schema, path)


def _keywords(schema: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    for name in (*_UNSUPPORTED, *_UNSUPPORTED_TOO):
        if name in schema:
            yield forbidden(f"{path}.{name}", f"{name} is not supported")
    if schema.get("uniqueItems") is True:
        detail = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        yield forbidden(f"{path}.uniqueItems", detail)
    if schema.get("additionalProperties") is False:
        yield forbidden(f"{path}.additionalProperties", "additionalProperties cannot be set to false")
    if schema.get("properties") and "additionalProperties" in schema:
        detail = "additionalProperties and properties are mutual exclusive"
        yield forbidden(f"{path}.additionalProperties", detail)
    if schema.get("type") == "array" and "items" not in schema:
        yield required(f"{path}.items", "must be specified")
    if "items" in schema and not isinstance(schema["items"], dict):
        yield forbidden(f"{path}.items", "items must be a schema object and not an array")


def _type(schema: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    kind = schema.get("type")
    if kind and kind not in _TYPES:
        yield not_supported(f"{path}.type", kind, _TYPES)
    free = schema.get(_INT_OR_STRING) is True or schema.get(_PRESERVE) is True
    if not kind and not free:
        place = "array items" if path.endswith(".items") else "object fields"
        yield required(f"{path}.type", f"must not be empty for specified {place}")
    if kind and schema.get(_INT_OR_STRING) is True:
        yield forbidden(f"{path}.type", f"must be empty if {_INT_OR_STRING} is true")


def _extensions(schema: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    if schema.get(_PRESERVE) is False:
        yield invalid(f"{path}.{_PRESERVE}", value=False, detail="must be true or undefined")
    if schema.get(_EMBEDDED) is True:
        if schema.get("type") != "object":
            yield invalid(f"{path}.type", schema.get("type", ""), f"must be object if {_EMBEDDED} is true")
        if not schema.get("properties") and schema.get(_PRESERVE) is not True:
            detail = f"must not be empty if {_EMBEDDED} is true without {_PRESERVE}"
            yield required(f"{path}.properties", detail)


def _pattern(schema: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    pattern = schema.get("pattern")
    if pattern:
        try:
            compiled_pattern(pattern)
        except ValueError as error:
            detail = f"must be a valid regular expression, but isn't: {error}"
            yield invalid(f"{path}.pattern", pattern, detail)


def _branch(branch: Mapping[str, Any], skeleton: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    """Check a branch of allOf, anyOf, oneOf or not: it may restrict values, but not introduce fields or types."""
    yield from _structure_in_branch(branch, skeleton, path)
    yield from _pattern(branch, path)
    known = skeleton.get("properties") or {}
    for name, sub in (branch.get("properties") or {}).items():
        if name in known:
            yield from _branch(sub, known[name], f"{path}.properties[{name}]")
        else:
            where = path.partition("openAPIV3Schema")[0]
            yield required(f"{where}openAPIV3Schema.properties[{name}]", f"because it is defined in {path}")
    if isinstance(branch.get("items"), dict) and isinstance(skeleton.get("items"), dict):
        yield from _branch(branch["items"], skeleton["items"], f"{path}.items")
    for junctor in _JUNCTORS:
        for position, inner in enumerate(branch.get(junctor) or ()):
            yield from _branch(inner, skeleton, f"{path}.{junctor}[{position}]")
    if isinstance(branch.get("not"), dict):
        yield from _branch(branch["not"], skeleton, f"{path}.not")


def _structure_in_branch(branch: Mapping[str, Any], skeleton: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    kinds_of_int_or_string = skeleton.get(_INT_OR_STRING) is True and branch.get("type") in {"integer", "string"}
    for name in _ONLY_OUTSIDE_JUNCTORS:
        if name in branch and not (name == "type" and kinds_of_int_or_string):
            words = "undefined" if name == "additionalProperties" else "empty"
            yield forbidden(f"{path}.{name}", f"must be {words} to be structural")
    for name in branch:
        if name.startswith("x-kubernetes-") and name != _RULES:
            yield forbidden(f"{path}.{name}", "must be false to be structural")


def _default(schema: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    """Check that a default would pass the schema that it stands in."""
    if "default" not in schema:
        return
    from l3conf.emulator.apiserver.schemas.structural import StructuralSchema  # noqa: PLC0415  # pays for jsonschema

    wrapped = StructuralSchema({"type": "object", "properties": {"default": schema}})
    pruned, unknown = wrapped.prune({"default": schema["default"]})
    if unknown:
        yield invalid(f"{path}.default", schema["default"], "must not have unknown fields")
    for error in wrapped.validate(wrapped.default(pruned)):
        yield invalid(f"{path}.{error.path}", schema["default"], error.message)


def _rules(schema: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    for position, rule in enumerate(schema.get(_RULES) or ()):
        here = f"{path}.{_RULES}[{position}]"
        if not str(rule.get("rule", "")).strip():
            yield required(f"{here}.rule", "rule is not specified")
            continue
        if "\n" in rule["rule"].strip() and not rule.get("message") and not rule.get("messageExpression"):
            yield required(f"{here}.message", "message must be specified if rule contains line breaks")
        yield from _compiles(rule, here)


def _compiles(rule: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    from l3conf.emulator.apiserver.schemas import cel_rules  # noqa: PLC0415  # pays for the interpreter

    reasons = ("FieldValueInvalid", "FieldValueForbidden", "FieldValueRequired", "FieldValueDuplicate")
    if rule.get("reason", reasons[0]) not in reasons:
        yield not_supported(f"{path}.reason", rule["reason"], reasons)
    for field in ("rule", "messageExpression"):
        if rule.get(field):
            try:
                cel_rules.compiled(rule[field])
            except cel_rules.RuleError as error:
                yield invalid(f"{path}.{field}", rule[field], str(error))
