"""``l3conf lab``: emulated clusters to work in by hand."""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from l3conf.cli.lab_fault import fault
from l3conf.cli.lab_node import node
from l3conf.labs import EMULATED, MININET, emulation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from l3conf.model.implementation import Implementation

_FOREVER = 10.0 * 365 * 86400
"""Seconds; a socket's time-out takes no infinity."""


@click.group()
def lab() -> None:
    """Build, inspect and end emulated clusters."""


@lab.command()
@click.argument("topology", type=click.Path(path_type=Path))
@click.option("--name", help="Name of the lab; the topology's by default.")
@click.option("--impl", type=click.Path(path_type=Path), help="Implementation whose images the nodes shall know.")
@click.option("--on", "kind", type=click.Choice([EMULATED, MININET]), default=EMULATED, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def up(topology: Path, name: str | None, impl: Path | None, kind: str, *, as_json: bool) -> None:
    """Build the clusters of a TOPOLOGY file and leave them running."""
    from l3conf.emulator.ground.state import registry  # noqa: PLC0415 - `l3conf --help` needs none of this
    from l3conf.spec.files import load_implementation, load_topology  # noqa: PLC0415

    started = time.monotonic()
    implementation = load_implementation(impl) if impl else None
    images, visible = _images(implementation)
    running = emulation(kind).start(
        load_topology(topology),
        images=images,
        visible=visible,
        name=name,
        background=True,
        progress=_progress if sys.stderr.isatty() else lambda _stage: None,
    )
    seconds = time.monotonic() - started
    lab_name = name or running.topology.name
    state = registry() / lab_name  # shorter to type than the lab's directory in /proc
    if as_json:
        click.echo(json.dumps({"name": lab_name, "ready_seconds": round(seconds, 3), **_access(state)}))
        return
    click.echo(f"lab {lab_name} is up after {seconds:.1f} s")
    click.echo(f"  export KUBECONFIG={_kubeconfig_path(state)}")
    click.echo(f"  kubectl --context {running.topology.clusters[0].name} get nodes -o wide")
    click.echo(f"  l3conf lab status | l3conf lab exec PLACE -- COMMAND | l3conf lab down {lab_name}")


def _images(implementation: Implementation | None) -> tuple[Sequence[Any], Sequence[str]]:
    if implementation is None:
        return (), ()
    from l3conf.adapter.images import resolved_images, visible_directories  # noqa: PLC0415

    return resolved_images(implementation), visible_directories(implementation)


def _progress(stage: str) -> None:
    click.echo(f"  {stage}", err=True)


def _access(state: Path) -> dict[str, Any]:
    from l3conf.emulator.ground.state import read_facts  # noqa: PLC0415

    facts = read_facts(state) or {}
    return {
        "state": str(state),
        "kubeconfig": str(_kubeconfig_path(state)),
        "clusters": {name: str(state / access["kubeconfig"]) for name, access in facts.get("clusters", {}).items()},
        "broker": str(state / facts.get("broker", {}).get("kubeconfig", "")),
    }


def _kubeconfig_path(state: Path) -> Path:
    return state / "kubeconfig" / "all"


@lab.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(name: str | None, *, as_json: bool) -> None:
    """Show a lab's nodes and pods; all running labs where several run and none is named."""
    from l3conf.emulator.control.client import ControlClient  # noqa: PLC0415
    from l3conf.emulator.ground.state import find_lab, named_labs  # noqa: PLC0415

    if name is None and len(named_labs()) != 1:
        labs = {lab_name: _access(state) for lab_name, state in named_labs().items()}
        click.echo(json.dumps(labs) if as_json else "\n".join(labs) or "no lab is running")
        return
    state = find_lab(name)
    with ControlClient(state) as control:
        answer = control.call("status")
    if as_json:
        click.echo(json.dumps({**answer, **_access(state)}))
        return
    from l3conf.cli.lab_status import print_status  # noqa: PLC0415

    print_status(answer, _kubeconfig_path(state))


@lab.command(context_settings={"ignore_unknown_options": True})
@click.option("--lab", "name", help="Name of the lab, where several run.")
@click.argument("place")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def exec(context: click.Context, name: str | None, place: str, command: tuple[str, ...]) -> None:  # noqa: A001
    """Run COMMAND (a shell by default) at a PLACE.

    Places: CLUSTER@NODE, CLUSTER/NAMESPACE/POD, @outsider, @wan, router:CLUSTER.
    """
    from l3conf.cli.terminal import run_on_terminal  # noqa: PLC0415
    from l3conf.emulator.control.client import ControlClient  # noqa: PLC0415
    from l3conf.emulator.ground.state import find_lab  # noqa: PLC0415

    interactive = sys.stdin.isatty() and sys.stdout.isatty()
    with ControlClient(find_lab(name)) as control:

        def start(descriptors: tuple[int, int, int]) -> int:
            call = {"place": place, "argv": list(command) or ["sh"], "tty": interactive}
            return int(control.call("exec", call, timeout=_FOREVER, descriptors=descriptors)["code"])

        context.exit(run_on_terminal(start) if interactive else start((0, 1, 2)))


@lab.command()
@click.argument("where")
@click.option("--lab", "name", help="Name of the lab, where several run.")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="pcap file to write.")
@click.option("--seconds", type=click.FloatRange(min=0.01), help="End after so long; at Ctrl-C by default.")
def capture(where: str, name: str | None, output: Path, seconds: float | None) -> None:
    """Capture packets at a place or on the ``wan`` into a pcap file."""
    from l3conf.emulator.control.client import ControlClient  # noqa: PLC0415
    from l3conf.emulator.ground.state import find_lab  # noqa: PLC0415
    from l3conf.errors import UserError  # noqa: PLC0415

    state = find_lab(name)
    if not output.parent.is_dir():
        raise UserError("no such directory", where=str(output.parent), remedy="make it, or choose another -o")
    with ControlClient(state) as control:
        started = control.call("capture.start", {"where": where})
        click.echo(f"capturing {where}{'' if seconds else '; end with Ctrl-C'}", err=True)
        try:
            time.sleep(seconds or _FOREVER)
        except KeyboardInterrupt:
            click.echo(err=True)
        ended = control.call("capture.stop", {"id": started["id"]})
        shutil.copyfile(state / started["file"], output)
    click.echo(f"{ended['packets']} packets, {ended['dropped']} dropped: {output}", err=True)


