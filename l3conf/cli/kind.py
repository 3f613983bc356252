"""Commands and options about clusters of kind: what is missing, what a run would make, what is left."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from l3conf.errors import LabIncapableError, UserError

if TYPE_CHECKING:
    from l3conf.labs.kind.settings import KindSettings
    from l3conf.plugin.process import Selection

_FEWEST = 3
"""Control planes of the smallest cluster set: two members and the broker."""


def check_kind(selection: Selection) -> None:
    """Refuse a machine that lacks something for clusters of kind; ``UserError`` names all of it, with the remedies."""
    from l3conf.labs.kind import preflight  # noqa: PLC0415 - `l3conf --help` needs none of this
    from l3conf.labs.kind.commands import Kind  # noqa: PLC0415
    from l3conf.labs.kind.engine import Engine  # noqa: PLC0415

    settings = _settings(selection)
    missing = []
    with contextlib.ExitStack() as stack:
        try:
            engine = Engine.connect()
            stack.callback(engine.close)
        except UserError as error:
            missing.append(str(error))
        else:
            facts = preflight.look(engine, settings)
            found = preflight.problems(facts, control_planes=_FEWEST)
            missing += map(str, found)
    try:
        Kind().version()
    except UserError as error:
        missing.append(str(error))
    if missing:
        raise UserError("missing:\n  " + "\n  ".join(missing), where="--on kind")


def show_kind(selection: Selection) -> int:
    """Print networks, containers and configurations of kind that labs would have, and make none."""
    from l3conf.labs.kind import cluster_config  # noqa: PLC0415 - `l3conf --help` needs none of this
    from l3conf.labs.kind.claim import owner  # noqa: PLC0415
    from l3conf.labs.kind.naming import names_of  # noqa: PLC0415
    from l3conf.labs.kind.networks import networks_of  # noqa: PLC0415
    from l3conf.labs.kind.standing import check_standing  # noqa: PLC0415
    from l3conf.plugin.options import known_topologies, topology_file  # noqa: PLC0415
    from l3conf.spec.files import load_topology  # noqa: PLC0415

    settings = _settings(selection)
    for name in selection.topologies or known_topologies(Path.cwd()):
        topology = load_topology(topology_file(name, Path.cwd()))
        try:
            check_standing(topology, settings)
        except LabIncapableError as why:
            click.echo(f"# {why}")
            continue
        names = names_of(topology, settings, owner())
        click.echo(f"# {name}: lab {names.lab}")
        for plan in networks_of(topology, names):
            click.echo(f"#   network {plan.name}: {', '.join(str(each.cidr) for each in plan.subnets)}, MTU {plan.mtu}")
        for cluster in topology.clusters:
            click.echo(f"#   router {names.router(cluster.name)}")
        click.echo(f"#   outsider {names.outsider}")
        configs = [cluster_config.broker_config(names.broker, topology, settings)]
        configs += [
            cluster_config.member_config(names.cluster(cluster.name), cluster, settings)
            for cluster in topology.clusters
        ]
        click.echo("".join(f"---\n{cluster_config.text_of(config)}" for config in configs))
    return 0


def clean_kind(force: str) -> None:
    """Remove what labs of kind left that are dead for certain, and the lab ``force`` if it is named."""
    from l3conf.labs.kind import leftovers  # noqa: PLC0415 - `l3conf --help` needs none of this
    from l3conf.labs.kind.claim import Claim, owner  # noqa: PLC0415
    from l3conf.labs.kind.engine import Engine  # noqa: PLC0415

    with contextlib.closing(Engine.connect()) as engine:
        claim = Claim(str(engine.info().get("ID", "")))
        with contextlib.closing(claim):
            left = leftovers.judge(*leftovers.find(engine), owner=owner(), named=force)
            leftovers.remove(engine, left, click.echo)
    for line in left.kept:
        click.echo(line)
    if not (left.containers or left.networks or left.kept):
        click.echo("nothing is left of any lab")


def _settings(selection: Selection) -> KindSettings:
    from l3conf.labs.kind.settings import KindSettings  # noqa: PLC0415

    settings = selection.of_kind or KindSettings()
    settings.check()
    return settings
