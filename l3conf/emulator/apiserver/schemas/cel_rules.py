"""``x-kubernetes-validations``: rules in CEL, compiled once per schema and evaluated by the ``cel`` package.

That package (PyPI: common-expression-language) wraps a Rust interpreter: a rule over a list of ten costs tens of
microseconds, where the pure Python cel-python takes milliseconds. It is imported when the first rule must run.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from l3conf.emulator.apiserver.schemas import cel_library
from l3conf.emulator.apiserver.schemas.cel_values import Converter
from l3conf.emulator.apiserver.schemas.field_error import NO_FIELD, FieldError, FieldReason, invalid, shown
from l3conf.emulator.apiserver.schemas.list_sets import child_schema, item_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cel import Context, Program

    from l3conf.emulator.apiserver.schemas.json_value import JSON

_RULES = "x-kubernetes-validations"
_BOUND = re.compile(r"\.\s*(?:all|exists|exists_one|map|filter)\s*\(\s*(\w+)\s*,")
_OLD = "oldSelf"
_SELVES = frozenset({"self", _OLD})
_ABSENT = object()
"""No old value to compare with, which is not the same as an old null."""


class RuleError(ValueError):
    """A rule that does not compile."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One compiled rule."""

    source: str
    program: Program
    message: str
    message_program: Program | None
    reason: FieldReason
    field_path: str
    is_transition: bool
    optional_old: bool


def has_rules(schema: Mapping[str, Any]) -> bool:
    """Tell whether a schema has rules at all, at any depth."""
    return bool(schema.get(_RULES)) or any(has_rules(sub) for sub in _subschemas(schema))


def compile_rule(rule: Mapping[str, Any]) -> Rule:
    """Compile an entry of ``x-kubernetes-validations``; RuleError says what is wrong with it."""
    source = str(rule.get("rule", ""))
    program = compiled(source)
    message = rule.get("messageExpression")
    return Rule(
        source=source,
        program=program,
        message=str(rule.get("message", "")).strip(),
        message_program=compiled(message) if message else None,
        reason=FieldReason(rule.get("reason", FieldReason.INVALID)),
        field_path=str(rule.get("fieldPath", "")),
        is_transition=_OLD in program.variables(),
        optional_old=rule.get("optionalOldSelf") is True,
    )


@functools.lru_cache(maxsize=1024)
def compiled(source: str, known: frozenset[str] = _SELVES) -> Program:
    """Compile an expression and check that it calls and reads only what exists; RuleError otherwise.

    ``known`` names the variables that it will find.
    """
    import cel  # noqa: PLC0415  # 140 ms, and most schemas have no rules

    if not source.strip():
        raise RuleError("rule is not specified")
    try:
        program = cel.compile(source)
    except ValueError as error:
        raise RuleError(f"compilation failed: {error}") from error
    functions = {name for name in program.functions() if name.isidentifier()}
    variables = set(program.variables()) - set(_BOUND.findall(source))
    strays = functions - cel_library.FUNCTIONS.keys() - _STANDARD_FUNCTIONS
    strays |= variables - known - cel_library.LIBRARIES.keys() - _STANDARD_VARIABLES
    if strays:
        names = ", ".join(f"'{name}'" for name in sorted(strays))
        raise RuleError(f"compilation failed: ERROR: undeclared reference to {names} (in container '')")
    return program


