"""What a cluster's DNS answers: the records of Services, headless Services and pods. Pure.

Names and answers follow the Kubernetes DNS specification 1.1.0 (``dns-version`` says so), pods by address as
CoreDNS has them in its ``insecure`` mode.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from l3conf.emulator.controllers.endpoint_slices import SERVICE_LABEL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from l3conf.emulator.cluster_api import Object
    from l3conf.model.topology import IPAddress

SPECIFICATION_VERSION = "1.1.0"
_ADDRESS_KINDS = {4: "A", 6: "AAAA"}


@dataclass(frozen=True, slots=True)
class Record:
    """One resource record: its type, and its data in zone-file spelling."""

    kind: str
    data: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one question."""

    exists: bool
    """False: NXDOMAIN."""
    records: tuple[Record, ...] = ()
    """Empty for a name that exists but has no such record."""


class Zone:
    """All names of one cluster, and the reverse names of its addresses."""

    def __init__(self, domain: str, records: Mapping[str, Sequence[Record]]) -> None:
        self.domain = domain
        self._records = {name: tuple(dict.fromkeys(entries)) for name, entries in records.items()}
        self._names = {suffix for name in self._records for suffix in _suffixes(name)} | {
            f"svc.{domain}",
            f"pod.{domain}",
            domain,
        }

    def covers(self, name: str) -> bool:
        """Say whether this zone answers for a name (lower case, without the final dot)."""
        return name == self.domain or name.endswith((f".{self.domain}", ".in-addr.arpa", ".ip6.arpa"))

    def lookup(self, name: str, kind: str) -> Answer:
        """Answer a question; a CNAME answers for every type."""
        records = self._records.get(name, ())
        fitting = tuple(record for record in records if record.kind in {kind, "CNAME"} or kind == "ANY")
        if records or name in self._names:
            return Answer(exists=True, records=fitting)
        address = self._pod_address(name)
        if address is None:
            return Answer(exists=False)
        own = _ADDRESS_KINDS[address.version]
        return Answer(exists=True, records=(Record(own, str(address)),) if kind in {own, "ANY"} else ())

    def _pod_address(self, name: str) -> IPAddress | None:
        """Read ``10-1-0-5.namespace.pod.<domain>``."""
        labels = name.removesuffix(f".pod.{self.domain}").split(".")
        if not name.endswith(f".pod.{self.domain}") or len(labels) != len(("address", "namespace")):
            return None
        for separator in (".", ":"):
            try:
                return ipaddress.ip_address(labels[0].replace("-", separator))
            except ValueError:
                continue
        return None


def build_zone(domain: str, services: Iterable[Object], slices: Iterable[Object]) -> Zone:
    """Return the zone of all Services."""
    by_service: dict[tuple[str, str], list[Object]] = defaultdict(list)
    for piece in slices:
        metadata = piece["metadata"]
        by_service[metadata["namespace"], (metadata.get("labels") or {}).get(SERVICE_LABEL, "")].append(piece)
    records: dict[str, list[Record]] = defaultdict(list)
    records[f"dns-version.{domain}"].append(Record("TXT", f'"{SPECIFICATION_VERSION}"'))
    for service in services:
        metadata = service["metadata"]
        name = f"{metadata['name']}.{metadata['namespace']}.svc.{domain}".lower()
        entries = _service_records(name, service, by_service[metadata["namespace"], metadata["name"]])
        for owner, record in entries:
            records[owner].append(record)
    return Zone(domain, records)


def _service_records(
    name: str, service: Mapping[str, Any], slices: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[str, Record]]:
    spec = service["spec"]
    if spec.get("type") == "ExternalName":
        yield name, Record("CNAME", spec["externalName"].rstrip(".") + ".")
    elif spec.get("clusterIP") == "None":
        for piece in slices:
            yield from _headless_records(name, piece)
    else:
        for text in spec.get("clusterIPs") or filter(None, [spec.get("clusterIP")]):
            address = ipaddress.ip_address(text)
            yield name, Record(_ADDRESS_KINDS[address.version], text)
            yield address.reverse_pointer, Record("PTR", f"{name}.")
        for port in spec.get("ports") or ():
            yield from _service_location(name, port, name)


def _headless_records(name: str, piece: Mapping[str, Any]) -> Iterator[tuple[str, Record]]:
    """Every ready endpoint answers for the Service, and has a name of its own."""
    for endpoint in piece.get("endpoints") or ():
        if not (endpoint.get("conditions") or {}).get("ready", True):
            continue
        for text in endpoint["addresses"]:
            address = ipaddress.ip_address(text)
            record = Record(_ADDRESS_KINDS[address.version], text)
            own = f"{endpoint.get('hostname') or _dashed(address)}.{name}".lower()
            yield name, record
            yield own, record
            yield address.reverse_pointer, Record("PTR", f"{own}.")
            for port in piece.get("ports") or ():
                yield from _service_location(name, port, own)


def _service_location(name: str, port: Mapping[str, Any], target: str) -> Iterator[tuple[str, Record]]:
    if port.get("name"):
        protocol = port.get("protocol", "TCP").lower()
        yield f"_{port['name']}._{protocol}.{name}".lower(), Record("SRV", f"0 100 {port['port']} {target}.")


def _dashed(address: IPAddress) -> str:
    return str(address).replace(".", "-").replace(":", "-")


def _suffixes(name: str) -> Iterator[str]:
    """Yield a name and all above it: they exist, even without records."""
    while name:
        yield name
        name = name.partition(".")[2]
