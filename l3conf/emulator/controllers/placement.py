"""May this pod run on that node? Pure; used by the scheduler and by DaemonSets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from l3conf.emulator.controllers.selectors import matches_map, matches_requirement

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

KEEPS_AWAY = frozenset({"NoSchedule", "NoExecute"})
"""Taint effects that keep new pods off a node."""


def tolerates(toleration: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    """Say whether a toleration matches a taint (``core/v1`` Toleration.ToleratesTaint)."""
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    if toleration.get("key") and toleration["key"] != taint["key"]:
        return False
    if toleration.get("operator", "Equal") == "Exists":
        return True
    return bool(toleration.get("key")) and toleration.get("value", "") == taint.get("value", "")


def untolerated_taint(
    node: Mapping[str, Any],
    tolerations: Iterable[Mapping[str, Any]],
    effects: frozenset[str] = KEEPS_AWAY,
) -> Mapping[str, Any] | None:
    """Return the first taint with one of ``effects`` that nothing tolerates, or None."""
    tolerations = list(tolerations)
    for taint in node.get("spec", {}).get("taints") or ():
        if taint.get("effect") in effects and not any(tolerates(item, taint) for item in tolerations):
            found: Mapping[str, Any] = taint
            return found
    return None


def wants_node(spec: Mapping[str, Any], node: Mapping[str, Any]) -> bool:
    """Say whether ``nodeSelector`` and the required node affinity of a pod spec choose this node."""
    labels = node["metadata"].get("labels") or {}
    if not matches_map(spec.get("nodeSelector") or {}, labels):
        return False
    affinity = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    )
    if not affinity:
        return True
    fields = {"metadata.name": node["metadata"]["name"]}
    return any(_term_matches(term, labels, fields) for term in affinity.get("nodeSelectorTerms") or ())


def _term_matches(term: Mapping[str, Any], labels: Mapping[str, str], fields: Mapping[str, str]) -> bool:
    """Evaluate one term; a term without any requirement matches nothing."""
    by_label: Sequence[Mapping[str, Any]] = term.get("matchExpressions") or ()
    by_field: Sequence[Mapping[str, Any]] = term.get("matchFields") or ()
    return bool(by_label or by_field) and all(
        matches_requirement(values, item["key"], item["operator"], item.get("values") or ())
        for values, items in ((labels, by_label), (fields, by_field))
        for item in items
    )


def pinned_node(spec: Mapping[str, Any]) -> str | None:
    """Return the node that a DaemonSet's pod is made for: its single ``metadata.name`` affinity, or None."""
    affinity = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    ) or {}
    for term in affinity.get("nodeSelectorTerms") or ():
        for item in term.get("matchFields") or ():
            if item["key"] == "metadata.name" and item["operator"] == "In" and len(item["values"]) == 1:
                return str(item["values"][0])
    return None
