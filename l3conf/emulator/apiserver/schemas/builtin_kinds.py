"""Which kinds are Kubernetes' own, and which class of the ``kubernetes`` package describes each."""

from __future__ import annotations

import functools

from l3conf.emulator.apiserver.schemas import model_source

_KINDS: dict[str, str] = {
    "v1": (
        "Binding ConfigMap Endpoints Event LimitRange Namespace Node PersistentVolume PersistentVolumeClaim Pod "
        "PodTemplate ReplicationController ResourceQuota Secret Service ServiceAccount"
    ),
    "admissionregistration.k8s.io/v1": (
        "MutatingWebhookConfiguration ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding "
        "ValidatingWebhookConfiguration"
    ),
    "apiextensions.k8s.io/v1": "CustomResourceDefinition",
    "apiregistration.k8s.io/v1": "APIService",
    "apps/v1": "ControllerRevision DaemonSet Deployment ReplicaSet StatefulSet",
    "authentication.k8s.io/v1": "SelfSubjectReview TokenRequest TokenReview",
    "authorization.k8s.io/v1": (
        "LocalSubjectAccessReview SelfSubjectAccessReview SelfSubjectRulesReview SubjectAccessReview"
    ),
    "autoscaling/v1": "HorizontalPodAutoscaler Scale",
    "autoscaling/v2": "HorizontalPodAutoscaler",
    "batch/v1": "CronJob Job",
    "certificates.k8s.io/v1": "CertificateSigningRequest",
    "coordination.k8s.io/v1": "Lease",
    "discovery.k8s.io/v1": "EndpointSlice",
    "events.k8s.io/v1": "Event",
    "networking.k8s.io/v1": "IPAddress Ingress IngressClass NetworkPolicy ServiceCIDR",
    "node.k8s.io/v1": "RuntimeClass",
    "policy/v1": "Eviction PodDisruptionBudget",
    "rbac.authorization.k8s.io/v1": "ClusterRole ClusterRoleBinding Role RoleBinding",
    "scheduling.k8s.io/v1": "PriorityClass",
    "storage.k8s.io/v1": "CSIDriver CSINode CSIStorageCapacity StorageClass VolumeAttachment",
}

_MODELS = {(api_version, kind) for api_version, kinds in _KINDS.items() for kind in kinds.split()}


def model_name(api_version: str, kind: str) -> str | None:
    """Return ``V1Pod`` for ``("v1", "Pod")``; None for kinds that are not Kubernetes' own or that are too new."""
    return _model_name(api_version, kind) if (api_version, kind) in _MODELS else None


@functools.cache  # every write asks; what clients call things, of which there is no end, is never kept
def _model_name(api_version: str, kind: str) -> str | None:
    group, _, version = api_version.rpartition("/")
    family = (group.partition(".")[0] or "core").capitalize()
    candidates = (f"{version.capitalize()}{kind}", f"{family}{version.capitalize()}{kind}")
    return next(filter(model_source.exists, candidates), None)
