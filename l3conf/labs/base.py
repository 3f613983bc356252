"""The one protocol behind which every kind of lab stands.

A scenario talks to clusters through the Kubernetes API and asks the lab only for what no API offers: probes
from places, faults, captures on the wide-area network. A lab that cannot do one of these lacks the
capability; the row is then ``untestable`` with that reason, never ``fail``.

A *place* is where a probe can start or be received, as a string:

* ``<cluster>/<namespace>/<pod>``: a probe pod (a pod of the probe image);
* ``<cluster>@<node>``: a node's own network namespace;
* ``@outsider``: the host on the WAN that belongs to no cluster. It has ordinary IP routes to every LAN that
  is not behind NAT and, through the site router, to the pod ranges behind it.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from l3conf.continuity import FlowRecord, NumberedFlow
    from l3conf.model.faults import Fault
    from l3conf.model.topology import IPAddress, Topology
    from l3conf.observation import Observation, Probe, Sighting


class Capability(enum.Enum):
    """What a lab may be able to do beyond the Kubernetes API."""

    RAW_PACKETS = "raw-packets"
    """Send packets with a forged source from ``@outsider``, and packets of any content from any place."""
    WAN_FAULTS = "wan-faults"
    """Cut the path between two sites, by direction."""
    PATH_QUALITY = "path-quality"
    """Lose, limit and delay what passes between two sites, by direction."""
    NAT_FAULTS = "nat-faults"
    """Rebind and reboot sites' NATs and change their public addresses."""
    NODE_FAULTS = "node-faults"
    """Take a node's link down, give it another address, and set its rp_filter from outside."""
    AGENT_FAULTS = "agent-faults"
    """Kill the agents on a node, once or over and over, and freeze them."""
    API_FAULTS = "api-faults"
    """Have API servers refuse, delay, drop, and disorder what they say to some clients."""
    NODE_POWER = "node-power"
    """Take the power from a node, and boot it again."""
    NODE_CHANGES = "node-changes"
    """Add nodes to clusters, and remove them."""
    WAN_CAPTURE = "wan-capture"
    """Capture on the wide-area network."""
    NETWORK_POLICY = "network-policy"
    """Network plugins that enforce NetworkPolicies."""
    SCTP = "sctp"
    """Ask and answer over SCTP, by sockets of the kernel or raw ones."""
    NODE_STATE = "node-state"
    """Read links, addresses, routes, rules, neighbours, filters and sysctls of a node."""
    HOSTS = "hosts"
    """Send from nodes' own networks, and receive there."""
    OUTSIDER = "outsider"
    """Send from a host that belongs to no cluster, and receive there."""
    COMMANDS = "commands"
    """Run any command at a place."""
    MEMBERSHIP = "membership"
    """Install the implementation, let clusters join and leave, and remove it: by its hooks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterAccess:
    """How a cluster's API is reached."""

    name: str
    kubeconfig: Path
    """For tools on this host; mode 0600."""
    hook_kubeconfig: Path | None = None
    """What the implementation's hooks are given, where they need other rights than the suite; None: the same."""
    member_server: str = ""
    """``https://address:port`` at which *pods and nodes of other clusters* reach this API; broker only."""


class FlowReader(Protocol):
    """Numbered flows under way."""

    def __call__(self) -> list[FlowRecord]:
        """Return what both ends have recorded so far, in the order of the flows."""

    def stop(self) -> None:
        """Emit nothing more; what is under way is still recorded. Idempotent."""


@runtime_checkable
class Lab(Protocol):
    """A running cluster set."""

    kind: str
    """``emulated``, ``mininet``, ``kind`` or ``existing``."""
    topology: Topology
    """The clusters with the nodes that they have now: it is another value after nodes have come or gone."""
    capabilities: frozenset[Capability]
    clusters: Mapping[str, ClusterAccess]
    broker: ClusterAccess
    namespace: str
    """Where the suite's own objects are, in every cluster."""

    def workload(self, cluster: str) -> list[dict[str, Any]]:
        """Return the objects of the suite's probe workload in a cluster, in the order in which to apply them."""

    def addresses(self, place: str) -> tuple[IPAddress, ...]:
        """Return the underlay addresses of a node, or of the outsider; none where the ground has no such place."""

    def describe(self) -> Mapping[str, str]:
        """Return kernel, versions and whatever else a report must record about this ground.

        What begins with ``version/`` is among the versions of the report.
        """

    def probe(self, probes: Sequence[Probe]) -> list[Observation]:
        """Send all probes at once, wait for each one's end, answer in their order."""

    def probe_in_background(self, probes: Sequence[Probe]) -> Callable[[], list[Observation]]:
        """Begin to send probes and return at once; the result waits for each one's end, as ``probe`` does.

        Other calls go on meanwhile. The result raises what ``probe`` would, each time it is called.
        """

    def sightings(self, place: str, nonces: Sequence[str]) -> list[Sighting]:
        """Return what the receiver at ``place`` saw of these nonces. ``LabError`` if nothing listens there."""

    def flows(self, flows: Sequence[NumberedFlow]) -> AbstractContextManager[FlowReader]:
        """Send numbered flows while the context is open; their records are gone when it is left."""

    def cut(self, source: str, destination: str) -> AbstractContextManager[None]:
        """Drop everything that site ``source`` sends to site ``destination`` while the context is open.

        One direction only. A site is a cluster's name or ``broker``.
        """

    def fault(self, fault: Fault) -> AbstractContextManager[None]:
        """Let a fault be in force while the context is open; everything is as before when it is left.

        Nodes that come or go stand in ``topology`` when the context has been entered, and when it has been left.
        ``NATRebinding`` is over when the context has been entered. ``LabError`` if the fault cannot be.
        """

    def inject(self, place: str, packets: Sequence[bytes]) -> None:
        """Emit complete IP packets from a place, in order, whatever their source."""

    def capture(self, where: str) -> AbstractContextManager[Path]:
        """Write a pcap of ``where`` (``wan``, ``<cluster>@<node>``, a pod place) while the context is open."""

    def node_state(self, cluster: str, node: str) -> Mapping[str, object]:
        """Return everything in a node's network configuration that an implementation could leave behind."""

    def run(self, place: str, argv: Sequence[str], *, timeout: float) -> tuple[int, str, str]:
        """Run a command at a place; return exit code, stdout, stderr."""

    def close(self) -> None:
        """End the lab and everything in it. Idempotent."""
