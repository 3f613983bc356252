"""Label selectors as Kubernetes has them (``metav1.LabelSelector``)."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from reference_impl.protocols.object_codec import MalformedObjectError

if TYPE_CHECKING:
    from collections.abc import Iterable

Labels: TypeAlias = Mapping[str, str]
_NAME = r"(?=.{1,63}$)[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?"
_DOMAIN = r"(?=[^/]{1,253}/)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/"
_KEY = re.compile(rf"({_DOMAIN})?{_NAME}")
_VALUE = re.compile(rf"({_NAME})?")


class Operator(enum.Enum):
    """How a requirement compares, as of ``metav1.LabelSelectorRequirement``."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


@dataclass(frozen=True, slots=True)
class Requirement:
    """One demand on an object's labels."""

    key: str
    operator: Operator
    values: frozenset[str] = frozenset()

    def matches(self, labels: Labels) -> bool:
        """Say whether labels meet it; a label that is missing is in no set (``NotIn`` matches, as in Kubernetes)."""
        match self.operator:
            case Operator.IN:
                return labels.get(self.key) in self.values
            case Operator.NOT_IN:
                return labels.get(self.key) not in self.values
            case Operator.EXISTS:
                return self.key in labels
            case Operator.DOES_NOT_EXIST:
                return self.key not in labels


@dataclass(frozen=True, slots=True)
class Selector:
    """All requirements must be met; none selects everything."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Labels) -> bool:
        """Say whether an object with these labels is selected."""
        return all(each.matches(labels) for each in self.requirements)


def parse_selector(found: object, where: str) -> Selector:
    """Read a ``metav1.LabelSelector``; ``MalformedObjectError`` names the field. ``where``: the path of the field."""
    if not isinstance(found, Mapping):
        raise MalformedObjectError(f"{where}: not a label selector")
    labels, expressions = found.get("matchLabels") or {}, found.get("matchExpressions") or []
    if not isinstance(labels, Mapping) or not isinstance(expressions, list):
        raise MalformedObjectError(f"{where}: not a label selector")
    return Selector(
        (
            *_labels(labels, f"{where}.matchLabels"),
            *_requirements(expressions, f"{where}.matchExpressions"),
        )
    )


def _labels(labels: Mapping[object, object], where: str) -> Iterable[Requirement]:
    for key, value in sorted((str(key), value) for key, value in labels.items()):
        yield Requirement(
            _checked(key, _KEY, where), Operator.IN, frozenset({_checked(value, _VALUE, f"{where}[{key[:64]!r}]")})
        )


def _checked(text: object, pattern: re.Pattern[str], where: str) -> str:
    """Return what may be a label's key or value; what cannot be one selects nothing, which nobody has meant."""
    if not isinstance(text, str) or not pattern.fullmatch(text):
        what = "key" if pattern is _KEY else "value"
        raise MalformedObjectError(f"{where}: {str(text)[:64]!r} can be no label's {what}")
    return text


def _requirements(expressions: Iterable[object], where: str) -> Iterable[Requirement]:
    for index, found in enumerate(expressions):
        here = f"{where}[{index}]"
        if not isinstance(found, Mapping) or not isinstance(found.get("key"), str):
            raise MalformedObjectError(f"{here}.key: missing")
        operator = one_of(Operator, found.get("operator"), f"{here}.operator")
        values = found.get("values") or []
        if not isinstance(values, list):
            raise MalformedObjectError(f"{here}.values: not a list")
        if bool(values) is (operator in {Operator.EXISTS, Operator.DOES_NOT_EXIST}):
            raise MalformedObjectError(f"{here}.values: {'must be empty' if values else 'missing'}")
        key = _checked(found["key"], _KEY, f"{here}.key")
        yield Requirement(key, operator, frozenset(_checked(value, _VALUE, f"{here}.values") for value in values))


def one_of(kind: type[enum.Enum], found: object, where: str) -> Any:  # noqa: ANN401 - a member of ``kind``
    """Return the member of an enumeration that a field names; ``MalformedObjectError`` otherwise."""
    try:
        return kind(found)
    except ValueError:
        allowed = ", ".join(each.value for each in kind)
        raise MalformedObjectError(f"{where}: {str(found)[:64]!r} is none of {allowed}") from None
