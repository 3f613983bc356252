"""Label selectors, as the API spells them in objects (``metav1.LabelSelector`` and plain maps)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def matches_map(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Say whether every pair of ``selector`` is among ``labels`` (Service and ``nodeSelector`` semantics)."""
    return all(labels.get(key) == value for key, value in selector.items())


def matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Say whether a ``LabelSelector`` matches; an empty one matches everything."""
    return matches_map(selector.get("matchLabels") or {}, labels) and all(
        matches_requirement(labels, item["key"], item["operator"], item.get("values") or ())
        for item in selector.get("matchExpressions") or ()
    )


def matches_requirement(labels: Mapping[str, str], key: str, operator: str, values: Sequence[str]) -> bool:
    """Evaluate one requirement; also ``Gt`` and ``Lt`` of node selectors. Unknown operators match nothing."""
    value = labels.get(key)
    match operator:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt" | "Lt":
            return _compares(operator, value, values)
    return False


def _compares(operator: str, value: str | None, values: Sequence[str]) -> bool:
    try:
        number, bound = int(value or ""), int(values[0])
    except (ValueError, IndexError):
        return False
    return number > bound if operator == "Gt" else number < bound
