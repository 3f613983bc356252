"""Structural schemas of custom resources: defaulting, pruning and validation, as apiextensions-apiserver does it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from l3conf.emulator.apiserver.schemas.defaulting import defaulted
from l3conf.emulator.apiserver.schemas.field_error import NO_FIELD, FieldError, FieldReason
from l3conf.emulator.apiserver.schemas.list_sets import duplicates
from l3conf.emulator.apiserver.schemas.pruning import prune
from l3conf.emulator.apiserver.schemas.ratcheting import unforgiven

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jsonschema import Draft4Validator

    from l3conf.emulator.apiserver.schemas.cel_rules import RuleChecker
    from l3conf.emulator.apiserver.schemas.json_value import JSON

_BLOCKING = frozenset(
    {
        FieldReason.DUPLICATE,
        FieldReason.NOT_SUPPORTED,
        FieldReason.REQUIRED,
        FieldReason.TOO_LONG,
        FieldReason.TOO_MANY,
        FieldReason.TYPE_INVALID,
    }
)
"""An object with such errors need not have the shape that rules rely on."""
_RULES_NOT_CHECKED = FieldError(
    NO_FIELD,
    FieldReason.INVALID,
    "Invalid value: null: some validation rules were not checked because the object was invalid; "
    "correct the existing errors to complete validation",
)


class StructuralSchema:
    """One version's ``openAPIV3Schema`` of a CustomResourceDefinition, ready for use on every request."""

    def __init__(self, openapi_v3_schema: Mapping[str, Any]) -> None:
        self.openapi: Mapping[str, Any] = openapi_v3_schema

    def default(self, obj: JSON) -> JSON:
        """Return ``obj`` with the schema's defaults filled in; ``obj`` itself is not changed."""
        return defaulted(obj, self.openapi)

    def prune(self, obj: JSON) -> tuple[JSON, list[str]]:
        """Return ``obj`` without fields the schema does not know, and the paths of those fields."""
        return prune(obj, self.openapi)

    def validate(self, obj: JSON, old: JSON = None) -> list[FieldError]:
        """Return all errors of ``obj``.

        ``old`` is what an update replaces: transition rules compare with it, and what was wrong before and did not
        change is tolerated.
        """
        from l3conf.emulator.apiserver.schemas.value_validation import schema_errors  # noqa: PLC0415  # jsonschema: 110 ms

        errors = schema_errors(self._validator, obj)
        errors += duplicates(obj, self.openapi)
        if old is not None:
            errors = unforgiven(errors, obj, old, self.openapi)
        return errors + self._rule_errors(obj, old, errors)

    def _rule_errors(self, obj: JSON, old: JSON, errors: list[FieldError]) -> list[FieldError]:
        if self._rules is None:
            return []
        if any(error.reason in _BLOCKING for error in errors):
            return [_RULES_NOT_CHECKED]
        return self._rules.check(obj, old)

    @cached_property
    def _rules(self) -> RuleChecker | None:
        from l3conf.emulator.apiserver.schemas.cel_rules import RuleChecker, has_rules  # noqa: PLC0415  # lazy

        return RuleChecker(self.openapi) if has_rules(self.openapi) else None

    @cached_property
    def _validator(self) -> Draft4Validator:
        from l3conf.emulator.apiserver.schemas.value_validation import validator_for  # noqa: PLC0415

        return validator_for(self.openapi)
