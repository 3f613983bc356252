"""What a hook is asked to do: JSON on standard input."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class HookError(Exception):
    """The hook cannot do its work; the text says what is wrong and where. Exit code 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A cluster of the cluster set."""

    name: str
    """Also its cluster id."""
    kubeconfig: Path
    pod_cidrs: tuple[str, ...]
    service_cidrs: tuple[str, ...]
    global_cidrs: tuple[str, ...] | None = None
    """None: it gets no global addresses; empty: their range is ours to choose."""
    cable_drivers: tuple[str, ...] = ()
    """Wanted by the caller, most preferred first; empty: ours to choose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """The broker's cluster."""

    kubeconfig: Path
    server: str
    """URL at which members' agents reach its API."""
    certificate_authority: str
    """PEM in base64; empty: as in the kubeconfig."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HookRequest:
    """One call."""

    broker: Broker
    members: tuple[Member, ...]
    cluster: str
    """The member that joins or leaves; empty with other verbs."""
    cluster_set: str = "default"
    """Name of the cluster set."""
    work_directory: Path
    version: str = ""
    """The version asked for; empty: this one."""

    @property
    def member(self) -> Member:
        """Return the member that this call is about; ``HookError`` if it is not in the list."""
        for member in self.members:
            if member.name == self.cluster:
                return member
        raise HookError(f"cluster: {self.cluster!r} is not among {[member.name for member in self.members]}")


def parse_request(text: str) -> HookRequest:
    """Read a request; ``HookError`` names the field."""
    try:
        data: dict[str, Any] = json.loads(text)
        broker = data["broker"]
        return HookRequest(
            broker=Broker(
                kubeconfig=Path(broker["kubeconfig"]),
                server=broker.get("server") or "",
                certificate_authority=broker.get("certificateAuthorityData") or "",
            ),
            members=tuple(_member(item) for item in data["clusters"]),
            cluster=data.get("cluster") or "",
            cluster_set=data.get("clusterSet") or "default",
            work_directory=Path(data.get("workDirectory") or "."),
            version=data.get("version") or "",
        )
    except (ValueError, TypeError, AttributeError) as error:
        raise HookError(f"request: {error}") from None
    except KeyError as error:
        raise HookError(f"request: field {error} is missing") from None


def _member(item: dict[str, Any]) -> Member:
    return Member(
        name=item["name"],
        kubeconfig=Path(item["kubeconfig"]),
        pod_cidrs=tuple(item["podCIDRs"]),
        service_cidrs=tuple(item["serviceCIDRs"]),
        global_cidrs=tuple(ranges) if (ranges := item.get("globalCIDRs")) is not None else None,
        cable_drivers=tuple(item.get("cableDrivers") or ()),
    )