@lab.command()
@click.argument("source")
@click.argument("destination")
@click.option("--lab", "name", help="Name of the lab, where several run.")
@click.option("--seconds", type=click.FloatRange(min=0.01), help="Heal after so long; at Ctrl-C by default.")
def cut(source: str, destination: str, name: str | None, seconds: float | None) -> None:
    """Drop everything that site SOURCE sends to site DESTINATION (a cluster's name or ``broker``)."""
    from l3conf.emulator.control.client import ControlClient  # noqa: PLC0415
    from l3conf.emulator.ground.state import find_lab  # noqa: PLC0415

    with ControlClient(find_lab(name)) as control:
        control.call("cut", {"source": source, "destination": destination})
        click.echo(f"cut {source} -> {destination}{'' if seconds else '; heal with Ctrl-C'}", err=True)
        try:
            time.sleep(seconds or _FOREVER)
        except KeyboardInterrupt:
            click.echo(err=True)
        control.call("heal", {"source": source, "destination": destination})


lab.add_command(fault)
lab.add_command(node)


@lab.command()
@click.argument("name", required=False)
@click.option("--all", "everything", is_flag=True, help="End every lab of this user.")
def down(name: str | None, *, everything: bool) -> None:
    """End a lab and everything in it."""
    from l3conf.emulator.ground.launch import end_lab  # noqa: PLC0415
    from l3conf.emulator.ground.state import find_lab, named_labs  # noqa: PLC0415

    states = list(named_labs().values()) if everything else [find_lab(name)]
    for state in states:
        end_lab(state)
        click.echo(f"lab {state.name} is down")
