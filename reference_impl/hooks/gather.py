"""gather: objects and logs, for people."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from reference_impl.drivers.api import APIError, Resource
from reference_impl.hooks.cluster import connect
from reference_impl.names import BROKER_NAMESPACE, MEMBER_NAMESPACE

if TYPE_CHECKING:
    from pathlib import Path

    from reference_impl.drivers.api import Object
    from reference_impl.hooks.cluster import HookCluster
    from reference_impl.hooks.request import HookRequest

_KINDS = (
    Resource.CLUSTER,
    Resource.ENDPOINT,
    Resource.GATEWAY,
    Resource.ROUTE_AGENT,
    Resource.SERVICE_IMPORT,
    Resource.ENDPOINT_SLICE,
    Resource.LEASE,
    Resource.EVENT,
    Resource.DAEMON_SET,
    Resource.POD,
    Resource.CONFIG_MAP,
)
"""Everything but Secrets."""


async def gather(request: HookRequest) -> Object:
    """Write one folder per cluster."""
    members = [
        _collect(member.name, member.kubeconfig, MEMBER_NAMESPACE, request.work_directory) for member in request.members
    ]
    await asyncio.gather(
        _collect("broker", request.broker.kubeconfig, BROKER_NAMESPACE, request.work_directory), *members
    )
    return {}


async def _collect(name: str, kubeconfig: Path, namespace: str, target: Path) -> None:
    async with connect(name, kubeconfig) as cluster:
        for resource in _KINDS:
            found = await cluster.find(resource, namespace)
            _write(target / name / f"{resource.value[3]}.json", json.dumps(found, indent=1))
        for pod in await cluster.find(Resource.POD, namespace):
            for container in pod["spec"]["containers"]:
                log = await _log(cluster, pod["metadata"]["name"], namespace, container["name"])
                _write(target / name / "logs" / f"{pod['metadata']['name']}.{container['name']}.log", log)


async def _log(cluster: HookCluster, pod: str, namespace: str, container: str) -> str:
    try:
        return await cluster.api.logs(pod, namespace, container)
    except APIError as error:
        return f"no log: {error}\n"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
