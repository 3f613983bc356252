"""Pods from templates: hashes that name a revision, and the pod that a controller creates."""

from __future__ import annotations

import copy
import hashlib
import json
from typing import TYPE_CHECKING, Any

from l3conf.emulator.controllers.conditions import condition, parse_timestamp

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from l3conf.emulator.cluster_api import Object

SAFE_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""No vowels and no look-alikes, so that no word comes out (apimachinery ``util/rand``)."""
HASH_LENGTH = 10


def template_hash(template: Mapping[str, Any]) -> str:
    """Return a label-safe hash of a pod template; equal templates give equal hashes in whatever key order."""
    text = json.dumps(template, sort_keys=True, separators=(",", ":"))
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    letters = []
    for _ in range(HASH_LENGTH):
        number, digit = divmod(number, len(SAFE_ALPHABET))
        letters.append(SAFE_ALPHABET[digit])
    return "".join(letters)


def pod_from_template(
    owner: Mapping[str, Any], reference: Mapping[str, Any], template: Mapping[str, Any], labels: Mapping[str, str]
) -> Object:
    """Return the pod that ``owner`` creates from ``template``, with ``labels`` added."""
    metadata = template.get("metadata") or {}
    made: Object = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": f"{owner['metadata']['name']}-",
            "namespace": owner["metadata"]["namespace"],
            "labels": {**(metadata.get("labels") or {}), **labels},
            "ownerReferences": [dict(reference)],
        },
        "spec": copy.deepcopy(dict(template["spec"])),
    }
    for field in ("annotations", "finalizers"):
        if metadata.get(field):
            made["metadata"][field] = copy.deepcopy(metadata[field])
    return made


def is_ready(pod: Mapping[str, Any]) -> bool:
    """Say whether a pod reports Ready."""
    found = condition(pod.get("status", {}).get("conditions"), "Ready")
    return found is not None and found.get("status") == "True"


def is_active(pod: Mapping[str, Any]) -> bool:
    """Say whether a pod is neither finished nor being deleted."""
    phase = pod.get("status", {}).get("phase")
    return phase not in {"Succeeded", "Failed"} and not pod["metadata"].get("deletionTimestamp")


def seconds_until_available(pod: Mapping[str, Any], min_ready_seconds: int, now: datetime) -> float | None:
    """Return 0 for an available pod, the time left for one that is ready too briefly, None for an unready one."""
    found = condition(pod.get("status", {}).get("conditions"), "Ready")
    if found is None or found.get("status") != "True":
        return None
    if not min_ready_seconds or not found.get("lastTransitionTime"):
        return 0.0
    age = (now - parse_timestamp(found["lastTransitionTime"])).total_seconds()
    return max(0.0, min_ready_seconds - age)


def int_or_percent(value: int | str, total: int, *, round_up: bool) -> int:
    """Resolve ``maxUnavailable``/``maxSurge``: a number, or a percentage of ``total``."""
    if isinstance(value, int):
        return value
    share = int(value.removesuffix("%")) * total
    return -(-share // 100) if round_up else share // 100
