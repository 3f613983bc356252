"""ClusterConnectionPolicies at the broker, and who then connects.

Policies are written with the broker administrator's rights, as an administrator would. They select Clusters by the
label that every synced object carries, or by labels that the administrator gives them.
"""

from __future__ import annotations

import itertools
import json
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from l3conf import oracle
from l3conf.errors import LabError
from l3conf.observation import ORDINARY
from l3conf.plugin import broker_view
from l3conf.plugin.cluster_api import GROUP, MERGE_PATCH
from l3conf.plugin.gateways import CONNECTED, latest_connections

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from l3conf.plugin.lab import Lab

    Selector = Mapping[str, Any]
    """A label selector over Cluster objects, as in Kubernetes."""

NAMESPACE = "submariner-k8s-broker"
_API_VERSION = "l3conf.io/v1alpha1"
_PATH = f"/apis/{_API_VERSION}/namespaces/{NAMESPACE}/clusterconnectionpolicies"
_CLUSTER_ID = "submariner-io/clusterID"
_SHORTEST_SECRET = 7
"""Characters from which a text is taken for an address or a key, and no number or port."""


def clusters(*names: str) -> Selector:
    """Select clusters by their ids."""
    return {"matchExpressions": [{"key": _CLUSTER_ID, "operator": "In", "values": list(names)}]}


def labelled(**labels: str) -> Selector:
    """Select clusters by labels that the broker's administrator gave them."""
    return {"matchLabels": labels}


EVERYBODY: Selector = {}
"""Selects every cluster."""


def connect(left: Selector, right: Selector, *, driver: str = "") -> Mapping[str, Any]:
    """Return the specification of a policy that connects two sides, with a cable driver if one is named."""
    named = {"cableDriver": driver} if driver else {}
    return {"left": left, "right": right, "action": "Connect", **named}


def isolate(left: Selector, right: Selector) -> Mapping[str, Any]:
    """Return the specification of a policy that keeps two sides apart."""
    return {"left": left, "right": right, "action": "Isolate"}


