"""Removal that goes wrong: interrupted, repeated, or begun at the wrong end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from l3conf.errors import LabError
from l3conf.plugin.agents import find_agents, find_workloads
from l3conf.plugin.inventory import installed_objects

if TYPE_CHECKING:
    from l3conf.plugin.lab import Lab

_TIMES = (1, 2, 4)
"""How many windows a removal runs until it is killed, each time it is tried."""
_BACKGROUND = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}


@dataclass(frozen=True, slots=True)
class Removal:
    """The removals of one lab, which may take place more than once."""

    lab: Lab

    def installed(self) -> None:
        """Have the implementation deployed and every cluster a member, whatever earlier tests left."""
        lab = self.lab
        missing = [cluster.name for cluster in lab.topology.clusters if cluster.name not in lab.members.joined]
        if missing:
            lab.members.deploy()
            for cluster in missing:
                lab.returned(cluster)
        lab.eventually_none("not all are members again", lab.not_learnt, within="T_join")

    def done(self) -> float:
        """Remove the implementation; return ``time.monotonic`` when the hook had ended."""
        return self.lab.members.remove()

    def interrupted(self, window: str) -> None:
        """Begin to remove and be killed midway, a few times, each time later; then nobody is a member any more."""
        seconds = self.lab.harness.budgets.get(window)
        for times in _TIMES:
            ended = self.lab.members.begin_to_remove(times * seconds)
            self.lab.run.note(f"removal {'ended by itself' if ended else 'was killed'} within {times * seconds:g} s")

    def controllers_first(self, *clusters: str) -> None:
        """Delete every workload of the implementation, and wait until its pods are gone (``T_remove``)."""
        for cluster in clusters:
            api = self.lab.apis[cluster]
            for path in find_workloads(api):
                api.request("DELETE", path, body=_BACKGROUND)
            self.lab.eventually_none(
                f"agents of {cluster} still run",
                lambda api=api: [agent.name for agent in find_agents(api)],  # type: ignore[misc] # bound now
                within="T_remove",
            )
            self.lab.run.note(f"{cluster}: all controllers are gone")

    def namespaces_next(self) -> None:
        """Ask for the deletion of every namespace that the installation brought, the broker's first."""
        brought = self.namespaces()
        if not brought:
            raise LabError("the implementation brought no namespace, so none can hang")
        for api in (self.lab.broker, *self.lab.apis.values()):
            for name in (line.split("/")[1] for line in brought if line.startswith(f"{api.name}: ")):
                api.request("DELETE", f"/api/v1/namespaces/{name}")

    def namespaces(self) -> list[str]:
        """Return the namespaces that the installation brought and that are still there."""
        return [
            f"{api.name}: {name}"
            for api in self.lab.every_api
            for name in sorted(installed_objects(api) - self.lab.before.objects[api.name])
            if name.startswith("namespace/")
        ]
