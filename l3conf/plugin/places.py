"""Where Endpoints stand: a broker may have one namespace for all members, or one for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from l3conf.plugin.cluster_api import GROUP

if TYPE_CHECKING:
    from collections.abc import Iterable

    from l3conf.plugin.cluster_api import ClusterAPI, Object


def endpoints_by_place(apis: Iterable[ClusterAPI]) -> dict[str, list[Object]]:
    """Return the Endpoints of each namespace of each API that has any; of an API without any, none."""
    found: dict[str, list[Object]] = {}
    for api in apis:
        objects = api.items(f"{GROUP}/endpoints")
        namespaces = sorted({str(obj["metadata"]["namespace"]) for obj in objects})
        for namespace in namespaces:
            found[f"{api.name}/{namespace}"] = [obj for obj in objects if obj["metadata"]["namespace"] == namespace]
        if not namespaces:
            found[api.name] = []
    return found
