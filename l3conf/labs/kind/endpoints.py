"""What the Engine API is told of containers' places on networks, and of copies of containers. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from l3conf.model.topology import IPAddress

_KEPT = frozenset({"Env", "Cmd", "Entrypoint", "Image", "Labels", "Tty", "Volumes", "StopSignal", "User"})
"""Of a container's configuration: what makes a node of kind, and no name or address."""


def endpoint(network: str, addresses: Sequence[IPAddress]) -> tuple[str, dict[str, Any]]:
    """Return a place on a network; without addresses docker chooses them."""
    return network, {"IPAMConfig": {f"IPv{each.version}Address": str(each) for each in addresses}}


def by_family(addresses: Sequence[IPAddress]) -> dict[str, str]:
    """Return addresses as docker-py names them."""
    return {f"ipv{each.version}_address": str(each) for each in addresses}


def copy_of(inspected: Mapping[str, Any], name: str, place: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the request for a container like one that was inspected; no port of the host is its own."""
    network, at = place
    return {
        **{key: value for key, value in inspected["Config"].items() if key in _KEPT},
        "Hostname": name,
        "HostConfig": {**inspected["HostConfig"], "NetworkMode": network, "PortBindings": {}},
        "NetworkingConfig": {"EndpointsConfig": {network: at}},
    }
