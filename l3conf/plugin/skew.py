"""A member of a version that nobody has heard of, as its peers see it at the broker, and what they say of it."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from l3conf.plugin.cluster_api import GROUP, MERGE_PATCH
from l3conf.plugin.conditions import conditions_of
from l3conf.plugin.gateways import latest_connections

if TYPE_CHECKING:
    from collections.abc import Iterator

    from l3conf.plugin.cluster_api import ClusterAPI, Object

UNHEARD_OF = "99.0.0"
REASON = "VersionSkewUnsupported"
_KINDS = ("clusters", "endpoints")


@contextmanager
def posing_as_unheard_of(broker: ClusterAPI, member: str, version: str) -> Iterator[int]:
    """Replace the version of a member wherever its objects at the broker name it, while the context is open.

    Yields how many objects named it: with none, nobody could learn of it. The member itself must be unable to put
    them right meanwhile. Afterwards they are as they were, unless the member has written others.
    """
    changed: list[tuple[str, Object]] = []
    try:
        for kind in _KINDS:
            for obj in broker.items(f"{GROUP}/{kind}"):
                before = {"spec": obj.get("spec"), "metadata": _words(obj)}
                after = renamed(before, version)
                if (obj.get("spec") or {}).get("cluster_id") == member and after != before:
                    path = f"{GROUP}/namespaces/{obj['metadata']['namespace']}/{kind}/{obj['metadata']['name']}"
                    broker.request("PATCH", path, body=after, content_type=MERGE_PATCH)
                    changed.append((path, before))
        yield len(changed)
    finally:
        for path, before in changed:
            broker.request("PATCH", path, body=before, content_type=MERGE_PATCH)


def not_said(api: ClusterAPI, peer: str) -> list[str]:
    """Return a line if a cluster says nowhere that it does not support a peer's version (L3-L5)."""
    about = [obj for obj in api.items(f"{GROUP}/clusters") if (obj.get("spec") or {}).get("cluster_id") == peer]
    gateways = api.items(f"{GROUP}/gateways")
    reasons = {str(one.get("reason")) for obj in (*about, *gateways) for one in conditions_of(obj)}
    connection = latest_connections(gateways).get(peer)
    if REASON in reasons or (connection is not None and REASON in connection.message):
        return []
    return [f"{api.name} says {REASON} of {peer} neither in a condition nor in its connection"]


def renamed(value: Any, version: str) -> Any:  # noqa: ANN401 - any JSON value
    """Return a JSON value with a version replaced by one nobody has heard of in every text of it. Pure.

    A version that is a part of something longer is none: ``0.2.0`` stands in ``10.2.0.0/16`` as well.
    """
    if isinstance(value, dict):
        return {key: renamed(item, version) for key, item in value.items()}
    if isinstance(value, list):
        return [renamed(item, version) for item in value]
    whole = rf"(?<![0-9.]){re.escape(version)}(?![0-9]|\.[0-9])"
    return re.sub(whole, UNHEARD_OF, value) if isinstance(value, str) else value


def _words(obj: Object) -> Object:
    metadata = obj["metadata"]
    return {key: metadata[key] for key in ("labels", "annotations") if metadata.get(key)}
