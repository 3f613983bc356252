"""Commands and options about clusters that exist: what a run would make there, what it needs, what is left."""

from __future__ import annotations

import contextlib
import datetime as dt
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from l3conf.errors import LabError, LabIncapableError, UserError

if TYPE_CHECKING:
    from l3conf.labs.existing.ground import Ground
    from l3conf.plugin.process import Selection

dry_run_option = click.option(
    "--dry-run", is_flag=True, help="on existing and kind: print everything that a run would make, and make nothing."
)


def check_clusters(selection: Selection) -> None:
    """Refuse clusters that cannot be used; ``UserError`` names option, right or label."""
    from l3conf.labs import EXISTING  # noqa: PLC0415 - `l3conf --help` needs none of this
    from l3conf.labs.existing.ground import find_ground  # noqa: PLC0415

    _check_words(selection)
    if selection.existing is not None and selection.lab_kind == EXISTING:
        with tempfile.TemporaryDirectory(prefix="l3conf-look-") as folder:
            find_ground(selection.existing, Path(folder))


def _check_words(selection: Selection) -> None:
    """Refuse options that are about another kind of lab."""
    from l3conf.labs import EXISTING, KIND  # noqa: PLC0415 - `l3conf --help` needs none of this

    where = f"--on {selection.lab_kind}"
    about = {EXISTING: selection.existing, KIND: selection.of_kind}
    shared = {"--probe-image"} if selection.lab_kind in about else set()
    for kind, settings in about.items():
        for word in settings.words() if settings is not None and kind != selection.lab_kind else ():
            if word.startswith("--") and word not in shared:
                what = "clusters that exist" if kind == EXISTING else "clusters of kind"
                raise UserError(f"{word} is about {what}", where=where, remedy=f"use --on {kind}")


def show_what_would_be(selection: Selection) -> int:
    """Print the rights that a run needs, where its scenarios can stand, and what it would make in each cluster."""
    import yaml  # noqa: PLC0415 - `l3conf --help` needs none of this

    from l3conf.cli.kind import show_kind  # noqa: PLC0415
    from l3conf.labs import EXISTING, KIND  # noqa: PLC0415
    from l3conf.labs.existing.ground import find_ground  # noqa: PLC0415
    from l3conf.labs.existing.objects import RunObjects, subject_of  # noqa: PLC0415
    from l3conf.labs.existing.rights import roles_text  # noqa: PLC0415
    from l3conf.model.topology import ClusterSpec  # noqa: PLC0415

    if selection.lab_kind == KIND:
        return show_kind(selection)
    if selection.lab_kind != EXISTING or selection.existing is None:
        raise UserError(
            "only real clusters need a dry run", where="--dry-run", remedy="use it with --on existing or --on kind"
        )
    with tempfile.TemporaryDirectory(prefix="l3conf-look-") as folder:
        ground = find_ground(selection.existing, Path(folder))
    objects = RunObjects(
        run="00000000",
        image=selection.existing.probe_image,
        host_network=selection.existing.host_network,
        holder="a run; its eight digits are drawn when it begins",
    )
    click.echo(f"# Needed in every cluster, once:\n\n{roles_text()}")
    click.echo("\n".join(f"# {line}" for line in _standing(selection, ground)))
    for found, user in zip(ground.clusters, ground.users, strict=True):
        name = found.name or found.context
        spec = ClusterSpec(
            name=name, pod_cidrs=found.pod_cidrs, service_cidrs=found.service_cidrs, node_cidrs=(), nodes=found.nodes
        )
        made = objects.of(spec, subject_of(user), dt.datetime.now(dt.UTC))
        click.echo(f"\n# {len(made)} objects in cluster {name} (context {found.context}), made by {user}:")
        click.echo(yaml.safe_dump_all(made, sort_keys=False, explicit_start=True))
    return 0


def _standing(selection: Selection, ground: Ground) -> list[str]:
    """Return a line on each topology of the scenarios: whether these clusters can stand for it."""
    from l3conf.labs.existing.matching import stand_for  # noqa: PLC0415
    from l3conf.plugin.options import known_topologies, topology_file  # noqa: PLC0415
    from l3conf.spec.files import load_topology  # noqa: PLC0415

    installed = selection.existing is not None and selection.existing.installed
    lines = []
    for name in selection.topologies or known_topologies(Path.cwd()):
        topology = load_topology(topology_file(name, Path.cwd()))
        try:
            stand_for(topology, ground.clusters, installed=installed)
            lines.append(f"{name}: its scenarios run here")
        except LabIncapableError as why:
            lines.append(str(why))
    return lines


@click.command()
@click.option("--job", is_flag=True, help="Print a Job that runs inside one of the clusters, instead.")
def rights(*, job: bool) -> None:
    """Print the roles that a run needs in every cluster, for ``kubectl apply -f -``."""
    from l3conf.labs.existing.rights import job_text, roles_text  # noqa: PLC0415 - `l3conf --help` needs none of this

    click.echo(job_text() if job else roles_text(), nl=False)


@click.command()
@click.option("--on", "lab_kind", type=click.Choice(["existing", "kind"]), default="existing", show_default=True)
@click.option("--contexts", multiple=True, metavar="CONTEXT,…", help="Contexts of the clusters that exist.")
@click.option("--kubeconfig", type=click.Path(path_type=Path, dir_okay=False), help="Kubeconfig with the contexts.")
@click.option("--run", "force", default="", metavar="DIGITS", help="Remove what this run or lab left, in any case.")
def clean(lab_kind: str, contexts: tuple[str, ...], kubeconfig: Path | None, force: str) -> None:
    """Remove what runs left that were killed: namespaces, or whole clusters of kind. What may live is left alone."""
    if lab_kind == "kind":
        from l3conf.cli.kind import clean_kind  # noqa: PLC0415 - `l3conf --help` needs none of this

        clean_kind(force)
        return
    import os  # noqa: PLC0415 - `l3conf --help` needs none of this

    from l3conf.labs.existing import kubeconfig as kubeconfigs  # noqa: PLC0415
    from l3conf.labs.existing.ground import open_context  # noqa: PLC0415
    from l3conf.labs.existing.holding import clean as clean_cluster  # noqa: PLC0415
    from l3conf.labs.existing.settings import contexts_of  # noqa: PLC0415

    config: dict[str, Any] = kubeconfigs.read_kubeconfig(kubeconfig, os.environ)
    parts = {context: kubeconfigs.only(config, context) for _, context in contexts_of(contexts)}
    errors = []
    with tempfile.TemporaryDirectory(prefix="l3conf-clean-") as folder:
        for context, part in parts.items():
            path = kubeconfigs.write_private(Path(folder) / "config", part)
            try:
                with contextlib.closing(open_context(context, path)) as api:
                    lines = clean_cluster(api, dt.datetime.now(dt.UTC), force=force)
            except (LabError, UserError) as error:  # the other clusters are to be cleaned all the same
                errors.append(error)
            else:
                click.echo("\n".join(lines or [f"{context}: nothing is left of any run"]))
    if errors:
        raise LabError("\n".join(map(str, errors)))
