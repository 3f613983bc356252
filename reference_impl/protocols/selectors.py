"""Label selectors as Kubernetes has them (``metav1.LabelSelector``)."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from reference_impl.protocols.object_codec import MalformedObjectError

if TYPE_CHECKING:
    from collections.abc import Iterable

Labels: TypeAlias = Mapping[str, str]


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
            *(Requirement(str(key), Operator.IN, frozenset({str(value)})) for key, value in sorted(labels.items())),
            *_requirements(expressions, f"{where}.matchExpressions"),
        )
    )


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
        yield Requirement(found["key"], operator, frozenset(map(str, values)))


def one_of(kind: type[enum.Enum], found: object, where: str) -> Any:  # noqa: ANN401 - a member of ``kind``
    """Return the member of an enumeration that a field names; ``MalformedObjectError`` otherwise."""
    try:
        return kind(found)
    except ValueError:
        allowed = ", ".join(each.value for each in kind)
        raise MalformedObjectError(f"{where}: {str(found)[:64]!r} is none of {allowed}") from None
