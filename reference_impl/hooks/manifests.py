"""Manifests: plain YAML that ``kubectl apply`` takes as it is, and the changes a hook makes to the objects.

Hooks and ``kubectl apply -k manifests/overlays/…`` apply the same files to the same effect (docs/adr/0063).
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from reference_impl.mutants import VARIABLE
from reference_impl.names import (
    BROKER_SECRET,
    BROKER_SIDE,
    HOLDER,
    IPSEC_BACKEND,
    MAILBOX,
    MAILBOX_PREFIX,
    MANAGED_BY,
    NODE_DIRECTORY,
    WIREGUARD_BACKEND,
)
from reference_impl.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reference_impl.drivers.api import Object

IDENTITY = "broker/identity.yaml"
"""Binds what members write at the broker to who they are."""
POLICIES = "broker/connection-policies.yaml"
"""The kind by which the broker's administrator says who connects."""
MANIFESTS = Path(__file__).parent.parent / "manifests"
"""Those of this version; an earlier release has its own."""
IMAGE = f"l3conf/reference-impl:{VERSION}"
"""What manifests name: a tag that moves nowhere, until kustomize or the variable names another, as by digest."""
IMAGE_VARIABLE = "REFERENCE_IMPL_IMAGE"
AGENT = "broker-agent"
"""The program at the broker that fills mailboxes, with its rights."""
_ACCOUNT, _PLACE, _READER = "submariner-member", "submariner-mailbox-member", "submariner-policies-member"
"""What a member's account, its mailbox and its right to read policies are called in manifests."""
_LONGEST = 63
"""Characters of a namespace's name (RFC 1123)."""
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's where PyYAML has it: the CRDs alone take the Python one a third of a second."""


def load(*names: str, manifests: Path = MANIFESTS) -> list[Object]:
    """Return the objects of manifest files or whole folders, in order, labelled as ours."""
    paths = [path for name in names for path in _files(_file(manifests, name))]
    objects = [obj for path in paths for obj in yaml.load_all(path.read_text(), Loader=_LOADER) if obj]
    for obj in objects:
        obj["metadata"].setdefault("labels", {})["app.kubernetes.io/managed-by"] = MANAGED_BY
    return objects


def member_access(cluster_id: str, *, held_by: str = "", mailbox: bool = False) -> list[Object]:
    """Return a member's account and rights at the broker. ``held_by`` is the UID of the cluster that it is for.

    ``mailbox``: whether it has a namespace of its own there, which is then among the objects.
    """
    files = ("broker/member-access.yaml", "broker/policy-access.yaml", *(("broker/mailbox.yaml",) if mailbox else ()))
    placed = mailbox_name(cluster_id)
    names = {_ACCOUNT: account_name(cluster_id), _PLACE: placed, _READER: f"submariner-policies-{cluster_id}"}
    objects = load(*files)
    for obj in objects:
        metadata = obj["metadata"]
        metadata["name"] = names.get(metadata["name"], metadata["name"])
        if MAILBOX in metadata["labels"]:
            metadata["labels"][MAILBOX] = cluster_id
        is_own = metadata["name"] == names[_ACCOUNT] and obj["kind"] in ("Role", "RoleBinding")
        if metadata.get("namespace") == _PLACE or (mailbox and is_own):
            metadata["namespace"] = placed
        if obj["kind"] == "ServiceAccount" and held_by:
            metadata["annotations"] = {HOLDER: held_by}
        for rule in obj.get("rules", []):
            if rule.get("resourceNames") == ["member"]:
                rule["resourceNames"] = [cluster_id]
        for reference in (obj.get("roleRef"), *obj.get("subjects", [])):
            if reference:
                reference["name"] = names.get(reference["name"], reference["name"])
    return objects


def mailbox_name(cluster_id: str) -> str:
    """Return the name of a member's namespace at the broker. Ids that are no labels, or long ones, are told by hash."""
    name = f"{MAILBOX_PREFIX}{cluster_id}"
    if "." not in cluster_id and len(name) <= _LONGEST:
        return name
    return f"{MAILBOX_PREFIX}{hashlib.sha256(cluster_id.encode()).hexdigest()[: _LONGEST - len(MAILBOX_PREFIX)]}"


def account_name(cluster_id: str) -> str:
    """Return the name of a member's ServiceAccount, Role and RoleBinding at the broker."""
    return f"submariner-member-{cluster_id}"


def settings(data: Mapping[str, str], broker: Mapping[str, str]) -> list[Object]:
    """Return a member's settings: a ConfigMap with ``data`` and a Secret with ``broker``, over the defaults."""
    config_map, secret = load("member/settings.yaml")
    config_map["data"] |= data
    secret["stringData"] |= broker
    return [config_map, secret]


