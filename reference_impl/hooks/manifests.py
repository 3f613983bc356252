"""Manifests: plain YAML that ``kubectl apply -f`` takes as it is, and the changes a hook makes to the objects."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from reference_impl.mutants import VARIABLE
from reference_impl.names import HOLDER, IPSEC_BACKEND, MANAGED_BY, NODE_DIRECTORY, WIREGUARD_BACKEND

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reference_impl.drivers.api import Object

IDENTITY = "broker/identity.yaml"
"""Binds what members write at the broker to who they are."""
POLICIES = "broker/connection-policies.yaml"
"""The kind by which the broker's administrator says who connects."""
MANIFESTS = Path(__file__).parent.parent / "manifests"
"""Those of this version; an earlier release has its own."""
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's where PyYAML has it: the CRDs alone take the Python one a third of a second."""


def load(*names: str, manifests: Path = MANIFESTS) -> list[Object]:
    """Return the objects of manifest files or whole folders, in order, labelled as ours."""
    paths = [path for name in names for path in _files(manifests / name)]
    objects = [obj for path in paths for obj in yaml.load_all(path.read_text(), Loader=_LOADER) if obj]
    for obj in objects:
        obj["metadata"].setdefault("labels", {})["app.kubernetes.io/managed-by"] = MANAGED_BY
    return objects


def member_access(cluster_id: str, *, held_by: str = "") -> list[Object]:
    """Return a member's account and rights at the broker. ``held_by`` is the UID of the cluster that it is for."""
    objects = load("broker/member-access.yaml")
    name = account_name(cluster_id)
    for obj in objects:
        obj["metadata"]["name"] = name
        if obj["kind"] == "ServiceAccount" and held_by:
            obj["metadata"]["annotations"] = {HOLDER: held_by}
        for rule in obj.get("rules", []):
            if "resourceNames" in rule:
                rule["resourceNames"] = [cluster_id]
        for reference in (obj.get("roleRef"), *obj.get("subjects", [])):
            if reference:
                reference["name"] = name
    return objects


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
    WIREGUARD_BACKEND: (("member/wireguard.yaml", "member/wireguard-second.yaml"), "/run/wireguard"),
    IPSEC_BACKEND: (("member/ipsec.yaml",), "/run/charon"),
}
"""By cable driver: the manifests of its engines, and where both engine and agent see the node's directory of ours.
An earlier release may have fewer of them."""
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
        *load(*(one for each, _ in engines for one in each if (manifests / one).exists()), manifests=manifests),
        *gateway,
        *load("member/routeagent.yaml", manifests=manifests),
    ]


def global_agent(*, manifests: Path = MANIFESTS) -> list[Object]:
    """Return what a member with global ranges runs besides: the agent, its account and its rights."""
    return load("member/globalnet.yaml", manifests=manifests)


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
    """Return the objects; DaemonSets pass on what selects a mutant, if anything does."""
    listed = list(objects)
    value = environ.get(VARIABLE)
    for obj in listed:
        if obj["kind"] == "DaemonSet" and value:
            for container in obj["spec"]["template"]["spec"]["containers"]:
                container["env"].append({"name": VARIABLE, "value": value})
    return listed


def _files(path: Path) -> list[Path]:
    return sorted(path.glob("*.yaml")) if path.is_dir() else [path]
