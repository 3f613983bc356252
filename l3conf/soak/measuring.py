"""Counts what a lab and its agents hold."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from l3conf.soak.resources import Resources, counted, gathered

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from l3conf.bench.members import MemberSet
    from l3conf.plugin.cluster_api import ClusterAPI

_EPHEMERAL = frozenset({"events"})


def measure(members: MemberSet) -> Resources:
    """Return what is held now."""
    lab = members.lab
    nodes = [(cluster.name, node.name) for cluster in lab.topology.clusters for node in cluster.nodes]
    apis = {**members.apis, "broker": members.broker}
    emulator = lab.emulator_pid
    agents = [(pid, _command(pid)) for pid in members.containers()]
    held = [(name, *use) for pid, name in [(emulator, "lab"), *agents] if (use := _held(pid)) is not None]
    return Resources(
        kernel={f"{cluster}@{node}": counted(lab.node_state(cluster, node)) for cluster, node in nodes},
        objects={name: _objects(api) for name, api in apis.items()},
        processes=gathered(held),
        namespaces=len(set(_namespaces(emulator))),
    )


def _objects(api: ClusterAPI) -> Mapping[str, int]:
    """Return how many objects of each resource there are, as discovery lists these."""
    groups = api.get("/apis")["groups"]
    roots = ["/api/v1", *(f"/apis/{group['preferredVersion']['groupVersion']}" for group in groups)]
    found = {}
    for root in roots:
        for resource in api.get(root)["resources"]:
            name = str(resource["name"])
            if "list" in resource["verbs"] and "/" not in name and name not in _EPHEMERAL:
                found[f"{root.removeprefix('/apis/')}/{name}"] = len(api.items(f"{root}/{name}"))
    return {name: count for name, count in sorted(found.items()) if count}


def _command(pid: int) -> str:
    with suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").decode(errors="replace").split("\0")
        return " ".join([Path(words[0]).name, *words[1:]])[:80]
    return ""


def _held(pid: int) -> tuple[int, float] | None:
    """Return file descriptors and resident megabytes of a process; None if it has ended."""
    try:
        descriptors = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    resident = next((line for line in lines if line.startswith("VmRSS")), None)
    return None if resident is None else (descriptors, int(resident.split()[1]) / 1000)


def _namespaces(pid: int) -> Iterator[str]:
    """Give the network namespaces that the lab's first process holds open."""
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            if (target := str(entry.readlink())).startswith("net:["):
                yield target
