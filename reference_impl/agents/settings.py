"""What an agent is told: a mounted ConfigMap, a mounted Secret, and two variables from the downward API."""

from __future__ import annotations

import os
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from reference_impl.names import BROKER_NAMESPACE, VXLAN_BACKEND
from reference_impl.protocols.objects import Cluster

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reference_impl.state import IPAddress, IPNetwork

SETTINGS_DIRECTORY = Path("/etc/submariner/settings")
BROKER_DIRECTORY = Path("/etc/submariner/broker")


class SettingsError(Exception):
    """A setting is missing or cannot be read; the text names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerAccess:
    """Where the broker is and who we are there. The token itself is never kept, only the file's place."""

    server: str
    namespace: str
    certificate_authority: Path
    token: Path

    @property
    def is_mailbox(self) -> bool:
        """Say whether the namespace is this member's alone, filled by the broker's agent."""
        return self.namespace != BROKER_NAMESPACE


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a pod of ours runs."""

    node: str
    """``spec.nodeName``; also the agent's identity in the election, so that a restart is no new candidate."""
    namespace: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Place):
    """One agent's settings."""

    cluster: Cluster
    """The own cluster."""
    drivers: tuple[str, ...] = (VXLAN_BACKEND,)
    """Cable drivers of this cluster, most preferred first. The two ends of a connection must have one in common."""
    relay: bool = False
    """Whether this member relays for pairs that cannot reach each other, and may be relayed. A relay sees what it
    forwards, so this is never assumed."""
    nat_enabled: bool = False
    """Whether this cluster's gateways are reached at their public address."""
    guarded: tuple[IPAddress, ...] = ()
    """Addresses that no member may claim: where the broker is, if it is known by address."""


def load_place(environ: Mapping[str, str] = os.environ) -> Place:
    """Read where this pod runs; ``SettingsError`` names what is missing."""
    return Place(node=_variable(environ, "NODE_NAME"), namespace=_variable(environ, "POD_NAMESPACE"))


def load_namespace(environ: Mapping[str, str] = os.environ) -> str:
    """Read which namespace this pod runs in; ``SettingsError`` if it was not told."""
    return _variable(environ, "POD_NAMESPACE")


def load_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings; ``SettingsError`` names what is missing."""
    directory = Path(environ.get("SUBMARINER_SETTINGS", SETTINGS_DIRECTORY))
    return Settings(
        node=_variable(environ, "NODE_NAME"),
        namespace=_variable(environ, "POD_NAMESPACE"),
        cluster=Cluster(
            cluster_id=_text(directory / "cluster-id"),
            pod_cidrs=_prefixes(directory / "pod-cidrs"),
            service_cidrs=_prefixes(directory / "service-cidrs"),
            global_cidrs=_optional_prefixes(directory / "global-cidrs"),
        ),
        drivers=_words(directory / "cable-driver"),
        relay=_is_true(directory / "relay"),
        nat_enabled=_text(directory / "nat-enabled") == "true",
        guarded=_host(directory / "broker-server"),
    )


def load_broker(environ: Mapping[str, str] = os.environ) -> BrokerAccess:
    """Read where the broker is; ``SettingsError`` names what is missing."""
    directory = Path(environ.get("SUBMARINER_BROKER", BROKER_DIRECTORY))
    return BrokerAccess(
        server=_text(directory / "server"),
        namespace=_text(directory / "namespace"),
        certificate_authority=directory / "ca.crt",
        token=directory / "token",
    )


def _variable(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name, "")
    if not value:
        raise SettingsError(f"variable {name} is not set")
    return value


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError as error:
        raise SettingsError(f"setting {path}: {error.strerror}") from None


def _words(path: Path) -> tuple[str, ...]:
    words = tuple(dict.fromkeys(word.strip() for word in _text(path).split(",") if word.strip()))
    if not words:
        raise SettingsError(f"setting {path}: no name in it")
    return words


def _host(path: Path) -> tuple[IPAddress, ...]:
    """Return the address in a URL; none where it has a name, or where an older join wrote no such setting."""
    try:
        return (ip_address(urlsplit(_text(path)).hostname or ""),)
    except (SettingsError, ValueError):
        return ()


def _is_true(path: Path) -> bool:
    """Read a switch that older settings do not have."""
    return path.exists() and _text(path) == "true"


def _optional_prefixes(path: Path) -> tuple[IPNetwork, ...]:
    """Read what clusters without global addresses, and older settings, do not have."""
    return _prefixes(path) if path.exists() and _text(path) else ()


def _prefixes(path: Path) -> tuple[IPNetwork, ...]:
    try:
        return tuple(ip_network(word) for word in _text(path).split(","))
    except ValueError as error:
        raise SettingsError(f"setting {path}: {error}") from None
