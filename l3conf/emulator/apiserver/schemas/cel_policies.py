"""The expressions of a ValidatingAdmissionPolicy: compiled once, evaluated against one write.

As in kube-apiserver, a variable is evaluated where it is used: its error is the error of what reads it. Not here:
``params``, ``authorizer``, and the functions that ``cel_library`` names as missing; a policy that uses them does not
compile. Property names are taken as they are, without escapes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from l3conf.emulator.apiserver.schemas import cel_library
from l3conf.emulator.apiserver.schemas.cel_rules import RuleError, compiled
from l3conf.emulator.apiserver.schemas.field_error import FieldError, invalid

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cel import Context

    from l3conf.emulator.apiserver.schemas.json_value import JSON

_KNOWN = frozenset({"object", "oldObject", "request", "namespaceObject", "variables"})


class EvaluationError(Exception):
    """An expression that has no value for this write, or one of the wrong type."""


@dataclass(frozen=True, slots=True)
class Denial:
    """A validation that does not hold."""

    message: str
    reason: str
    """StatusReason; "" is Invalid."""


def policy_problems(spec: Mapping[str, Any]) -> Iterator[FieldError]:
    """Yield what does not compile, and what this server cannot evaluate."""
    if spec.get("paramKind"):
        yield invalid("spec.paramKind", "", "policies with parameters are not evaluated by this API server")
    if not spec.get("validations") and not spec.get("auditAnnotations"):
        yield invalid("spec.validations", "", "validations or auditAnnotations must contain at least one item")
    for where, source in _expressions(spec):
        try:
            compiled(source, _KNOWN)
        except RuleError as error:
            yield invalid(where, source, str(error))


def _expressions(spec: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for group in ("matchConditions", "variables", "validations"):
        for index, entry in enumerate(spec.get(group) or ()):
            for name in ("expression", "messageExpression"):
                if name in entry:
                    yield f"spec.{group}[{index}].{name}", str(entry[name])


class Evaluation:
    """One policy's expressions over one write."""

    def __init__(self, spec: Mapping[str, Any], facts: Mapping[str, JSON]) -> None:
        """``facts``: ``object``, ``oldObject``, ``request`` and ``namespaceObject``."""
        import cel  # noqa: PLC0415  # 140 ms that a server without policies does not need

        self._spec = spec
        self._variables: dict[str, JSON] = {}
        self._context: Context = cel.Context(
            variables={**cel_library.LIBRARIES, **facts, "variables": self._variables},
            functions=dict(cel_library.FUNCTIONS),
        )

    def applies(self) -> bool:
        """Say whether all match conditions hold; ``EvaluationError`` if one has no value and none is false."""
        broken: EvaluationError | None = None
        for condition in self._spec.get("matchConditions") or ():
            try:
                if self._value(condition["expression"]) is not True:
                    return False
            except EvaluationError as error:
                broken = error
        if broken is not None:
            raise broken
        return True

    def denials(self) -> Iterator[Denial]:
        """Yield the validations that do not hold; ``EvaluationError`` at one that has no value."""
        self._evaluate_variables()
        for validation in self._spec.get("validations") or ():
            source = str(validation["expression"])
            if self._value(source) is not True:
                message = self._message(validation) or f"failed expression: {source.strip()}"
                yield Denial(message=message, reason=str(validation.get("reason") or ""))

    def _evaluate_variables(self) -> None:
        """Give the variables values in their order; one without a value is left out, so that reading it fails."""
        for variable in self._spec.get("variables") or ():
            try:
                self._variables[variable["name"]] = self._value(variable["expression"])
            except EvaluationError:
                continue
            self._context.add_variable("variables", dict(self._variables))

    def _message(self, validation: Mapping[str, Any]) -> str:
        if validation.get("messageExpression"):
            try:
                text = self._value(validation["messageExpression"])
            except EvaluationError:
                text = ""
            if isinstance(text, str) and text.strip():
                return text.strip()
        return str(validation.get("message") or "").strip()

    def _value(self, source: str) -> JSON:
        try:
            return compiled(source, _KNOWN).execute(self._context)
        except Exception as error:  # the interpreter raises whatever fits; each is an evaluation error
            why = f"no such key: {error.args[0]}" if isinstance(error, KeyError) else str(error)
            raise EvaluationError(f"expression '{source}' resulted in error: {why}") from error
