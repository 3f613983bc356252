"""Reads what a cluster shows of itself, and asks what the caller may do there. Changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from l3conf.errors import LabError, LabIncapableError, MissingPrerequisiteError
from l3conf.labs.existing.found import Surveyed
from l3conf.labs.existing.rights import needed

if TYPE_CHECKING:
    from l3conf.plugin.cluster_api import ClusterAPI

_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_WHO = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
_NODES = "/api/v1/nodes"
_KUBEADM = "/api/v1/namespaces/kube-system/configmaps/kubeadm-config"
_SERVICE_CIDRS = "/apis/networking.k8s.io/v1/servicecidrs"
_MEMBERS = "/apis/submariner.io/v1/clusters"


def check_rights(api: ClusterAPI) -> None:
    """Refuse a credential that lacks rights; ``MissingPrerequisiteError`` names all of them.

    What it may do in namespaces of its own is decided by the role that it binds itself to there.
    """
    missing = []
    for right in needed():
        answer = api.request("POST", _REVIEWS, body=right.review())
        if not answer.ok:
            raise LabError(f"cannot ask what is granted ({answer.status}): {answer.message}", where=api.name)
        if not answer.body.get("status", {}).get("allowed"):
            missing.append(str(right))
    if missing:
        raise MissingPrerequisiteError(
            f"the credential may not: {', '.join(missing)}",
            where=api.name,
            remedy="apply the roles that `l3conf rights` prints and bind them, as they say",
        )


def who_am_i(api: ClusterAPI) -> str:
    """Return the user name that the API server knows the caller by."""
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    answer = api.request("POST", _WHO, body=body)
    name = answer.body.get("status", {}).get("userInfo", {}).get("username", "") if answer.ok else ""
    if not name:
        raise LabError(f"the API server does not say who is asking ({answer.status}): {answer.message}", where=api.name)
    return str(name)


def survey(api: ClusterAPI) -> Surveyed:
    """Return what a cluster shows; resources that are not served, or may not be read, count as empty."""
    version = api.request("GET", "/version")
    return Surveyed(
        nodes=api.items(_NODES),
        service_cidrs=_items(api, _SERVICE_CIDRS),
        kubeadm=_kubeadm(api),
        members=_items(api, _MEMBERS),
        version=str(version.body.get("gitVersion", "")) if version.ok else "",
    )


def _items(api: ClusterAPI, path: str) -> list[dict[str, Any]]:
    try:
        return api.items(path)
    except LabIncapableError:
        return []


def _kubeadm(api: ClusterAPI) -> str:
    try:
        data = api.get(_KUBEADM).get("data") or {}
    except (LabIncapableError, LookupError):
        return ""
    return str(data.get("ClusterConfiguration", ""))
