"""``l3conf lab fault``: break the networks and APIs of a running lab, until Ctrl-C or for a while."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address
from typing import TYPE_CHECKING

import click

from l3conf.cli.holding import hold, lasting
from l3conf.cli.lab_fault_api import api

if TYPE_CHECKING:
    from l3conf.model.faults import Fault


@click.group()
def fault() -> None:
    """Break networks of a running lab; everything is as before when the command ends.

    A SITE is a cluster's name, broker or outsider; a path fault meets one direction.
    """


fault.add_command(api)


@fault.command("cut")
@click.argument("source", metavar="SITE")
@click.argument("destination", metavar="SITE")
@lasting
def cut(source: str, destination: str) -> list[Fault]:
    """Let nothing pass from one site to another."""
    from l3conf.model.faults import Cut  # noqa: PLC0415

    return [Cut(source=source, destination=destination)]


@fault.command()
@click.argument("one", metavar="SITE")
@click.argument("other", metavar="SITE", default="broker")
@lasting
def partition(one: str, other: str) -> list[Fault]:
    """Cut both directions between two sites; between a site and the broker by default."""
    from l3conf.model.faults import Cut  # noqa: PLC0415

    return [Cut(source=one, destination=other), Cut(source=other, destination=one)]


@fault.command()
@click.argument("source", metavar="SITE")
@click.argument("destination", metavar="SITE")
@click.argument("percent", type=click.FloatRange(0, 100))
@lasting
def loss(source: str, destination: str, percent: float) -> list[Fault]:
    """Lose PERCENT of the packets from one site to another."""
    from l3conf.model.faults import Loss  # noqa: PLC0415

    return [Loss(source=source, destination=destination, share=percent / 100)]


@fault.command()
@click.argument("source", metavar="SITE")
@click.argument("destination", metavar="SITE")
@click.argument("bytes_per_second", type=click.IntRange(min=1))
@lasting
def rate(source: str, destination: str, bytes_per_second: int) -> list[Fault]:
    """Drop what exceeds a rate from one site to another."""
    from l3conf.model.faults import RateLimit  # noqa: PLC0415

    return [RateLimit(source=source, destination=destination, bytes_per_second=bytes_per_second)]


@fault.command()
@click.argument("source", metavar="SITE")
@click.argument("destination", metavar="SITE")
@click.argument("milliseconds", type=click.FloatRange(0, 10_000))
@lasting
def delay(source: str, destination: str, milliseconds: float) -> list[Fault]:
    """Hold back everything from one site to another."""
    from l3conf.model.faults import Delay  # noqa: PLC0415

    return [Delay(source=source, destination=destination, seconds=milliseconds / 1000)]


@fault.command("nat-rebind")
@click.argument("site")
@click.option("--lab", "name", help="Name of the lab, where several run.")
def nat_rebind(site: str, name: str | None) -> None:
    """Make a site's NAT forget its mappings and choose other ports."""
    from l3conf.model.faults import NATRebinding  # noqa: PLC0415

    hold([NATRebinding(site=site)], name, 0.01)


@fault.command("nat-reboot")
@click.argument("site")
@lasting
def nat_reboot(site: str) -> list[Fault]:
    """Stop a site's router; it comes back without its mappings."""
    from l3conf.model.faults import NATReboot  # noqa: PLC0415

    return [NATReboot(site=site)]


@fault.command()
@click.argument("site")
@click.argument("new")
@lasting
def address(site: str, new: str) -> list[Fault]:
    """Give a site with NAT another public address, a free one of the WAN."""
    from l3conf.model.faults import AddressChange  # noqa: PLC0415

    try:
        return [AddressChange(site=site, address=IPv4Address(new))]
    except ValueError:
        raise click.BadParameter(f"{new!r} is not an IPv4 address", param_hint="NEW") from None


@fault.command("node-address")
@click.argument("cluster")
@click.argument("node")
@click.argument("new")
@lasting
def node_address(cluster: str, node: str, new: str) -> list[Fault]:
    """Give a node another address, a free one of its LAN; its kubelet says so."""
    from l3conf.model.faults import NodeAddressChange  # noqa: PLC0415

    try:
        return [NodeAddressChange(cluster=cluster, node=node, address=ip_address(new))]
    except ValueError:
        raise click.BadParameter(f"{new!r} is no IP address", param_hint="NEW") from None


@fault.command()
@click.argument("cluster")
@click.argument("node")
@lasting
def link(cluster: str, node: str) -> list[Fault]:
    """Take the carrier from a node's uplink."""
    from l3conf.model.faults import LinkDown  # noqa: PLC0415

    return [LinkDown(cluster=cluster, node=node)]


@fault.command("rp-filter")
@click.argument("cluster")
@click.argument("node")
@click.argument("mode", type=click.IntRange(0, 2))
@lasting
def rp_filter(cluster: str, node: str, mode: int) -> list[Fault]:
    """Set rp_filter of all of a node's links, as network managers do."""
    from l3conf.model.faults import ReversePathFilter  # noqa: PLC0415

    return [ReversePathFilter(cluster=cluster, node=node, mode=mode)]


@fault.command("kill-agents")
@click.argument("cluster")
@click.argument("node")
@click.option("--lab", "name", help="Name of the lab, where several run.")
def kill_agents(cluster: str, node: str, name: str | None) -> None:
    """Kill the agents on a node; kubelets restart them."""
    from l3conf.model.faults import AgentsKilled  # noqa: PLC0415

    hold([AgentsKilled(cluster=cluster, node=node)], name, 0.01)


@fault.command("freeze-agents")
@click.argument("cluster")
@click.argument("node")
@lasting
def freeze_agents(cluster: str, node: str) -> list[Fault]:
    """Freeze the agents on a node, as if they had died and nobody restarted them."""
    from l3conf.model.faults import AgentsFrozen  # noqa: PLC0415

    return [AgentsFrozen(cluster=cluster, node=node)]


@fault.command("crash-loop")
@click.argument("cluster")
@click.argument("node")
@lasting
def crash_loop(cluster: str, node: str) -> list[Fault]:
    """Kill the agents on a node whenever they start."""
    from l3conf.model.faults import AgentsCrashLooping  # noqa: PLC0415

    return [AgentsCrashLooping(cluster=cluster, node=node)]


@fault.command("node-crash")
@click.argument("cluster")
@click.argument("node")
@lasting
def node_crash(cluster: str, node: str) -> list[Fault]:
    """Take a node's power; it boots when the fault ends."""
    from l3conf.model.faults import NodeCrash  # noqa: PLC0415

    return [NodeCrash(cluster=cluster, node=node)]
