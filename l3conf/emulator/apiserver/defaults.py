"""What the API server fills in that a client left out, for built-in kinds (``pkg/apis/*/v1/defaults.go``).

Every function changes the object that it is given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from l3conf.emulator.cluster_api import Object

GRACE_SECONDS = 30


def fill(target: dict[str, Any], values: Mapping[str, Any]) -> None:
    """Set what is missing or null."""
    for key, value in values.items():
        if target.get(key) is None:
            target[key] = value


def pod_spec(spec: dict[str, Any]) -> None:
    """Fill a PodSpec."""
    fill(
        spec,
        {
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": GRACE_SECONDS,
            "dnsPolicy": "ClusterFirst",
            "schedulerName": "default-scheduler",
            "securityContext": {},
        },
    )
    if spec.get("serviceAccount") and not spec.get("serviceAccountName"):
        spec["serviceAccountName"] = spec["serviceAccount"]
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        if isinstance(container, dict):
            _container(container, host_network=bool(spec.get("hostNetwork")))
    for volume in spec.get("volumes") or ():
        _volume(volume)


def _container(container: dict[str, Any], *, host_network: bool) -> None:
    image = str(container.get("image") or "")
    is_latest = ":" not in image.rpartition("/")[2] or image.endswith(":latest")
    fill(
        container,
        {
            "imagePullPolicy": "Always" if is_latest and "@" not in image else "IfNotPresent",
            "resources": {},
            "terminationMessagePath": "/dev/termination-log",
            "terminationMessagePolicy": "File",
        },
    )
    for port in container.get("ports") or ():
        fill(port, {"protocol": "TCP"})
        if host_network and port.get("containerPort"):
            fill(port, {"hostPort": port["containerPort"]})
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if isinstance(probe := container.get(name), dict):
            _probe(probe)
    for variable in container.get("env") or ():
        if reference := (variable.get("valueFrom") or {}).get("fieldRef"):
            fill(reference, {"apiVersion": "v1"})


def _probe(probe: dict[str, Any]) -> None:
    fill(probe, {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3})
    if isinstance(http := probe.get("httpGet"), dict):
        fill(http, {"path": "/", "scheme": "HTTP"})


_MODE = 0o644


def _volume(volume: dict[str, Any]) -> None:
    for kind in ("configMap", "secret", "projected", "downwardAPI"):
        if isinstance(source := volume.get(kind), dict):
            fill(source, {"defaultMode": _MODE})
    for source in (volume.get("projected") or {}).get("sources") or ():
        if isinstance(token := source.get("serviceAccountToken"), dict):
            fill(token, {"expirationSeconds": 3600})
        for item in (source.get("downwardAPI") or {}).get("items") or ():
            fill(item.get("fieldRef") or {}, {"apiVersion": "v1"})
    if isinstance(host := volume.get("hostPath"), dict):
        fill(host, {"type": ""})


def pod(obj: Object) -> None:
    """Fill a Pod."""
    spec = obj.setdefault("spec", {})
    pod_spec(spec)
    fill(spec, {"enableServiceLinks": True})
    fill(obj.setdefault("status", {}), {"phase": "Pending", "qosClass": "BestEffort"})


def service(obj: Object) -> None:
    """Fill a Service; its addresses come from ``service_addresses``."""
    spec = obj.setdefault("spec", {})
    fill(spec, {"type": "ClusterIP", "sessionAffinity": "None"})
    if spec["sessionAffinity"] == "ClientIP":
        fill(spec.setdefault("sessionAffinityConfig", {}), {"clientIP": {"timeoutSeconds": 10800}})
    if spec["type"] != "ExternalName":
        fill(spec, {"internalTrafficPolicy": "Cluster"})
    if spec["type"] in {"NodePort", "LoadBalancer"}:
        fill(spec, {"externalTrafficPolicy": "Cluster"})
    for port in spec.get("ports") or ():
        fill(port, {"protocol": "TCP", "targetPort": port.get("port")})
    fill(obj, {"status": {"loadBalancer": {}}})


def _template(obj: Object) -> dict[str, Any]:
    spec: dict[str, Any] = obj.setdefault("spec", {})
    if isinstance(template := spec.get("template"), dict):
        template.setdefault("metadata", {})
        pod_spec(template.setdefault("spec", {}))
    return spec


def daemon_set(obj: Object) -> None:
    """Fill a DaemonSet."""
    spec = _template(obj)
    fill(spec, {"updateStrategy": {}, "revisionHistoryLimit": 10})
    strategy = spec["updateStrategy"]
    fill(strategy, {"type": "RollingUpdate"})
    if strategy["type"] == "RollingUpdate":
        fill(strategy, {"rollingUpdate": {}})
        fill(strategy["rollingUpdate"], {"maxUnavailable": 1, "maxSurge": 0})
    fill(obj.setdefault("metadata", {}), {"annotations": {}})
    obj["metadata"]["annotations"].setdefault("deprecated.daemonset.template.generation", "1")
    zeros = ("currentNumberScheduled", "desiredNumberScheduled", "numberMisscheduled", "numberReady")
    fill(obj.setdefault("status", {}), dict.fromkeys(zeros, 0))


def deployment(obj: Object) -> None:
    """Fill a Deployment."""
    spec = _template(obj)
    fill(spec, {"replicas": 1, "strategy": {}, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600})
    strategy = spec["strategy"]
    fill(strategy, {"type": "RollingUpdate"})
    if strategy["type"] == "RollingUpdate":
        fill(strategy, {"rollingUpdate": {}})
        fill(strategy["rollingUpdate"], {"maxUnavailable": "25%", "maxSurge": "25%"})
    fill(obj, {"status": {}})


def replica_set(obj: Object) -> None:
    """Fill a ReplicaSet."""
    spec = _template(obj)
    template = spec.get("template") or {}
    fill(spec, {"replicas": 1, "selector": {"matchLabels": dict(template.get("metadata", {}).get("labels") or {})}})
    fill(obj.setdefault("status", {}), {"replicas": 0})


def namespace(obj: Object) -> None:
    """Fill a Namespace: its finalizer, phase and name label."""
    fill(obj.setdefault("spec", {}), {"finalizers": ["kubernetes"]})
    fill(obj.setdefault("status", {}), {"phase": "Active"})
    metadata = obj["metadata"]
    if metadata.get("name"):
        fill(metadata, {"labels": {}})
        metadata["labels"]["kubernetes.io/metadata.name"] = metadata["name"]


def secret(obj: Object) -> None:
    """Fill a Secret; ``stringData`` is write-only and becomes ``data``."""
    import base64  # noqa: PLC0415 - secrets are rare, start-up is not

    fill(obj, {"type": "Opaque"})
    for key, value in (obj.pop("stringData", None) or {}).items():
        fill(obj, {"data": {}})
        obj["data"][key] = base64.b64encode(str(value).encode()).decode()


def _binding(obj: Object) -> None:
    fill(obj.get("roleRef") or {}, {"apiGroup": "rbac.authorization.k8s.io"})
    for subject in obj.get("subjects") or ():
        is_account = subject.get("kind") == "ServiceAccount"
        fill(subject, {} if is_account else {"apiGroup": "rbac.authorization.k8s.io"})


def _endpoint_slice(obj: Object) -> None:
    for port in obj.get("ports") or ():
        fill(port, {"name": "", "protocol": "TCP"})


def _endpoints(obj: Object) -> None:
    for subset in obj.get("subsets") or ():
        for port in subset.get("ports") or ():
            fill(port, {"protocol": "TCP"})


def _network_policy(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    fill(spec, {"policyTypes": ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]})
    for rule in (*(spec.get("ingress") or ()), *(spec.get("egress") or ())):
        for port in rule.get("ports") or ():
            fill(port, {"protocol": "TCP"})


def _node(obj: Object) -> None:
    fill(obj, {"spec": {}, "status": {}})


def _event(obj: Object) -> None:
    fill(obj, {"type": "Normal"})
    fill(obj, {"source": {}})


DEFAULTS: Mapping[str, Callable[[Object], None]] = {
    "namespaces": namespace,
    "pods": pod,
    "services": service,
    "secrets": secret,
    "nodes": _node,
    "events": _event,
    "endpoints": _endpoints,
    "daemonsets.apps": daemon_set,
    "deployments.apps": deployment,
    "replicasets.apps": replica_set,
    "endpointslices.discovery.k8s.io": _endpoint_slice,
    "networkpolicies.networking.k8s.io": _network_policy,
    "rolebindings.rbac.authorization.k8s.io": _binding,
    "clusterrolebindings.rbac.authorization.k8s.io": _binding,
}
"""By storage key."""
