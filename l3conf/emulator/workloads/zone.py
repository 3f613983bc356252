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
from l3conf.emulator.workloads import clusterset
from l3conf.emulator.workloads.records import ADDRESS_KINDS, Record, address_record, dashed, service_location

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from l3conf.emulator.cluster_api import Object
    from l3conf.model.topology import IPAddress

SPECIFICATION_VERSION = "1.1.0"


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one question."""

    exists: bool
    """False: NXDOMAIN."""
    records: tuple[Record, ...] = ()
    """Empty for a name that exists but has no such record."""


class Zone:
    """All names of one cluster, those that it knows of its cluster set, and the reverse names of addresses."""

    def __init__(self, domain: str, records: Mapping[str, Sequence[Record]], *, others: Sequence[str] = ()) -> None:
        """``others``: further domains, each with Services in it."""
        self.domain = domain
        self._domains = (domain, *others)
        self._records = {name: tuple(dict.fromkeys(entries)) for name, entries in records.items()}
        self._names = {suffix for name in self._records for suffix in _suffixes(name)} | {
            f"pod.{domain}",
            *self._domains,
            *(f"svc.{each}" for each in self._domains),
        }

    def covers(self, name: str) -> bool:
        """Say whether this zone answers for a name (lower case, without the final dot)."""
        return f".{name}".endswith((*(f".{domain}" for domain in self._domains), ".in-addr.arpa", ".ip6.arpa"))

    def apex(self, name: str) -> str:
        """Return the domain that a covered name belongs to; reverse names to the cluster's own."""
        return next((each for each in self._domains if f".{name}".endswith(f".{each}")), self.domain)

    def lookup(self, name: str, kind: str) -> Answer:
        """Answer a question; a CNAME answers for every type."""
        records = self._records.get(name, ())
        fitting = tuple(record for record in records if record.kind in {kind, "CNAME"} or kind == "ANY")
        if records or name in self._names:
            return Answer(exists=True, records=fitting)
        address = self._pod_address(name)
        if address is None:
            return Answer(exists=False)
        own = ADDRESS_KINDS[address.version]
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


def build_zone(
    domain: str, services: Iterable[Object], slices: Iterable[Object], imports: Iterable[Object] | None = None
) -> Zone:
    """Return the zone of all Services; of those of the cluster set too, unless ``imports`` is None."""
    slices = tuple(slices)
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
    if imports is None:
        return Zone(domain, records)
    for owner, record in clusterset.imported_records(imports, slices):
        # An address has one name: the one that it has in its own cluster comes first.
        if record.kind != "PTR" or owner not in records:
            records[owner].append(record)
    return Zone(domain, records, others=(clusterset.DOMAIN,))


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
            yield name, address_record(address)
            yield address.reverse_pointer, Record("PTR", f"{name}.")
        for port in spec.get("ports") or ():
            yield from service_location(name, port, name)


def _headless_records(name: str, piece: Mapping[str, Any]) -> Iterator[tuple[str, Record]]:
    """Every ready endpoint answers for the Service, and has a name of its own."""
    for endpoint in piece.get("endpoints") or ():
        if not (endpoint.get("conditions") or {}).get("ready", True):
            continue
        for text in endpoint["addresses"]:
            address = ipaddress.ip_address(text)
            record = address_record(address)
            own = f"{endpoint.get('hostname') or dashed(address)}.{name}".lower()
            yield name, record
            yield own, record
            yield address.reverse_pointer, Record("PTR", f"{own}.")
            for port in piece.get("ports") or ():
                yield from service_location(name, port, own)


def _suffixes(name: str) -> Iterator[str]:
    """Yield a name and all above it: they exist, even without records."""
    while name:
        yield name
        name = name.partition(".")[2]
