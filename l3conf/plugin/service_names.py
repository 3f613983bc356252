"""Names of Services across clusters, as pods ask for them (KEP-1645, ``clusterset.local``)."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from l3conf.expectations.places import NAMESPACE, PORT
from l3conf.plugin import dns
from l3conf.plugin.cluster_api import MERGE_PATCH
from l3conf.plugin.global_objects import EXPORTS, SERVICES, GlobalObjects, service_over_probes
from l3conf.plugin.member_account import Attempt
from l3conf.probes.manifests import LABELS
from l3conf.wait import Pending

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from l3conf.expectations import Pod, Service
    from l3conf.model.topology import IPAddress
    from l3conf.plugin.cluster_api import Object
    from l3conf.plugin.lab import Lab
    from l3conf.plugin.member_account import MemberAccount

IMPORTS = "/apis/multicluster.x-k8s.io/v1alpha1/serviceimports"
SLICES = "/apis/discovery.k8s.io/v1/endpointslices"
SERVICE_LABEL = "multicluster.kubernetes.io/service-name"
OWNER_LABEL = "submariner-io/clusterID"
BROKER = "broker"
WITHIN = "T_allocate"
"""Budget for a name to appear or to vanish, from the write of the export."""


@dataclass(frozen=True, slots=True)
class ServiceNames:
    """The names of one lab. What is exported is so for as long as a context is open."""

    lab: Lab

    @contextmanager
    def serving(self, cluster: str, *, headless: bool = False, called: str = "", port: int = PORT) -> Iterator[str]:
        """Have a Service of its own over the probe pods of a cluster; yield what it is called there."""
        service = called or f"l3conf-{self.lab.harness.random.randbytes(4).hex()}"
        api = self.lab.apis[cluster]
        made = service_over_probes(service, headless=headless)
        made["spec"]["ports"] = [{**each, "port": port, "targetPort": PORT} for each in made["spec"]["ports"]]
        api.apply(made)
        try:
            yield service
        finally:
            api.request("DELETE", f"{SERVICES}/{service}")

    @contextmanager
    def deserted(self, cluster: str, service: str) -> Iterator[None]:
        """Have nobody behind a Service while the context is open."""
        api, path = self.lab.apis[cluster], f"{SERVICES}/{service}"
        api.request("PATCH", path, body={"spec": {"selector": {"app": "nobody"}}}, content_type=MERGE_PATCH)
        try:
            yield
        finally:
            api.request("PATCH", path, body={"spec": {"selector": dict(LABELS)}}, content_type=MERGE_PATCH)

    def at(self, pod: Pod, name: str, address: frozenset[IPAddress]) -> list[str]:
        """Return what a pod's DNS answers if that is anything but these addresses."""
        found = self.ask(pod, name)
        return [] if found == address else [f"{pod} is told {sorted(map(str, found)) or 'nothing'}"]

    def conflict(self, cluster: str, service: str) -> str:
        """Return the status and reason of the condition Conflict of an export; "" if it has none."""
        conditions = (self.lab.apis[cluster].get(f"{EXPORTS}/{service}").get("status") or {}).get("conditions") or []
        found = [f"{each['status']} {each['reason']}" for each in conditions if each["type"] == "Conflict"]
        return found[0] if found else ""

    @contextmanager
    def exported(self, cluster: str, service: str) -> Iterator[str]:
        """Export a Service; yield its name in the cluster set."""
        api = self.lab.apis[cluster]
        GlobalObjects(api, self.lab.harness).export(service)
        try:
            yield f"{service}.{NAMESPACE}.svc.clusterset.local"
        finally:
            api.request("DELETE", f"{EXPORTS}/{service}")

    def ask(self, pod: Pod, name: str) -> frozenset[IPAddress]:
        """Return what a pod's DNS answers; nothing without an answer."""
        server = dns.server_of(self.lab.apis[pod.site.cluster])
        return frozenset(dns.resolve(self.lab.ground, pod, server, name) or ())

    def known(self, pod: Pod, name: str, count: int = 1) -> frozenset[IPAddress]:
        """Wait until a pod's DNS answers with so many addresses; return them."""

        def look() -> frozenset[IPAddress] | Pending:
            found = self.ask(pod, name)
            return found if len(found) == count else Pending(f"{pod} is told {sorted(map(str, found)) or 'nothing'}")

        return self.lab.harness.wait(f"{pod} is told {count} addresses of {name}", look, WITHIN)

    def service(self, pod: Pod, name: str, of: str) -> Service:
        """Return the Service over a cluster's probe pods at the address that another pod is told for a name."""
        return replace(self.lab.services[of], addresses=tuple(self.known(pod, name)))

    def still_known(self, name: str, *clusters: str) -> list[str]:
        """Return which pods, of these clusters or of all, are told anything for a name."""
        return [
            f"{pod} is told {', '.join(map(str, found))}"
            for pod in self.lab.pods.all
            if (not clusters or pod.site.cluster in clusters) and (found := self.ask(pod, name))
        ]

    def held(self, holder: str, name: str) -> list[str]:
        """Return the objects from which a cluster's DNS could know of a Service; ``broker``: what is offered there."""
        service = name.partition(".")[0]
        api = self.lab.broker if holder == BROKER else self.lab.apis[holder]
        return [
            f"{holder} holds {path.rpartition('/')[2]}/{obj['metadata']['name']}"
            for path in (IMPORTS, SLICES)
            for obj in api.items(path)
            if _labels(obj).get(SERVICE_LABEL) == service or (path == IMPORTS and obj["metadata"]["name"] == service)
        ]

    def offered(self, service: str) -> list[Object]:
        """Return the ServiceImports at the broker by which members offer a Service, where they wrote them."""
        head = {"apiVersion": "multicluster.x-k8s.io/v1alpha1", "kind": "ServiceImport"}
        found = self.lab.broker.items(IMPORTS)
        return [
            {**head, **obj} for obj in found if _labels(obj).get(SERVICE_LABEL) == service and self._is_at_home(obj)
        ]

    def _is_at_home(self, obj: Object) -> bool:
        access = self.lab.members.accesses.get(_labels(obj).get(OWNER_LABEL, ""))
        return access is None or obj["metadata"]["namespace"] == access.namespace

    def accepted(self, account: MemberAccount, offered: Object) -> list[str]:
        """Return the writes to an offered Service, and to one more of its owner, that a member is allowed."""
        metadata, group = offered["metadata"], IMPORTS.rpartition("/")[0]
        path = f"{group}/namespaces/{metadata['namespace']}/serviceimports"
        one = f"{path}/{metadata['name']}"
        fresh = {"name": f"x{metadata['name']}", "namespace": metadata["namespace"]}
        labels = {**_labels(offered), SERVICE_LABEL: f"x{_labels(offered)[SERVICE_LABEL]}"}
        like = {key: offered[key] for key in ("apiVersion", "kind", "spec")}
        attempts = [
            Attempt(words="create", method="POST", path=path, body={**like, "metadata": {**fresh, "labels": labels}}),
            Attempt(
                words="create in its own name",
                method="POST",
                path=path,
                body={**like, "metadata": {**fresh, "labels": {**labels, OWNER_LABEL: account.member}}},
            ),
            Attempt(words="update", method="PUT", path=one, body=offered),
            Attempt(words="delete", method="DELETE", path=one),
        ]
        return [attempt.words for attempt in attempts if account.allowed(attempt)]


def _labels(obj: Object) -> Mapping[str, str]:
    return obj["metadata"].get("labels") or {}
