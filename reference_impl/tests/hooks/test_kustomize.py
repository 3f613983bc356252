"""``kubectl apply -k`` and the hooks bring the same objects."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from reference_impl.hooks.manifests import (
    AGENT,
    IDENTITY,
    IMAGE_VARIABLE,
    MANIFESTS,
    POLICIES,
    agents,
    cleanup,
    global_agent,
    load,
    service_discovery,
    with_image,
)
from reference_impl.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from reference_impl.drivers.api import Object

OVERLAYS = MANIFESTS / "overlays"
IMAGE = "l3conf/reference-impl"
DIGEST = "sha256:" + "ab" * 32
_SETS = ("volumes", "volumeMounts")
DEPLOYED = ("crds", "member/namespace.yaml", "member/rbac.yaml")


def of_hooks(overlay: str) -> list[Object]:
    """Return what deploy and join apply besides what is each member's own."""
    if overlay == "broker":
        return load("crds", POLICIES, "broker/namespace.yaml", IDENTITY, AGENT)
    drivers, with_global = {
        "vxlan": ("vxlan", False),
        "wireguard": ("wireguard", False),
        "ipsec": ("libreswan", False),
        "globalnet": ("vxlan", True),
        "all-drivers": ("libreswan,wireguard,vxlan", True),
    }[overlay]
    return [*load(*DEPLOYED), *agents(drivers), *(global_agent() if with_global else ()), *service_discovery()]


def kustomize(directory: Path) -> list[Object]:
    """Return what kubectl makes of a folder."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed")
    ended = subprocess.run(
        [kubectl, "kustomize", str(directory)], capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode == 0, ended.stderr
    return list(yaml.safe_load_all(ended.stdout))


def by_identity(objects: Iterable[Object]) -> dict[tuple[str, str, str], Any]:
    """Return objects by kind, namespace and name; what Kubernetes takes as a set is sorted."""
    return {
        (obj["kind"], obj["metadata"].get("namespace", ""), obj["metadata"]["name"]): _sorted(obj) for obj in objects
    }


def _sorted(value: Any, field: str = "") -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return {key: _sorted(entry, key) for key, entry in value.items()}
    if isinstance(value, list):
        listed = [_sorted(entry) for entry in value]
        return sorted(listed, key=lambda each: each.get("mountPath", each["name"])) if field in _SETS else listed
    return value


def images_of(objects: Iterable[Object]) -> set[str]:
    """Return the images of all programs."""
    return {
        container["image"]
        for obj in objects
        if obj["kind"] in ("DaemonSet", "Deployment")
        for container in obj["spec"]["template"]["spec"]["containers"]
    }


def pod_templates() -> list[tuple[str, Any]]:
    """Return every pod of ours: name of its workload, and template."""
    objects = [*of_hooks("all-drivers"), *of_hooks("broker"), *cleanup("wireguard")]
    return [
        (obj["metadata"]["name"], obj["spec"]["template"]["spec"])
        for obj in objects
        if "template" in obj.get("spec", {})
    ]


@pytest.mark.parametrize("overlay", sorted(path.name for path in OVERLAYS.iterdir()))
def test_an_overlay_renders_what_the_hooks_apply(overlay: str) -> None:
    rendered, applied = by_identity(kustomize(OVERLAYS / overlay)), by_identity(of_hooks(overlay))
    assert rendered.keys() == applied.keys()
    for identity, obj in applied.items():
        assert rendered[identity] == obj


def test_the_kind_that_others_may_serve_is_a_folder_of_its_own() -> None:
    assert [obj["metadata"]["name"] for obj in kustomize(MANIFESTS / "about")] == ["clusterproperties.about.k8s.io"]


def test_every_file_of_kustomize_is_under_test() -> None:
    resources = {
        (path.parent / name).resolve()
        for path in MANIFESTS.rglob("kustomization.yaml")
        for name in yaml.safe_load(path.read_text())["resources"]
        if name.endswith(".yaml")
    }
    hooks_only = {"settings.yaml", "cleanup.yaml", "member-access.yaml", "policy-access.yaml", "mailbox.yaml"}
    written = {path.resolve() for path in MANIFESTS.rglob("*.yaml")}
    assert {path.name for path in written - resources} == hooks_only | {"kustomization.yaml"}


def test_images_are_set_in_one_place_and_by_digest(tmp_path: Path) -> None:
    shutil.copytree(MANIFESTS, tmp_path / "manifests")
    own = tmp_path / "east"
    own.mkdir()
    kustomization = {
        "resources": ["../manifests/overlays/all-drivers"],
        "images": [{"name": IMAGE, "newName": "registry.example/reference-impl", "digest": DIGEST}],
    }
    (own / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    assert images_of(kustomize(own)) == {f"registry.example/reference-impl@{DIGEST}"}


def test_hooks_take_another_image_and_leave_those_of_earlier_versions() -> None:
    objects = [*agents("wireguard"), *load(AGENT)]
    objects[-1]["spec"]["template"]["spec"]["containers"][0]["image"] = f"{IMAGE}:0.1.0"
    other = f"registry.example/reference-impl@{DIGEST}"
    assert images_of(with_image(objects, {})) == {f"{IMAGE}:{VERSION}", f"{IMAGE}:0.1.0"}
    assert images_of(with_image(objects, {IMAGE_VARIABLE: other})) == {other, f"{IMAGE}:0.1.0"}


def test_the_documentation_shows_all_that_a_member_is_told(tmp_path: Path) -> None:
    """A member's own kustomization, as docs/install.md has it, beside the folders that it names."""
    shutil.copytree(MANIFESTS, tmp_path / "reference_impl" / "manifests")
    text = (MANIFESTS.parents[1] / "docs" / "install.md").read_text()
    (block,) = re.findall(r"```yaml\n(# east/kustomization.yaml\n.*?)```", text, re.DOTALL)
    own = tmp_path / "east"
    own.mkdir()
    for name, content in {"kustomization.yaml": block, "ca.crt": "pem", "token": "t"}.items():
        (own / name).write_text(content)
    rendered = by_identity(kustomize(own))
    for shown in load("member/settings.yaml"):
        told = rendered[shown["kind"], shown["metadata"]["namespace"], shown["metadata"]["name"]]
        assert told["data"].keys() == (shown.get("data") or shown["stringData"]).keys()
    assert images_of(rendered.values()) == {"registry.example/l3conf/reference-impl:0.2.0"}


@pytest.mark.parametrize(("name", "pod"), pod_templates())
def test_a_pod_has_the_rights_that_it_needs_and_no_other(name: str, pod: dict[str, Any]) -> None:
    needed = {
        "submariner-gateway": ["NET_ADMIN", "NET_RAW"],
        "submariner-routeagent": ["NET_ADMIN", "NET_RAW"],
        "submariner-globalnet": ["NET_ADMIN"],
        "submariner-cleanup": ["NET_ADMIN"],
        "submariner-wireguard": ["NET_ADMIN", "SYS_PTRACE"],
        "submariner-wireguard-2": ["NET_ADMIN", "SYS_PTRACE"],
        "submariner-ipsec": ["NET_ADMIN", "SYS_PTRACE"],
    }.get(name, [])
    (container,) = pod["containers"]
    capabilities = {"drop": ["ALL"], **({"add": needed} if needed else {})}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": capabilities,
    }
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["securityContext"].get("runAsNonRoot", False) is not bool(needed)
    written = {mount["mountPath"] for mount in container.get("volumeMounts", ()) if not mount.get("readOnly")}
    assert written <= {"/run/wireguard", "/run/charon", "/run/submariner", "/dev/net/tun"}
