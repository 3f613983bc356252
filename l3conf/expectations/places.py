"""Where traffic starts and ends, as scenarios name it: pods, Services, nodes and the outsider."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from l3conf.errors import LabIncapableError
from l3conf.model.topology import IPAddress, IPFamily

if TYPE_CHECKING:
    from l3conf.expectations.harness import Harness
    from l3conf.oracle import Site

NAMESPACE = "l3conf-probes"
"""Namespace of all objects that the suite makes, where the ground is the suite's own."""
OUTSIDER = "@outsider"
"""Place of the host that belongs to no cluster."""
PORT = 7100
"""UDP and TCP port at which probe pods answer, and of the Service over them."""


def address_of(addresses: tuple[IPAddress, ...], family: IPFamily, owner: str) -> IPAddress:
    """Return the address of a family; ``LookupError`` if there is none."""
    for address in addresses:
        if IPFamily.of(address) is family:
            return address
    raise LookupError(f"{owner} has no {family.value} address")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """A probe pod."""

    site: Site
    name: str
    addresses: tuple[IPAddress, ...]
    on_gateway: bool
    harness: Harness = field(repr=False, compare=False)
    namespace: str = NAMESPACE
    at_home: Pod | None = None
    """Where ``addresses`` are the pod's global ones: the pod as its own cluster knows it."""

    @property
    def local(self) -> Pod:
        """The pod as its own cluster knows it."""
        return self.at_home or self

    @property
    def place(self) -> str:
        """Where the lab sends from and receives (``labs.base``)."""
        return f"{self.site.cluster}/{self.namespace}/{self.name}"

    def address(self, family: IPFamily = IPFamily.IPV4) -> IPAddress:
        """Return the pod's own address of a family, or the global one by which others are to address it."""
        return address_of(self.addresses, family, self.place)

    def __str__(self) -> str:
        """Return the pod as a message names it."""
        return f"{self.site.cluster}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A Service over all probe pods of a cluster, at its ClusterIPs or at its global address."""

    cluster: str
    name: str
    addresses: tuple[IPAddress, ...]
    backends: tuple[Pod, ...]

    def address(self, family: IPFamily = IPFamily.IPV4) -> IPAddress:
        """Return the ClusterIP, or the global address, of a family."""
        return address_of(self.addresses, family, str(self))

    def __str__(self) -> str:
        """Return the Service as a message names it."""
        return f"service {self.cluster}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node's own network namespace."""

    site: Site
    addresses: tuple[IPAddress, ...]
    is_gateway: bool
    harness: Harness = field(repr=False, compare=False)

    @property
    def place(self) -> str:
        """Where the lab sends from (``labs.base``)."""
        return f"{self.site.cluster}@{self.site.node}"

    def address(self, family: IPFamily = IPFamily.IPV4) -> IPAddress:
        """Return the node's underlay address of a family."""
        return address_of(self.addresses, family, self.place)

    def __str__(self) -> str:
        """Return the node as a message names it."""
        return f"node {self.site.cluster}/{self.site.node}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outsider:
    """The host on the WAN that belongs to no cluster."""

    addresses: tuple[IPAddress, ...]
    harness: Harness = field(repr=False, compare=False)
    place: str = OUTSIDER

    def address(self, family: IPFamily = IPFamily.IPV4) -> IPAddress:
        """Return the outsider's address of a family. ``LabIncapableError`` where there is no outsider."""
        if not self.addresses:
            raise LabIncapableError(f"the {self.harness.lab.kind} lab has no host outside its clusters")
        return address_of(self.addresses, family, self.place)

    def __str__(self) -> str:
        """Return the outsider as a message names it."""
        return "outsider"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stranger:
    """An address that no cluster owns; whether anybody has it is not known."""

    addresses: tuple[IPAddress, ...]
    place: str = ""

    def address(self, family: IPFamily = IPFamily.IPV4) -> IPAddress:
        """Return the address, if it is of that family."""
        return address_of(self.addresses, family, str(self))

    def __str__(self) -> str:
        """Return the stranger as a message names it."""
        return f"stranger {self.addresses[0]}"


Client = Pod | Node | Outsider
Server = Pod | Service | Node | Outsider | Stranger
