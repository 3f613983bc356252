"""What a kubelet and a kube-proxy ask of the kernel: the seam between the Kubernetes and the Linux half.

``l3conf.emulator.ground`` implements it with namespaces; unit tests use a fake.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from l3conf.emulator.cluster_api import Object
    from l3conf.emulator.kernel.flows import Backends
    from l3conf.model.topology import IPAddress, IPFamily, IPNetwork


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A file or directory that a container sees at ``target``."""

    source: Path
    """Absolute path in the lab's mount namespace."""
    target: str
    """Absolute path in the container; made if it is missing."""
    read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSpec:
    """A process to run in a pod."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    """The whole environment; nothing is inherited."""
    mounts: tuple[Mount, ...] = ()
    working_directory: str = "/"
    log: Path | None = None
    """stdout and stderr are appended here."""
    hostname: str = ""
    capabilities: tuple[int, ...] | None = None
    """By number, as linux/capability.h has them; None: all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodNetwork:
    """A pod's network namespace (CNI result)."""

    pod_uid: str
    namespace_path: str
    """A path that ``setns`` accepts in the lab's pid namespace, e.g. ``/proc/1/fd/17``."""
    addresses: tuple[IPAddress, ...]
    """The pod's addresses, one per family; the node's own for host-network pods."""
    host_network: bool = False


class RunningProcess(Protocol):
    """A process in a pod, or a built-in workload that stands for one."""

    pid: int
    """In the lab's pid namespace; 0 for a built-in workload."""

    async def wait(self) -> int:
        """Wait for the end; return the exit code, 128 + n if signal n ended it. May be awaited repeatedly."""

    def signal(self, number: int) -> None:
        """Send a signal to the container's first process; SIGKILL ends all that it started. No error if gone."""


class NodeGround(Protocol):
    """One node's kernel side."""

    name: str
    addresses: tuple[IPAddress, ...]
    """Underlay addresses, the InternalIPs."""
    pod_ranges: tuple[IPNetwork, ...]

    async def add_pod(self, pod_uid: str, pod_name: str, *, host_network: bool) -> PodNetwork:
        """Give a pod its namespace and addresses (CNI ADD). Idempotent per uid."""

    async def remove_pod(self, pod_uid: str) -> None:
        """Take the namespace back (CNI DEL); processes in it must have ended. Idempotent."""

    async def start(self, network: PodNetwork, spec: ContainerSpec) -> RunningProcess:
        """Start a container. Raises ``FileNotFoundError`` if argv[0] is no program here."""

    async def exec(
        self,
        container: RunningProcess | None,
        network: PodNetwork,
        spec: ContainerSpec,
        *,
        stdin: int,
        stdout: int,
        stderr: int,
        tty: bool = False,
    ) -> RunningProcess:
        """Start a further process in a container (in its namespaces, with ``spec.env``), on given descriptors."""

    async def open_connection(
        self, network: PodNetwork | None, host: IPAddress, port: int
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect by TCP from a pod's namespace, or from the node's own if ``network`` is None (kubelet probes).

        Raises ``OSError`` as ``asyncio.open_connection`` does; the caller bounds the time.
        """

    async def load_ruleset(self, ruleset: str) -> None:
        """Load an nftables ruleset (``nft -f`` syntax) into the node's namespace, atomically."""

    async def load_pod_ruleset(self, pod_uid: str, ruleset: str) -> None:
        """Load an nftables ruleset into a pod's own namespace, atomically."""

    async def forget_flows(self, family: IPFamily, backends: Backends) -> None:
        """Drop the UDP flows to a key of ``backends`` that none of its value answers from connection tracking.

        New rules apply to their next packet then.
        """


class BuiltinWorkload(Protocol):
    """A workload that the emulator itself runs for a known image, without a process per container."""

    async def start(
        self,
        place: str,
        pod: Object,
        network: PodNetwork,
        log: Callable[[str], None],
    ) -> RunningProcess:
        """Start serving in the pod's namespace; ready when this returns. ``place`` as in ``labs.base``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """What an image name stands for on this host: a row of the image table."""

    name: str
    """Image reference as in ``containers[].image``; a trailing ``*`` matches any tag."""
    entrypoint: tuple[str, ...] = ()
    """ENTRYPOINT: used where the container has no ``command``; container ``args`` follow it."""
    env: Mapping[str, str] = field(default_factory=dict)
    """ENV: set before the container's own variables."""
    working_directory: str = "/"
    builtin: BuiltinWorkload | None = None
    """Served by the emulator itself unless the container gives its own ``command``."""
