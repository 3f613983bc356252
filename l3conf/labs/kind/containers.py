"""The containers that the lab makes beside kind's nodes. Pure.

The outsider is two in one network namespace: one with the tools to set its routes and rules, one with the probe
server, whose image has no tool at all. All hold on until they are removed, and none has more rights than its work
takes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from l3conf.labs.kind.site_routers import ROUTER_SYSCTLS, outsider_addresses
from l3conf.probes.manifests import DEFAULT_SOCKET, PLACE_VARIABLE, SOCKET_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from l3conf.labs.kind.naming import Names
    from l3conf.labs.kind.site_routers import RouterPlan
    from l3conf.model.topology import IPAddress, Topology

OUTSIDER_PLACE = "@outsider"
_WAITING = ("sleep", "infinity")
_ROOT = "0"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerPlan:
    """A container that the lab makes."""

    name: str
    image: str
    argv: tuple[str, ...]
    """Takes the place of the image's entry point and command; empty: those of the image."""
    labels: Mapping[str, str]
    networks: tuple[tuple[str, tuple[IPAddress, ...]], ...] = ()
    """Networks by name, with its addresses there."""
    shares_network_of: str = ""
    """``host``, or a container whose network namespace it enters instead."""
    capabilities: tuple[str, ...] = ()
    sysctls: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    """Number; empty: the image's own."""


def router_container(plan: RouterPlan, names: Names, image: str) -> ContainerPlan:
    """Return the container of a site's router."""
    return ContainerPlan(
        name=plan.name,
        image=image,
        argv=_WAITING,
        labels=names.labels("router", plan.site),
        networks=((plan.uplink_network, plan.uplinks), (plan.lan_network, plan.lans)),
        capabilities=("NET_ADMIN", "NET_RAW"),
        sysctls=ROUTER_SYSCTLS,
        user=_ROOT,
    )


def outsider_plan(topology: Topology, names: Names, image: str) -> ContainerPlan:
    """Return the container that has the outsider's network."""
    return ContainerPlan(
        name=names.outsider,
        image=image,
        argv=_WAITING,
        labels=names.labels("outsider"),
        networks=((names.wan, outsider_addresses(topology)),),
        capabilities=("NET_ADMIN", "NET_RAW"),
        sysctls={"net.ipv6.conf.all.disable_ipv6": "0"},
        user=_ROOT,
    )


def outsider_probe_plan(names: Names, image: str) -> ContainerPlan:
    """Return the container with the outsider's probe server."""
    return ContainerPlan(
        name=f"{names.outsider}-probe",
        image=image,
        argv=(),
        labels=names.labels("outsider"),
        shares_network_of=names.outsider,
        capabilities=("NET_RAW",),
        env={PLACE_VARIABLE: OUTSIDER_PLACE, SOCKET_VARIABLE: DEFAULT_SOCKET},
        user=_ROOT,
    )


def capture_plan(names: Names, image: str, number: int, *, shares_network_of: str, interface: str) -> ContainerPlan:
    """Return a container that writes the frames of an interface to its output until it is ended."""
    return ContainerPlan(
        name=f"{names.wan}-capture{number}",
        image=image,
        argv=("/usr/bin/python3", "-m", "l3conf.capture", interface),
        labels=names.labels("capture"),
        shares_network_of=shares_network_of,
        capabilities=("NET_RAW",),
        user=_ROOT,
    )


def host_tools_plan(names: Names, image: str) -> ContainerPlan:
    """Return a container in the engine's own network, which takes the carrier from nodes' cables and gives it back."""
    return ContainerPlan(
        name=f"{names.wan}-cables",
        image=image,
        argv=_WAITING,
        labels=names.labels("cables"),
        shares_network_of="host",
        capabilities=("NET_ADMIN",),
        user=_ROOT,
    )


def full_name(image: str) -> str:
    """Return an image's name as containerd has it: with registry, and with a tag. Pure."""
    first, _, rest = image.partition("/")
    if not rest:
        image = f"docker.io/library/{image}"
    elif "." not in first and ":" not in first and first != "localhost":
        image = f"docker.io/{image}"
    return image if ":" in image.rpartition("/")[2] or "@" in image else f"{image}:latest"
