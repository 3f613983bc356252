"""The clusters that were named: credentials read, rights asked for, ranges found."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from l3conf.errors import LabError, UserError
from l3conf.labs.base import ClusterAccess
from l3conf.labs.existing import kubeconfig as kubeconfigs
from l3conf.labs.existing.found import find_cluster
from l3conf.labs.existing.settings import ranges
from l3conf.labs.existing.survey import check_rights, survey, who_am_i
from l3conf.plugin.cluster_api import ClusterAPI

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from l3conf.labs.existing.found import FoundCluster
    from l3conf.labs.existing.settings import ExistingSettings

_API_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Clusters as found, and the ways to them; all by the order in which they were named."""

    clusters: tuple[FoundCluster, ...]
    users: tuple[str, ...]
    """Who the caller is."""
    accesses: tuple[ClusterAccess, ...]
    """Named by context."""
    broker: ClusterAccess


def find_ground(settings: ExistingSettings, folder: Path) -> Ground:
    """Look at the clusters; write kubeconfigs of one context each into ``folder``. Changes nothing anywhere.

    ``UserError`` for what is wrong with the options, or missing in a cluster.
    """
    pods, services = ranges(settings.pod_cidrs, "--pod-cidrs"), ranges(settings.service_cidrs, "--service-cidrs")
    pairs = settings.named_contexts
    _check_names(pods, "--pod-cidrs", pairs)
    _check_names(services, "--service-cidrs", pairs)
    own = kubeconfigs.read_kubeconfig(settings.kubeconfig, os.environ)
    hooks = kubeconfigs.read_kubeconfig(settings.hook_kubeconfig, os.environ) if settings.hook_kubeconfig else own
    accesses = [_access(f"{i}", context, own, hooks, folder) for i, (_, context) in enumerate(pairs)]
    broker = _access("broker", settings.broker_context or pairs[0][1], own, hooks, folder, settings.broker_server)
    if not settings.installed:
        check_reachable(broker.member_server)
    clusters, users = [], []
    for (name, context), access in zip(pairs, accesses, strict=True):
        with closing(open_context(context, access.kubeconfig)) as api:
            check_rights(api)
            users.append(who_am_i(api))
            given = {
                "pod_cidrs": pods.get(name or context, ()),
                "service_cidrs": services.get(name or context, ()),
            }
            clusters.append(find_cluster(context, name, survey(api), **given))
    return Ground(clusters=tuple(clusters), users=tuple(users), accesses=tuple(accesses), broker=broker)


def open_context(context: str, kubeconfig: Path) -> ClusterAPI:
    """Return a client for a file with one context; the caller closes it. ``UserError`` for what is wrong with it."""
    try:
        return ClusterAPI(context, kubeconfig, timeout=_API_SECONDS)
    except (LabError, ValueError) as error:
        # Base64 that is none is a ValueError. Neither says a file of the caller's: it is a copy that was read.
        what = error.what if isinstance(error, LabError) else str(error)
        raise UserError(f"context {context!r} cannot be used: {what}", where="kubeconfig") from error


def check_reachable(server: str) -> None:
    """Refuse an address of the broker that means something else in every pod. Pure."""
    host = urlsplit(server).hostname or ""
    if host == "localhost" or host.startswith("127.") or host == "::1":
        raise UserError(
            f"pods do not reach the broker at {server}",
            where="--broker-server",
            remedy="say at which https://address:port the members' pods do",
        )


def _access(
    file: str, context: str, own: Mapping[str, Any], hooks: Mapping[str, Any], folder: Path, server: str = ""
) -> ClusterAccess:
    """Write the kubeconfigs of one context: the suite's own, and the one that hooks are given."""
    chosen = kubeconfigs.only(own, context)
    for_hooks = kubeconfigs.only(hooks, context)
    return ClusterAccess(
        name="broker" if file == "broker" else context,
        kubeconfig=kubeconfigs.write_private(folder / f"{file}.yaml", chosen),
        hook_kubeconfig=kubeconfigs.write_private(folder / f"{file}-hooks.yaml", for_hooks),
        member_server=server or kubeconfigs.server_of(chosen),
    )


def _check_names(given: Mapping[str, object], option: str, pairs: tuple[tuple[str, str], ...]) -> None:
    known = [name or context for name, context in pairs]
    for unknown in given.keys() - {*known}:
        raise UserError(f"there is no cluster {unknown!r}", where=option, remedy=f"there are: {', '.join(known)}")