@dataclass(frozen=True, slots=True)
class ConnectionPolicies:
    """The policies of one lab. Each is in force for as long as a context is open."""

    lab: Lab

    @contextmanager
    def in_force(self, *specifications: Mapping[str, Any]) -> Iterator[None]:
        """Create policies; delete them at the end. ``AssertionError`` if the broker does not take them."""
        with ExitStack() as stack:
            for specification in specifications:
                stack.callback(self._delete, self._create(specification))
            yield

    @contextmanager
    def labelling(self, **labels: Mapping[str, str]) -> Iterator[None]:
        """Give Cluster objects at the broker labels while the context is open; by cluster."""
        try:
            for cluster, given in labels.items():
                self._label(cluster, given)
            yield
        finally:
            for cluster, given in labels.items():
                self._label(cluster, dict.fromkeys(given))

    @contextmanager
    def coloured(self, **colours: str) -> Iterator[None]:
        """Have members name a colour in their own Cluster objects (``color_codes``) while the context is open."""
        try:
            for member, colour in colours.items():
                self._colour(member, [colour])
            yield
        finally:
            for member in colours:
                self._colour(member, None)

    def connect(self, pairs: Collection[tuple[str, str]], *, within: str = "T_policy") -> None:
        """Expect pods of exactly these pairs of clusters, in either order, to reach each other, and nobody else to."""
        lab, allowed = self.lab, {frozenset(pair) for pair in pairs}
        table = oracle.expected(
            lab.topology,
            joined=lab.members.joined,
            policy=lambda one, other: frozenset((one, other)) in allowed,
        )
        asked = oracle.whoever_asks(oracle.across_clusters(table, oracle.Via.POD, *ORDINARY))
        lab.reachability(asked).holds(within=within)

    def misreported(self, pairs: Collection[tuple[str, str]]) -> list[str]:
        """Return the pairs of members of which one end says otherwise than it should: connected, or not."""
        allowed = {frozenset(pair) for pair in pairs}
        lines = []
        for member, peer in itertools.permutations(self.lab.members.joined, 2):
            said = latest_connections(self.lab.apis[member].items(f"{GROUP}/gateways")).get(peer)
            status = said.status if said is not None else ""
            if (status == CONNECTED) != (frozenset((member, peer)) in allowed):
                lines.append(f"{member} says {status or 'nothing'} of {peer}")
        return lines

    def learnt(self, member: str, of: str) -> list[str]:
        """Return what a member's API holds of another cluster's Endpoint: the object, its addresses, its keys."""
        secrets = self._particulars(of)
        held = {
            f"{kind}/{obj['metadata']['name']}": obj
            for kind in ("endpoints", "gateways", "routeagents", "clusters")
            for obj in self.lab.apis[member].items(f"{GROUP}/{kind}")
        }
        endpoints = [name for name, obj in held.items() if _is_endpoint_of(name, obj, of)]
        told = [
            f"{name} holds {text}" for name, obj in held.items() for text in secrets if f'"{text}"' in json.dumps(obj)
        ]
        return [f"{member}: {line}" for line in (*endpoints, *told)]

    def shown(self, member: str, of: str) -> list[str]:
        """Return what the broker shows a member of another cluster, with the member's own credential."""
        account = self.lab.account(member)
        objects = [line for lines in broker_view.seen(account, of).values() for line in lines]
        told = account.reads(dict.fromkeys(self._particulars(of), f"an address or key of {of}"))
        return [*(f"{member} sees {line}" for line in objects), *told]

    def not_shown(self, member: str, of: str) -> list[str]:
        """Return the ways, list, watch and get, by which the broker shows a member nothing of another cluster."""
        return [way for way, lines in broker_view.seen(self.lab.account(member), of).items() if not lines]

    def _particulars(self, cluster: str) -> set[str]:
        """Return what only a peer of a cluster needs to know: addresses, names and what no other member says of itself.

        ``LabError`` if its own API has no Endpoint of its own.
        """
        own = self._own_endpoints(cluster)
        if not own:
            raise LabError("it holds no Endpoint of its own", where=cluster)
        shared = {
            text
            for other in self.lab.members.joined
            if other != cluster
            for text in _parameters(self._own_endpoints(other))
        }
        named = {str(spec.get(key) or "") for spec in own for key in ("private_ip", "public_ip", "cable_name")}
        return {text for text in (named | _parameters(own) - shared) if len(text) >= _SHORTEST_SECRET}

    def _own_endpoints(self, cluster: str) -> list[Mapping[str, Any]]:
        found = self.lab.apis[cluster].items(f"{GROUP}/endpoints")
        return [obj["spec"] for obj in found if obj["spec"].get("cluster_id") == cluster]

    def _create(self, specification: Mapping[str, Any]) -> str:
        name = f"l3conf-{self.lab.harness.random.randbytes(4).hex()}"
        obj = {
            "apiVersion": _API_VERSION,
            "kind": "ClusterConnectionPolicy",
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": dict(specification),
        }
        answer = self.lab.broker.request("POST", _PATH, body=obj)
        if not answer.ok:
            raise AssertionError(
                f"the broker does not take a ClusterConnectionPolicy ({answer.status}): {answer.message}"
            )
        self.lab.run.note(f"policy {name}: {json.dumps(specification)}")
        return name

    def _delete(self, name: str) -> None:
        self.lab.broker.request("DELETE", f"{_PATH}/{name}")
        self.lab.run.note(f"policy {name}: deleted")

    def _colour(self, member: str, colours: list[str] | None) -> None:
        """Set the colours that a member names, as its administrator does; None takes them away."""
        api = self.lab.apis[member]
        for obj in api.items(f"{GROUP}/clusters"):
            if obj["spec"].get("cluster_id") == member:
                path = f"{GROUP}/namespaces/{obj['metadata']['namespace']}/clusters/{obj['metadata']['name']}"
                patch = {"spec": {"color_codes": colours}}
                answer = api.request("PATCH", path, body=patch, content_type=MERGE_PATCH)
                if not answer.ok:
                    raise LabError(f"color_codes were refused ({answer.status}): {answer.message}", where=member)

    def _label(self, cluster: str, labels: Mapping[str, str | None]) -> None:
        """Label a cluster's object at the broker; None takes a label away."""
        found = [
            obj["metadata"]["name"]
            for obj in self.lab.broker.items(f"{GROUP}/namespaces/{NAMESPACE}/clusters")
            if obj["spec"].get("cluster_id") == cluster
        ]
        for name in found:
            path = f"{GROUP}/namespaces/{NAMESPACE}/clusters/{name}"
            patch = {"metadata": {"labels": dict(labels)}}
            answer = self.lab.broker.request("PATCH", path, body=patch, content_type=MERGE_PATCH)
            if not answer.ok:
                raise LabError(f"Cluster {name} was refused ({answer.status}): {answer.message}", where="broker")


def _parameters(specifications: Iterable[Mapping[str, Any]]) -> set[str]:
    return {str(value) for spec in specifications for value in (spec.get("backend_config") or {}).values()}


def _is_endpoint_of(name: str, obj: Mapping[str, Any], cluster: str) -> bool:
    return name.startswith("endpoints/") and obj["spec"].get("cluster_id") == cluster
