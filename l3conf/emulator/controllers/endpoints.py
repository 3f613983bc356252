"""Endpoints (``core/v1``) of Services with a selector, for clients that do not read EndpointSlices. Pure."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from l3conf.emulator.controllers.endpoint_slices import wanted_endpoints
from l3conf.model.topology import IPFamily

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from l3conf.emulator.cluster_api import Object
    from l3conf.emulator.controllers.endpoint_slices import Port


def plan_endpoints(service: Mapping[str, Any], pods: Iterable[Object]) -> Object:
    """Return the Endpoints object: addresses of the Service's first family, grouped by the ports they serve."""
    first = (service["spec"].get("ipFamilies") or [IPFamily.IPV4.value])[0]
    ready: dict[tuple[Port, ...], list[Object]] = defaultdict(list)
    unready: dict[tuple[Port, ...], list[Object]] = defaultdict(list)
    for (family, ports), members in wanted_endpoints(service, pods).items():
        for endpoint in members.values():
            if family == first and not endpoint["conditions"]["terminating"]:
                (ready if endpoint["conditions"]["ready"] else unready)[ports].append(_address(endpoint))
    metadata = service["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "labels": dict(metadata.get("labels") or {}),
        },
        "subsets": [_subset(ports, ready[ports], unready[ports]) for ports in sorted({*ready, *unready})],
    }


def _subset(ports: Iterable[Port], ready: list[Object], unready: list[Object]) -> Object:
    spelt = [_port(*port) for port in ports]
    lists = {"addresses": ready, "notReadyAddresses": unready, "ports": spelt}
    return {name: content for name, content in lists.items() if content}


def _port(name: str, number: int, protocol: str, application: str) -> Object:
    port: Object = {"port": number, "protocol": protocol}
    return port | {key: text for key, text in (("name", name), ("appProtocol", application)) if text}


def _address(endpoint: Mapping[str, Any]) -> Object:
    address: Object = {"ip": endpoint["addresses"][0], "targetRef": endpoint["targetRef"]}
    return address | {field: endpoint[field] for field in ("hostname", "nodeName") if field in endpoint}