class RuleChecker:
    """All rules of one schema. Not for use by several threads."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        import cel  # noqa: PLC0415  # as above

        self._cel = cel
        self._schema = schema
        self._context: Context = cel.Context(
            variables=dict(cel_library.LIBRARIES), functions=dict(cel_library.FUNCTIONS)
        )
        self._rules: dict[int, list[Rule]] = {}
        self._converter = Converter()

    def check(self, obj: JSON, old: JSON = None) -> list[FieldError]:
        """Return the errors of all rules that ``obj`` breaks; ``old`` is None for a creation.

        Of a part that did not change only transition rules are asked: an old fault is tolerated (KEP-4008).
        """
        return list(self._walk(_Part(obj, _ABSENT if old is None else old, self._schema, ""), unchanged=False))

    def _walk(self, part: _Part, *, unchanged: bool) -> Iterator[FieldError]:
        if part.value is None:
            return
        same = unchanged or (part.old is not _ABSENT and part.value == part.old)
        for rule in self._rules_of(part.schema):
            if rule.is_transition or not same:
                yield from self._evaluated(rule, part)
        for child in part.children():
            yield from self._walk(child, unchanged=same)

    def _rules_of(self, schema: Mapping[str, Any]) -> list[Rule]:
        """Return the rules of one node of our schema, which outlives this object's use of its identity."""
        known = self._rules.get(id(schema))
        if known is None:
            known = self._rules[id(schema)] = [compile_rule(rule) for rule in schema.get(_RULES, ())]
        return known

    def _evaluated(self, rule: Rule, part: _Part) -> Iterator[FieldError]:
        if rule.is_transition and part.old is _ABSENT and not rule.optional_old:
            return
        self._context.add_variable("self", self._converter.to_cel(part.value, part.schema))
        if rule.is_transition:
            self._context.add_variable(_OLD, self._old_value(rule, part.old, part.schema))
        try:
            holds = rule.program.execute(self._context)
        except Exception as error:  # noqa: BLE001  # the interpreter raises whatever fits; each is an evaluation error
            why = f"no such key: {error.args[0]}" if isinstance(error, KeyError) else str(error)
            yield invalid(part.path or NO_FIELD, part.schema.get("type", ""), f"{why} evaluating rule: {rule.source}")
            return
        if holds is not True:
            yield _broken(rule, part, self._message(rule))

    def _old_value(self, rule: Rule, old: JSON, schema: Mapping[str, Any]) -> JSON:
        if not rule.optional_old:
            return self._converter.to_cel(old, schema)
        if old is _ABSENT:
            return self._cel.OptionalValue.none()
        return self._cel.OptionalValue.of(self._converter.to_cel(old, schema))

    def _message(self, rule: Rule) -> str:
        if rule.message_program is not None:
            try:
                text = rule.message_program.execute(self._context)
            except Exception:  # noqa: BLE001  # as kube-apiserver: fall back to the fixed message
                text = ""
            if isinstance(text, str) and text.strip():
                return text.strip()
        return rule.message or f"failed rule: {rule.source.strip()}"


@dataclass(frozen=True, slots=True)
class _Part:
    """A value, its predecessor, its schema and its path."""

    value: JSON
    old: JSON
    schema: Mapping[str, Any]
    path: str

    def children(self) -> Iterator[_Part]:
        """Yield the parts below that the schema knows."""
        if isinstance(self.value, dict):
            for name, child in self.value.items():
                below = child_schema(self.schema, name)
                if below is not None:
                    before = self.old.get(name, _ABSENT) if isinstance(self.old, dict) else _ABSENT
                    yield _Part(child, before, below, f"{self.path}.{name}" if self.path else name)
        elif isinstance(self.value, list) and isinstance(self.schema.get("items"), dict):
            for position, item in enumerate(self.value):
                yield _Part(item, self._twin(item), self.schema["items"], f"{self.path}[{position}]")

    def _twin(self, item: JSON) -> JSON:
        """Return the old item with the same keys; items of other lists than map lists have no identity."""
        if self.schema.get("x-kubernetes-list-type") != "map" or not isinstance(self.old, list):
            return _ABSENT
        key = item_key(item, self.schema)
        return next((candidate for candidate in self.old if item_key(candidate, self.schema) == key), _ABSENT)


def _broken(rule: Rule, part: _Part, detail: str) -> FieldError:
    """Return the error of a rule that does not hold; scalars are shown, objects and lists are not."""
    where = f"{part.path}{rule.field_path}".removeprefix(".") or NO_FIELD
    shown_value = "" if isinstance(part.value, dict | list) else f": {shown(part.value)}"
    heads = {
        FieldReason.REQUIRED: f"Required value: {detail}",
        FieldReason.FORBIDDEN: f"Forbidden: {detail}",
        FieldReason.DUPLICATE: f"Duplicate value{shown_value}",
    }
    return FieldError(where, rule.reason, heads.get(rule.reason, f"Invalid value{shown_value}: {detail}"))


def _subschemas(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from schema.get("properties", {}).values()
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), dict):
            yield schema[name]


_STANDARD_FUNCTIONS = frozenset(
    [
        "bool",
        "bytes",
        "contains",
        "double",
        "duration",
        "dyn",
        "endsWith",
        "getDate",
        "getDayOfMonth",
        "getDayOfWeek",
        "getDayOfYear",
        "getFullYear",
        "getHours",
        "getMilliseconds",
        "getMinutes",
        "getMonth",
        "getSeconds",
        "has",
        "hasValue",
        "int",
        "matches",
        "none",
        "of",
        "ofNonZeroValue",
        "or",
        "orValue",
        "size",
        "startsWith",
        "string",
        "timestamp",
        "type",
        "uint",
        "value",
    ]
)
"""CEL's own, by name."""
_STANDARD_VARIABLES = frozenset(
    {"optional", "bool", "bytes", "double", "int", "list", "map", "null_type", "string", "type", "uint"}
)
"""Namespaces and types, which the interpreter reports as variables."""
