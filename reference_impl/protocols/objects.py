"""Cluster and Endpoint as values. How they read as JSON: ``object_codec``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from reference_impl.state import IPAddress, IPNetwork

_HIGHEST_PORT = 65535
Object: TypeAlias = dict[str, Any]
"""A Kubernetes object as JSON."""
DISCOVERY_PORT = "natt-discovery-port"
PREFERRED_SERVER = "preferred-server"
"""Entries of ``backend_config``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A member of the cluster set (``clusters.submariner.io``)."""

    cluster_id: str
    pod_cidrs: tuple[IPNetwork, ...]
    service_cidrs: tuple[IPNetwork, ...]
    global_cidrs: tuple[IPNetwork, ...] = ()
    """At most one per IP version: under these alone others know it, where its own ranges may be theirs as well."""
    created: str = ""
    """``creationTimestamp`` at the broker: who claimed first."""
    isolation: tuple[str, str] | None = None
    """Reason (CamelCase) and message, where connection policies do not connect it with this cluster."""
    cable_driver: str = ""
    """The one that connection policies name for the pair; "" if none."""

    @property
    def prefixes(self) -> tuple[IPNetwork, ...]:
        """Return what it is reached at: the order of ``Endpoint.subnets``.

        Service CIDRs, then pod CIDRs; of an IP version in which it has global ranges, only these.
        """
        translated = {prefix.version for prefix in self.global_cidrs}
        own = self.service_cidrs + self.pod_cidrs
        return (*(prefix for prefix in own if prefix.version not in translated), *self.global_cidrs)

    @property
    def used(self) -> tuple[IPNetwork, ...]:
        """Return every prefix that means something of its own inside it: no other member can be reached at these."""
        return self.service_cidrs + self.pod_cidrs + self.global_cidrs

    @property
    def versions(self) -> tuple[int, ...]:
        """Return the IP versions of its pods."""
        return tuple(sorted({prefix.version for prefix in self.pod_cidrs}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """Where a peer is sent to, and why there. Known here only: never published."""

    address: IPAddress
    port: int
    reason: str
    """CamelCase: ``PrivateAddress``, ``PublicAddress`` (it answered there), ``Published`` (nothing answered yet),
    ``Learnt`` (from its own packets)."""
    message: str
    """The same for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a member's active gateway can be reached (``endpoints.submariner.io``)."""

    cluster_id: str
    cable_name: str
    hostname: str
    subnets: tuple[IPNetwork, ...]
    private_ip: IPAddress
    public_ip: IPAddress | None = None
    """None: behind NAT or unknown; the peer then answers instead of calling."""
    health_check_ip: IPAddress | None = None
    other_health_check_ips: tuple[IPAddress, ...] = ()
    """Those of further IP versions."""
    nat_enabled: bool = False
    backend: str = "vxlan"
    port: int = 4500
    """``backend_config["udp-port"]``."""
    parameters: frozenset[tuple[str, str]] = frozenset()
    """The other entries of ``backend_config``: name and value."""
    created: str = ""
    way: Way | None = None
    """Where it was found; None: what the Endpoint itself says counts."""
    standbys: tuple[Endpoint, ...] = ()
    """The gateways that may follow it, as far as they are believed (``planner.standbys``). Known here only."""

    @property
    def tunnel_address(self) -> IPAddress:
        """Return the outer address to send to."""
        if self.way is not None:
            return self.way.address
        return self.public_ip if self.nat_enabled and self.public_ip is not None else self.private_ip

    @property
    def tunnel_port(self) -> int:
        """Return the UDP port to send to."""
        return self.way.port if self.way is not None else self.port

    @property
    def versions(self) -> tuple[int, ...]:
        """Return the IP versions that it routes."""
        return tuple(sorted({subnet.version for subnet in self.subnets}))

    def health_check(self, version: int) -> IPAddress | None:
        """Return where round trips of an IP version are answered; None if nowhere."""
        offered = (self.health_check_ip, *self.other_health_check_ips)
        return next((each for each in offered if each is not None and each.version == version), None)

    def of_version(self, version: int) -> Endpoint:
        """Return the part of it that is about one IP version."""
        if self.versions == (version,):
            return self
        subnets = tuple(subnet for subnet in self.subnets if subnet.version == version)
        return replace(self, subnets=subnets, health_check_ip=self.health_check(version), other_health_check_ips=())

    def parameter(self, name: str) -> str:
        """Return an entry of ``backend_config``; "" if there is none."""
        return next((text for key, text in self.parameters if key == name), "")


def port_number(text: str) -> int | None:
    """Return a port as decimal digits have it. Not ``int`` of any text: it raises for more than 4300 digits."""
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(_HIGHEST_PORT))):
        return None
    return int(text) if 1 <= int(text) <= _HIGHEST_PORT else None


def discovery_port(endpoint: Endpoint) -> int:
    """Return the UDP port at which a peer answers NAT discovery; 0 if it says none, or none that is one."""
    return port_number(endpoint.parameter(DISCOVERY_PORT)) or 0


def cable_name(cluster_id: str, private_ip: IPAddress) -> str:
    """Return ``submariner-cable-<cluster>-<private ip, separators as dashes>``."""
    return f"submariner-cable-{cluster_id}-{str(private_ip).replace('.', '-').replace(':', '-')}"


def endpoint_name(cluster_id: str, private_ip: IPAddress) -> str:
    """Return the object name of an Endpoint."""
    return f"{cluster_id}-{cable_name(cluster_id, private_ip)}"
