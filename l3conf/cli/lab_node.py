"""``l3conf lab node``: nodes of a running lab come, are drained, go, crash and boot again."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import click

from l3conf.cli.holding import lasting

if TYPE_CHECKING:
    from pathlib import Path

    from l3conf.model.faults import Fault

_PERIOD = 0.05

_of_lab = click.option("--lab", "name", help="Name of the lab, where several run.")
_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def node() -> None:
    """Add, drain, remove, crash and reboot nodes.

    What add, drain and remove did stays; a crash ends with its command.
    """


@node.command()
@click.argument("cluster")
@click.argument("node_name", metavar="[NODE]", default="")
@click.option("--gateway", is_flag=True, help="Label it as a gateway node.")
@click.option(
    "--timeout", type=click.FloatRange(min=0), default=30.0, show_default=True, help="Seconds until it must be Ready."
)
@_of_lab
@_as_json
def add(cluster: str, node_name: str, name: str | None, timeout: float, *, gateway: bool, as_json: bool) -> None:
    """Add a node to a CLUSTER and wait until it is Ready.

    NODE defaults to the cluster's next name. A node that was removed comes back with its addresses and pod slice.
    """
    began = time.monotonic()
    state = _state(name)
    made = _call(state, "node.add", {"cluster": cluster, "name": node_name, "gateway": gateway})
    _await_ready(state, cluster, made["node"], began + timeout)
    made["ready_seconds"] = round(time.monotonic() - began, 3)
    text = f"{cluster}@{made['node']} is Ready after {made['ready_seconds']:.1f} s"
    _say(made, f"{text}: {', '.join(made['addresses'])}, pods {', '.join(made['podCIDRs'])}", as_json=as_json)


@node.command()
@click.argument("cluster")
@click.argument("node_name", metavar="NODE")
@_of_lab
@_as_json
def remove(cluster: str, node_name: str, name: str | None, *, as_json: bool) -> None:
    """Power a node off and delete it. Drain it first where its pods shall go elsewhere before."""
    gone = _call(_state(name), "node.remove", {"cluster": cluster, "node": node_name})
    _say(gone, f"{cluster}@{node_name} is gone: {', '.join(gone['addresses'])}", as_json=as_json)


@node.command()
@click.argument("cluster")
@click.argument("node_name", metavar="NODE")
@click.option(
    "--timeout", type=click.FloatRange(min=0), default=60.0, show_default=True, help="Seconds until all pods are gone."
)
@click.option("--undo", is_flag=True, help="Let pods come again (uncordon) instead.")
@_of_lab
@_as_json
def drain(cluster: str, node_name: str, name: str | None, timeout: float, *, undo: bool, as_json: bool) -> None:
    """Cordon a node and evict its pods, but for those of DaemonSets."""
    from l3conf.plugin import drain as api  # noqa: PLC0415 - `l3conf --help` needs none of this
    from l3conf.plugin.cluster_api import ClusterAPI  # noqa: PLC0415

    state = _state(name)
    _check_node(state, cluster, node_name)
    client = ClusterAPI(cluster, state / "kubeconfig" / cluster, timeout=timeout or 1.0)
    try:
        if undo:
            api.cordon(client, node_name, schedulable=True)
            _say({"cluster": cluster, "node": node_name}, f"pods may come to {cluster}@{node_name}", as_json=as_json)
            return
        evicted = api.drain(client, node_name, seconds=timeout)
    finally:
        client.close()
    said = {"cluster": cluster, "node": node_name, "evicted": evicted}
    _say(said, f"{cluster}@{node_name} is drained: {', '.join(evicted) or 'nobody'} had to go", as_json=as_json)


@node.command()
@click.argument("cluster")
@click.argument("node_name", metavar="NODE")
@lasting
def crash(cluster: str, node_name: str) -> list[Fault]:
    """Take a node's power; it boots when the command ends."""
    from l3conf.model.faults import NodeCrash  # noqa: PLC0415

    return [NodeCrash(cluster=cluster, node=node_name)]


@node.command()
@click.argument("cluster")
@click.argument("node_name", metavar="NODE")
@click.option("--dark", type=click.FloatRange(min=0), default=0.0, show_default=True, help="Seconds without power.")
@_of_lab
@_as_json
def reboot(cluster: str, node_name: str, name: str | None, dark: float, *, as_json: bool) -> None:
    """Take a node's power and boot it: the same node, with nothing in its kernel but what it was built with."""
    from l3conf.emulator.control.client import ControlClient  # noqa: PLC0415
    from l3conf.model.faults import NodeCrash, fault_to_json  # noqa: PLC0415

    crash = fault_to_json(NodeCrash(cluster=cluster, node=node_name))
    with ControlClient(_state(name)) as control:
        began = time.monotonic()
        started = control.call("fault.start", {"fault": crash})
        time.sleep(dark)
        control.call("fault.stop", {"id": started["id"]})
        seconds = round(time.monotonic() - began, 3)
    said = {"cluster": cluster, "node": node_name, "dark_seconds": seconds}
    _say(said, f"{cluster}@{node_name} boots after {seconds:.1f} s without power", as_json=as_json)


def _state(name: str | None) -> Path:
    from l3conf.emulator.ground.state import find_lab  # noqa: PLC0415

    return find_lab(name)


def _call(state: Path, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
    from l3conf.emulator.control.client import ControlClient  # noqa: PLC0415

    with ControlClient(state) as control:
        answer: dict[str, Any] = control.call(method, params)
    return answer


def _check_node(state: Path, cluster: str, node_name: str) -> None:
    """Refuse a cluster or a node that the lab does not have."""
    from l3conf.errors import UserError  # noqa: PLC0415

    told = _call(state, "nodes")
    if cluster not in told:
        raise UserError(f"there is no cluster {cluster!r}", remedy=f"choose one of {', '.join(told)}")
    known = [each["name"] for each in told[cluster]["nodes"]]
    if node_name not in known:
        raise UserError(f"cluster {cluster} has no node {node_name!r}", remedy=f"choose one of {', '.join(known)}")


def _await_ready(state: Path, cluster: str, node_name: str, deadline: float) -> None:
    """Wait until a node is Ready; ``LabError`` if it is not by then."""
    from l3conf.errors import LabError  # noqa: PLC0415

    while not _is_ready(_call(state, "status")["clusters"][cluster]["nodes"], node_name):
        if time.monotonic() > deadline:
            remedy = "see l3conf lab status, or allow more with --timeout"
            raise LabError("the node is not Ready", where=f"{cluster}@{node_name}", remedy=remedy)
        time.sleep(_PERIOD)


def _is_ready(nodes: list[dict[str, Any]], node_name: str) -> bool:
    return any(each["name"] == node_name and each["ready"] for each in nodes)


def _say(answer: dict[str, Any], text: str, *, as_json: bool) -> None:
    click.echo(json.dumps(answer) if as_json else text)
