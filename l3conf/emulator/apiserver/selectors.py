"""Label and field selectors: parsed once, pure to ask."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from l3conf.emulator.apiserver import errors

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from l3conf.emulator.cluster_api import Object

_TERM = re.compile(
    r"""\s*(?:
        !\s*(?P<absent>[^\s!=<>,()]+)
      | (?P<set>[^\s!=<>,()]+)\s+(?P<operator>in|notin)\s*\((?P<values>[^()]*)\)
      | (?P<key>[^\s!=<>,()]+)\s*(?:(?P<sign>==|=|!=)\s*(?P<value>[^\s!=<>,()]*))?
    )\s*(?:,|$)""",
    re.VERBOSE,
)


class Requirement(NamedTuple):
    """One term of a label selector."""

    key: str
    operator: str
    """``In``, ``NotIn``, ``Exists`` or ``DoesNotExist``."""
    values: frozenset[str] = frozenset()

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Tell whether labels satisfy it; an absent label satisfies NotIn."""
        present = self.key in labels
        if self.operator == "In":
            return present and labels[self.key] in self.values
        if self.operator == "NotIn":
            return not present or labels[self.key] not in self.values
        return present == (self.operator == "Exists")


class LabelSelector(NamedTuple):
    """All of its requirements must hold; without any it matches everything."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, obj: Object) -> bool:
        """Tell whether an object's labels satisfy all requirements."""
        if not self.requirements:
            return True
        labels = obj["metadata"].get("labels") or {}
        return all(requirement.holds(labels) for requirement in self.requirements)


@lru_cache(maxsize=256)
def parse_label_selector(text: str) -> LabelSelector:
    """Parse ``a=b,c!=d,e in (f,g),h notin (i),j,!k``; 400 if it is none."""
    position, found = 0, []
    while position < len(text.rstrip()):
        term = _TERM.match(text, position)
        if term is None:
            raise errors.bad_request(f"unable to parse requirement: invalid label selector {text!r}")
        found.append(_requirement(term))
        position = term.end()
    return LabelSelector(tuple(found))


def _requirement(term: re.Match[str]) -> Requirement:
    if term["absent"]:
        return Requirement(term["absent"], "DoesNotExist")
    if term["set"]:
        values = frozenset(value.strip() for value in term["values"].split(","))
        return Requirement(term["set"], "In" if term["operator"] == "in" else "NotIn", values)
    if term["sign"] is None:
        return Requirement(term["key"], "Exists")
    return Requirement(term["key"], "NotIn" if term["sign"] == "!=" else "In", frozenset({term["value"]}))


def label_selector_of(selector: Mapping[str, Any] | None) -> LabelSelector | None:
    """Return a meta/v1 LabelSelector object as a selector; None, which selects nothing, for None."""
    if selector is None:
        return None
    exact = [Requirement(key, "In", frozenset({value})) for key, value in (selector.get("matchLabels") or {}).items()]
    terms = [
        Requirement(term["key"], term["operator"], frozenset(term.get("values") or ()))
        for term in selector.get("matchExpressions") or ()
    ]
    return LabelSelector((*exact, *terms))


class FieldTerm(NamedTuple):
    """One term of a field selector."""

    path: tuple[str, ...]
    value: str
    wanted: bool
    """False for ``!=``."""


class FieldSelector(NamedTuple):
    """All of its terms must hold."""

    terms: tuple[FieldTerm, ...] = ()

    def matches(self, obj: Object) -> bool:
        """Tell whether an object's fields have the wanted values; a missing field counts as empty."""
        return all((_text_at(obj, term.path) == term.value) == term.wanted for term in self.terms)


def parse_field_selector(text: str, known: Collection[str]) -> FieldSelector:
    """Parse ``metadata.name=x,status.phase!=Running``; 400 for a field that is not in ``known``."""
    return FieldSelector(tuple(_field_term(term, known) for term in text.split(",") if term.strip()))


def _field_term(term: str, known: Collection[str]) -> FieldTerm:
    sign = next((sign for sign in ("!=", "==", "=") if sign in term), None)
    if sign is None:
        raise errors.bad_request(f"invalid selector: '{term}'; can't understand '{term}'")
    name, _, value = (part.strip() for part in term.partition(sign))
    if name not in known:
        raise errors.bad_request(f"field label not supported: {name}")
    return FieldTerm(tuple(name.split(".")), value, sign != "!=")


_BOOLEAN_FIELDS = frozenset({("spec", "unschedulable"), ("spec", "hostNetwork")})


def _text_at(obj: Object, path: tuple[str, ...]) -> str:
    value: Any = obj
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    if path == ("source",):
        value = (value or {}).get("component") if isinstance(value, dict) else None
    if value is None:
        return "false" if path in _BOOLEAN_FIELDS else ""
    return str(value).lower() if isinstance(value, bool) else str(value)
