"""When a cluster counts as ready: every node says so and every pod that was asked for runs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from l3conf.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Callable

    from l3conf.emulator.cluster_api import ClusterAPI, Object


def is_ready(obj: Object) -> bool:
    """Return whether a Node or Pod has condition Ready."""
    conditions = obj.get("status", {}).get("conditions") or []
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


async def wait_until_ready(api: ClusterAPI, node_names: set[str], *, timeout: float) -> None:  # noqa: ASYNC109 - names who lags
    """Wait until every named node is registered and Ready and every pod is Ready; ``LabError`` names who lags."""
    lagging: dict[str, set[str]] = {"nodes": set(node_names), "pods": set()}
    changed = asyncio.Event()

    def watch(resource: str) -> Callable[[str, Object], None]:
        def on_event(event: str, obj: Object) -> None:
            name = _name(obj)
            if event == "DELETED" or is_ready(obj):
                lagging[resource].discard(name)
            else:
                lagging[resource].add(name)
            changed.set()

        return on_event

    ends = [api.subscribe(resource, watch(resource)) for resource in ("nodes", "pods")]
    try:
        async with asyncio.timeout(timeout):
            await changed.wait()  # what exists already has been reported once this is set
            while any(lagging.values()):
                changed.clear()
                await changed.wait()
    except TimeoutError:
        names = ", ".join(sorted(lagging["nodes"] | lagging["pods"])[:5])
        raise LabError(f"not ready after {timeout:.0f} s: {names}") from None
    finally:
        for end in ends:
            end()


def _name(obj: Object) -> str:
    metadata: dict[str, Any] = obj["metadata"]
    return "/".join(part for part in (metadata.get("namespace"), metadata["name"]) if part)
