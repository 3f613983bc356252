"""The names that scenarios import: everything they may use, and nothing else."""

from __future__ import annotations

from l3conf.expectations import Pod, Service, Stream, every, icmp, sctp, tcp, udp
from l3conf.expectations.filters import Filter, addresses_of, carrying, payload_of, without_checksum
from l3conf.labs.base import Capability
from l3conf.model.api_faults import (
    APIDropped,
    APIExpired,
    APIRefused,
    APISlow,
    EventsDuplicated,
    EventsLate,
    EventsReordered,
    WatchesSilent,
)
from l3conf.model.faults import AddressChange, Delay, NATRebinding, NATReboot, NodeAddressChange
from l3conf.model.topology import IPFamily
from l3conf.observation import Outcome, Protocol
from l3conf.oracle import SeenAs, Via, across_clusters, by_global_address, whoever_asks
from l3conf.plugin.connection_policies import EVERYBODY, clusters, connect, isolate, labelled
from l3conf.plugin.lab import Lab
from l3conf.plugin.marks import needs, verifies
from l3conf.plugin.resources import undescribed
from l3conf.plugin.samples import BAD_VALUES, BadValue, sample
from l3conf.spec.budgets import Budgets

__all__ = [
    "BAD_VALUES",
    "EVERYBODY",
    "APIDropped",
    "APIExpired",
    "APIRefused",
    "APISlow",
    "AddressChange",
    "BadValue",
    "Budgets",
    "Capability",
    "Delay",
    "EventsDuplicated",
    "EventsLate",
    "EventsReordered",
    "Filter",
    "IPFamily",
    "Lab",
    "NATRebinding",
    "NATReboot",
    "NodeAddressChange",
    "Outcome",
    "Pod",
    "Protocol",
    "SeenAs",
    "Service",
    "Stream",
    "Via",
    "WatchesSilent",
    "across_clusters",
    "addresses_of",
    "by_global_address",
    "carrying",
    "clusters",
    "connect",
    "every",
    "icmp",
    "isolate",
    "labelled",
    "needs",
    "payload_of",
    "sample",
    "sctp",
    "tcp",
    "udp",
    "undescribed",
    "verifies",
    "whoever_asks",
    "without_checksum",
]
