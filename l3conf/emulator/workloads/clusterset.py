"""Names of Services of the whole cluster set, from ServiceImports and their EndpointSlices. Pure.

As of version 1.0.0 of the multicluster DNS specification (KEP-1645). A cluster whose API does not serve
ServiceImports has no such names, as one whose CoreDNS lacks the plug-in. Anybody may write a ServiceImport: what is no
address in it has no record.
"""

from __future__ import annotations

import contextlib
import ipaddress
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from l3conf.emulator.workloads.records import Record, address_record, dashed, service_location

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from l3conf.emulator.cluster_api import Object
    from l3conf.model.topology import IPAddress

DOMAIN = "clusterset.local"
SPECIFICATION_VERSION = "1.0.0"
SERVICE_LABEL = "multicluster.kubernetes.io/service-name"
CLUSTER_LABEL = "multicluster.kubernetes.io/source-cluster"


def imported_records(imports: Iterable[Object], slices: Iterable[Object]) -> Iterator[tuple[str, Record]]:
    """Yield all records of imported Services, with their names."""
    behind: dict[tuple[str, str], list[Object]] = defaultdict(list)
    for piece in slices:
        metadata = piece["metadata"]
        if name := (metadata.get("labels") or {}).get(SERVICE_LABEL):
            behind[metadata["namespace"], name].append(piece)
    yield f"dns-version.{DOMAIN}", Record("TXT", f'"{SPECIFICATION_VERSION}"')
    for imported in imports:
        metadata, spec = imported["metadata"], imported["spec"]
        name = f"{metadata['name']}.{metadata['namespace']}.svc.{DOMAIN}".lower()
        if spec.get("type") == "Headless":
            for piece in behind[metadata["namespace"], metadata["name"]]:
                yield from _headless_records(name, piece)
        elif spec.get("ips"):
            yield from _clusterset_ip_records(name, spec)


def _clusterset_ip_records(name: str, spec: Mapping[str, Any]) -> Iterator[tuple[str, Record]]:
    """No name leads to the backends of one cluster alone (section 2.3.4)."""
    for address in _addresses(spec["ips"]):
        yield name, address_record(address)
        yield address.reverse_pointer, Record("PTR", f"{name}.")
    for port in spec.get("ports") or ():
        yield from service_location(name, port, name)


def _headless_records(name: str, piece: Mapping[str, Any]) -> Iterator[tuple[str, Record]]:
    """Every ready endpoint answers for the Service, and has a name under that of its cluster."""
    cluster = (piece["metadata"].get("labels") or {}).get(CLUSTER_LABEL, "")
    for endpoint in piece.get("endpoints") or ():
        if not (cluster and (endpoint.get("conditions") or {}).get("ready", True)):
            continue
        for address in _addresses(endpoint["addresses"]):
            own = f"{endpoint.get('hostname') or dashed(address)}.{cluster}.{name}".lower()
            yield name, address_record(address)
            yield own, address_record(address)
            yield address.reverse_pointer, Record("PTR", f"{own}.")
            for port in piece.get("ports") or ():
                yield from service_location(name, port, own)


def _addresses(texts: Iterable[str]) -> Iterator[IPAddress]:
    for text in texts:
        with contextlib.suppress(ValueError):
            yield ipaddress.ip_address(text)
