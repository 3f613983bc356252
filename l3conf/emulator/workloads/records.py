"""Resource records, in zone-file spelling. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from l3conf.model.topology import IPAddress

ADDRESS_KINDS = {4: "A", 6: "AAAA"}


@dataclass(frozen=True, slots=True)
class Record:
    """One resource record: its type, and its data in zone-file spelling."""

    kind: str
    data: str


def address_record(address: IPAddress) -> Record:
    """Return the record of an address."""
    return Record(ADDRESS_KINDS[address.version], str(address))


def service_location(name: str, port: Mapping[str, Any], target: str) -> Iterator[tuple[str, Record]]:
    """Yield where a port of a Service is; ports without a name have no record."""
    if port.get("name"):
        protocol = port.get("protocol", "TCP").lower()
        yield f"_{port['name']}._{protocol}.{name}".lower(), Record("SRV", f"0 100 {port['port']} {target}.")


def dashed(address: IPAddress) -> str:
    """Return an address as a label of a name."""
    return str(address).replace(".", "-").replace(":", "-")
