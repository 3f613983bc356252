"""What members know and say of each other."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from l3conf.plugin import exchange, gateways, mismatch, residue
from l3conf.plugin.cluster_api import GROUP
from l3conf.plugin.gateways import CONNECTED, connections, status_in
from l3conf.plugin.identity import IdentityTrials

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from l3conf.model.topology import IPFamily, IPNetwork
    from l3conf.plugin.cluster_api import Object
    from l3conf.plugin.gateways import Connection


@dataclass(slots=True, repr=False)
class MutualKnowledge(IdentityTrials):
    """A lab whose members are asked what they know and say of each other."""

    def mismatches_not_said(self) -> list[str]:
        """Return the pairs without a common cable driver of which one does not say so."""
        return mismatch.not_said(self, self.members.joined)

    def not_agreed(self, *members: str, since: float = 0.0) -> list[str]:
        """Return the pairs of members, of these or of all, that do not both say that they are connected.

        ``since``: Unix seconds; what was said before is not counted.
        """
        asked = members or self.members.joined
        return gateways.not_agreed({member: self.apis[member].items(f"{GROUP}/gateways") for member in asked}, since)

    def not_said(self, status: Mapping[IPFamily, bool]) -> list[str]:
        """Return a line for every connection that is not reported, a family, as connected or as not connected."""
        return [
            f"{member} says {found or 'nothing'} of {peer} in {family.value}, which is {'up' if up else 'down'}"
            for member, peer in itertools.permutations(self.members.joined, 2)
            for family, up in status.items()
            for found in [status_in(self.apis[member].items(f"{GROUP}/gateways"), peer, family)]
            if (found == CONNECTED) != up
        ]

    def not_refused(self, one: str, other: str, *, reason: str) -> list[str]:
        """Return a line for each end that reports a connection, or does not name the reason why there is none."""
        lines = []
        for member, peer in ((one, other), (other, one)):
            said = [each for each in connections(self.apis[member].items(f"{GROUP}/gateways")) if each.peer == peer]
            if not said or any(each.status == CONNECTED or reason not in each.message for each in said):
                lines.append(f"{member} says of {peer}: {'; '.join(map(str, said)) or 'nothing'}")
        return lines

    def not_learnt(self) -> list[str]:
        """Return what members do not know of the others."""
        return [
            line
            for member in self.members.joined
            for line in exchange.not_learnt(
                member,
                [self.topology.cluster(other) for other in self.members.joined if other != member],
                self.apis[member].items(f"{GROUP}/clusters"),
                self.apis[member].items(f"{GROUP}/endpoints"),
            )
        ]

    def property_values(self, cluster: str) -> dict[str, str]:
        """Return a cluster's ClusterProperties (KEP-2149), by name."""
        return {
            obj["metadata"]["name"]: str(obj["spec"].get("value", ""))
            for version in ("v1alpha1", "v1beta1", "v1")
            for obj in self.apis[cluster].items(f"/apis/about.k8s.io/{version}/clusterproperties")
        }

    def unknown_versions(self) -> list[str]:
        """Return the members whose running version the others cannot read."""
        return [
            line
            for member in self.members.joined
            for line in exchange.unknown_version(
                member,
                self.apis[member].items(f"{GROUP}/gateways"),
                {
                    other: [
                        obj for kind in ("clusters", "endpoints") for obj in self.apis[other].items(f"{GROUP}/{kind}")
                    ]
                    for other in self._others(member)
                },
            )
        ]

    def differing_from_broker(self, *members: str) -> list[str]:
        """Return what members (all if none is named) hold of others that the broker does not, or the reverse."""
        return [
            line
            for member in members or self.members.joined
            for kind in ("clusters", "endpoints")
            for line in exchange.differences(
                member, kind, self.apis[member].items(f"{GROUP}/{kind}"), self._kept_for(member, kind)
            )
        ]

    def _kept_for(self, member: str, kind: str) -> list[Object]:
        """Return the broker's objects in the namespace that a member uses there; in all if its hook named none."""
        access = self.members.accesses.get(member)
        return self.broker.items(f"{GROUP}/namespaces/{access.namespace}/{kind}" if access else f"{GROUP}/{kind}")

    def connection(self, member: str, peer: str) -> Connection:
        """Return what a member's active gateway says of its connection; ``AssertionError`` if it says nothing."""
        said = gateways.latest_connections(self.apis[member].items(f"{GROUP}/gateways"))
        if peer not in said:
            raise AssertionError(f"{member} says nothing of {peer}")
        return said[peer]

    def still_known(self, leaver: str) -> list[str]:
        """Return what the others, their gateways and the broker still hold of a cluster."""
        return self.still_held(leaver, broker=True)

    def still_held(self, leaver: str, *, broker: bool = False) -> list[str]:
        """Return what the others and their gateways still hold of a cluster; the broker on request."""
        lines = []
        for holder in (*(self.apis[other] for other in self._others(leaver)), *([self.broker] if broker else ())):
            kept = {kind: holder.items(f"{GROUP}/{kind}") for kind in ("clusters", "endpoints")}
            lines += exchange.still_known(holder.name, leaver, **kept)
            told = connections(holder.items(f"{GROUP}/gateways"))
            lines += [f"{holder.name} still reports {entry}" for entry in told if entry.peer == leaver]
        return lines

    def nodes_with(self, ranges: Sequence[IPNetwork]) -> list[str]:
        """Return what nodes of members hold that names any of these ranges, and did not before."""
        return [f"{place}: {line}" for place, lines in self._naming(ranges).items() for line in lines]

    def nodes_without(self, ranges: Sequence[IPNetwork]) -> list[str]:
        """Return the nodes of members that hold nothing which names any of these ranges."""
        return [place for place, lines in self._naming(ranges).items() if not lines]

    def _naming(self, ranges: Sequence[IPNetwork]) -> dict[str, list[str]]:
        return {
            place: sorted({*residue.naming(state, ranges)} - {*residue.naming(self.before.nodes[place], ranges)})
            for place, state in self.node_states(*self.members.joined).items()
        }

    def still_named_on_nodes(self, leaver: str) -> list[str]:
        """Return what the nodes of the other members hold that names a range or an address of a cluster."""
        left = self.topology.cluster(leaver)
        ranges = (*left.pod_cidrs, *left.service_cidrs, *left.node_cidrs)
        return [
            f"{place}: {line}"
            for place, state in self.node_states(*self._others(leaver)).items()
            for line in sorted({*residue.naming(state, ranges)} - {*residue.naming(self.before.nodes[place], ranges)})
        ]
