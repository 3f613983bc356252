"""Services of the suite's own over some of a cluster's probe pods, made and taken away as a user would."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from l3conf.errors import LabError
from l3conf.expectations.places import NAMESPACE, PORT, Service
from l3conf.plugin.cluster_api import MERGE_PATCH
from l3conf.plugin.inventory import addresses_of_service

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from l3conf.expectations import Pod
    from l3conf.plugin.cluster_api import ClusterAPI

_LABEL = "l3conf.io/behind"
_SERVICES, _PODS = f"/api/v1/namespaces/{NAMESPACE}/services", f"/api/v1/namespaces/{NAMESPACE}/pods"


@contextmanager
def service_over(api: ClusterAPI, name: str, pods: Sequence[Pod]) -> Iterator[Service]:
    """Have a Service over these pods of one cluster while the context is open; ``LabError`` if it is refused."""
    ports = [{"name": "tcp", "port": PORT, "targetPort": PORT, "protocol": "TCP"}]
    spec = {"ipFamilyPolicy": "PreferDualStack", "selector": {_LABEL: name}, "ports": ports}
    body = {"metadata": {"name": name}, "spec": spec}
    answer = api.request("POST", _SERVICES, body=body)
    if not answer.ok:
        raise LabError(f"service {name} was refused: {answer.message}", where=api.name)
    try:
        _label(api, pods, name)
        yield Service(cluster=api.name, name=name, addresses=addresses_of_service(answer.body), backends=tuple(pods))
    finally:
        _label(api, pods, None)
        api.request("DELETE", f"{_SERVICES}/{name}")


def _label(api: ClusterAPI, pods: Sequence[Pod], value: str | None) -> None:
    patch = {"metadata": {"labels": {_LABEL: value}}}
    for pod in pods:
        api.request("PATCH", f"{_PODS}/{pod.name}", body=patch, content_type=MERGE_PATCH)