_ENGINES: Mapping[str, tuple[tuple[str, ...], str]] = {
    WIREGUARD_BACKEND: (
        ("components/wireguard/wireguard.yaml", "components/wireguard/wireguard-second.yaml"),
        "/run/wireguard",
    ),
    IPSEC_BACKEND: (("components/ipsec/ipsec.yaml",), "/run/charon"),
}
"""By cable driver: the manifests of its engines, and where both engine and agent see the node's directory of ours.
An earlier release may have fewer of them."""
_GLOBAL_AGENT = "components/globalnet/globalnet.yaml"
_KUSTOMIZATION = "kustomization.yaml"
"""Tells ``kubectl apply -k`` about a folder; it is no object."""
_KEY_DIRECTORY = "/run/wireguard"


def with_node_directory(objects: Iterable[Object], *mounts: Mapping[str, str]) -> list[Object]:
    """Return the objects; the first container of each DaemonSet gets the node's directory of ours mounted."""
    listed = list(objects)
    for obj in listed:
        if obj["kind"] == "DaemonSet":
            pod = obj["spec"]["template"]["spec"]
            volume = {"name": "node-directory", "hostPath": {"path": NODE_DIRECTORY, "type": "DirectoryOrCreate"}}
            pod["volumes"] = [*pod.get("volumes", []), volume]
            container = pod["containers"][0]
            mounted = [{"name": "node-directory", **mount} for mount in mounts]
            container["volumeMounts"] = [*container.get("volumeMounts", []), *mounted]
    return listed


def agents(drivers: str, *, manifests: Path = MANIFESTS) -> list[Object]:
    """Return the DaemonSets that a member runs with these cable drivers (names with commas between them)."""
    engines = [_ENGINES[name] for name in drivers.split(",") if name in _ENGINES]
    if not engines:
        return load("member/gateway.yaml", "member/routeagent.yaml", manifests=manifests)
    paths = sorted({_KEY_DIRECTORY, *(directory for _, directory in engines)})
    mounts = [{"mountPath": path, "subPathExpr": "$(NODE_NAME)"} for path in paths]
    gateway = with_node_directory(load("member/gateway.yaml", manifests=manifests), *mounts)
    return [
        *load(*(one for each, _ in engines for one in each if _file(manifests, one).exists()), manifests=manifests),
        *gateway,
        *load("member/routeagent.yaml", manifests=manifests),
    ]


def restarted_for(namespace: str, objects: Iterable[Object]) -> list[Object]:
    """Return the objects; who speaks to the broker starts anew when its namespace there is another one."""
    listed = list(objects)
    for obj in listed:
        if obj["kind"] == "DaemonSet" and BROKER_SECRET in str(obj["spec"]["template"]["spec"].get("volumes")):
            metadata = obj["spec"]["template"]["metadata"]
            metadata["annotations"] = {**(metadata.get("annotations") or {}), BROKER_SIDE: namespace}
    return listed


def global_agent(*, manifests: Path = MANIFESTS) -> list[Object]:
    """Return what a member with global ranges runs besides: the agent, its account and its rights."""
    return load(_GLOBAL_AGENT, manifests=manifests)


def service_discovery(*, manifests: Path = MANIFESTS) -> list[Object]:
    """Return what makes a member's Services known to others. Its rights come with those of every member."""
    return load("member/service-discovery.yaml", manifests=manifests)


def cleanup(drivers: str) -> list[Object]:
    """Return what cleans nodes after these cable drivers."""
    objects = load("member/cleanup.yaml")
    if not any(name in _ENGINES for name in drivers.split(",")):
        return objects
    return with_node_directory(objects, {"mountPath": NODE_DIRECTORY})


def with_variables(objects: Iterable[Object], environ: Mapping[str, str]) -> list[Object]:
    """Return the objects; programs pass on what selects a mutant, if anything does."""
    listed = list(objects)
    value = environ.get(VARIABLE)
    for obj in listed:
        if obj["kind"] in ("DaemonSet", "Deployment") and value:
            for container in obj["spec"]["template"]["spec"]["containers"]:
                container["env"].append({"name": VARIABLE, "value": value})
    return listed


def with_image(objects: Iterable[Object], environ: Mapping[str, str]) -> list[Object]:
    """Return the objects; programs of this version come from the image that is named, if one is.

    Carriers that keep the image of an earlier version keep it.
    """
    listed = list(objects)
    if image := environ.get(IMAGE_VARIABLE):
        for obj in listed:
            if obj["kind"] in ("DaemonSet", "Deployment"):
                for container in obj["spec"]["template"]["spec"]["containers"]:
                    container["image"] = image if container["image"] == IMAGE else container["image"]
    return listed


def _file(manifests: Path, name: str) -> Path:
    """Return where manifests have a file. Before there were components theirs were with all others of a member."""
    if name.startswith("components/") and not (manifests / "components").exists():
        return manifests / "member" / Path(name).name
    return manifests / name


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return sorted(each for each in path.glob("*.yaml") if each.name != _KUSTOMIZATION)
