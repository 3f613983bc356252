"""What every part of one kubelet shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from l3conf.model.topology import MAX_RESTART_PERIOD

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from pathlib import Path

    from l3conf.emulator.cluster_api import ClusterAPI
    from l3conf.emulator.controllers.event_recorder import EventRecorder
    from l3conf.emulator.node_runtime import Image, NodeGround
    from l3conf.model.topology import IPAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class APIAccess:
    """How pods reach their cluster's API: Service default/kubernetes."""

    host: str
    """ClusterIP of the Service."""
    port: int
    ca_pem: str
    """Certificate of the authority that signed the server's certificate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterDNS:
    """What goes into pods' ``/etc/resolv.conf``."""

    servers: tuple[IPAddress, ...] = ()
    """ClusterIP of kube-system/kube-dns; empty where there is no cluster DNS."""
    domain: str = "cluster.local"


class IssueToken(Protocol):
    """Issues a ServiceAccount token (``TokenRequest``)."""

    def __call__(self, namespace: str, service_account: str, *, seconds: int, audiences: Sequence[str] = ()) -> str:
        """Return a signed token that is valid for ``seconds``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackOffTimes:
    """Delays in seconds."""

    first: float = 10.0
    """Before the second restart of a container or attempt to pull; doubles each time."""
    longest: float = 300.0
    """Between attempts to pull, and whatever else has no limit of its own."""
    max_container_restart_period: float = MAX_RESTART_PERIOD
    """Between restarts of a container; ``crashLoopBackOff.maxContainerRestartPeriod`` of a KubeletConfiguration."""
    first_retry: float = 0.5
    """Before a failed sandbox or volume is tried again; doubles up to ``longest``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeContext:
    """One node's collaborators and settings."""

    api: ClusterAPI
    cluster: str
    node: str
    ground: NodeGround
    images: tuple[Image, ...]
    events: EventRecorder
    state_directory: Path
    """Logs and volumes of this node's pods; absolute, in the lab's mount namespace."""
    api_access: APIAccess
    dns: ClusterDNS
    issue_token: IssueToken
    now: Callable[[], datetime]
    back_off: BackOffTimes
