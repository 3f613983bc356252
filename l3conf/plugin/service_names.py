"""Names of Services across clusters, as pods ask for them (KEP-1645, ``clusterset.local``)."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from l3conf.expectations.places import NAMESPACE
from l3conf.plugin import dns
from l3conf.plugin.global_objects import EXPORTS, SERVICES, GlobalObjects, service_over_probes
from l3conf.wait import Pending

if TYPE_CHECKING:
    from collections.abc import Iterator

    from l3conf.expectations import Pod, Service
    from l3conf.model.topology import IPAddress
    from l3conf.plugin.lab import Lab

WITHIN = "T_allocate"
"""Budget for a name to appear or to vanish, from the write of the export."""


@dataclass(frozen=True, slots=True)
class ServiceNames:
    """The names of one lab. What is exported is so for as long as a context is open."""

    lab: Lab

    @contextmanager
    def exported(self, cluster: str, *, headless: bool = False) -> Iterator[str]:
        """Export a Service of its own over the probe pods of a cluster; yield its name in the cluster set."""
        service = f"l3conf-{self.lab.harness.random.randbytes(4).hex()}"
        api = self.lab.apis[cluster]
        api.apply(service_over_probes(service, headless=headless))
        try:
            GlobalObjects(api, self.lab.harness).export(service)
            yield f"{service}.{NAMESPACE}.svc.clusterset.local"
        finally:
            api.request("DELETE", f"{EXPORTS}/{service}")
            api.request("DELETE", f"{SERVICES}/{service}")

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

    def held(self, cluster: str, name: str) -> list[str]:
        """Return the objects in a cluster's API from which its DNS could know of a Service."""
        kinds = {
            "serviceimports": "/apis/multicluster.x-k8s.io/v1alpha1/serviceimports",
            "endpointslices": "/apis/discovery.k8s.io/v1/endpointslices",
        }
        label, service = "multicluster.kubernetes.io/service-name", name.partition(".")[0]
        return [
            f"{cluster} holds {kind}/{obj['metadata']['name']}"
            for kind, path in kinds.items()
            for obj in self.lab.apis[cluster].items(path)
            if service in {obj["metadata"]["name"], (obj["metadata"].get("labels") or {}).get(label)}
        ]
