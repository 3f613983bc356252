"""What is in the images, and what their programs need."""

from __future__ import annotations

import io
import itertools
import tarfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import docker
import pytest
import yaml

from images.tests.conftest import ROOT
from reference_impl.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from images.tests.private_engine import PrivateEngine

MANIFESTS = ROOT / "reference_impl" / "manifests"
REFERENCE = f"l3conf/reference-impl:{VERSION}"
SUITE = "l3conf/l3conf:v1"
WITHOUT_SHELL = ("l3conf/probe:v1", "l3conf/router:v1", REFERENCE)
IMPLEMENTATION = {str(ROOT / "reference_impl" / "impl.yaml"): {"bind": "/etc/l3conf/impl.yaml", "mode": "ro"}}
JOB = ROOT / "l3conf" / "labs" / "existing" / "job.yaml"
NOT_IN_IMAGES = {"sh", "dash", "bash", "busybox", "apt", "apt-get", "dpkg", "perl", "pip", "pip3"}
WRITABLE = {"/tmp": ""}  # noqa: S108 - an empty directory of the container's own
PATIENCE = 20.0
LOOK = 1.0
"""Seconds between two looks of an engine at its child's sockets."""
KERNEL_WORK = """
from contextlib import closing
from reference_impl.drivers.echo import RawEcho
from reference_impl.drivers.netlink import IPRoute
from reference_impl.drivers.nftables import load_script
load_script("table inet submariner { map m { type ipv4_addr : ipv4_addr; }; }")
with closing(IPRoute()) as netlink:
    netlink.link("add", ifname="vx-submariner", kind="vxlan", vxlan_id=100, vxlan_port=4800)
RawEcho().close()
"""
"""What a gateway's or a node's agent asks of the kernel: rules, a link, raw sockets."""


@pytest.fixture
def names(engine: PrivateEngine) -> Iterator[Iterator[str]]:
    """Names for containers, which are removed at the end."""
    given: list[str] = []

    def each() -> Iterator[str]:
        for index in itertools.count():
            given.append(f"l3conf-test-{index}")
            yield given[-1]

    yield each()
    for container in engine.client.containers.list(all=True):
        if container.name in given:
            container.remove(force=True)


def rights(file: str, name: str) -> dict[str, Any]:
    """Return what the manifest of a workload gives its container, in docker's words."""
    objects = yaml.safe_load_all((MANIFESTS / file).read_text())
    pod = next(obj["spec"]["template"]["spec"] for obj in objects if obj["metadata"]["name"] == name and "spec" in obj)
    (container,) = pod["containers"]
    security = container["securityContext"]
    sources = {volume["name"]: volume.get("hostPath", {}).get("path", "") for volume in pod.get("volumes", ())}
    mounts = {mount["mountPath"]: sources[mount["name"]] for mount in container.get("volumeMounts", ())}
    assert security["allowPrivilegeEscalation"] is False
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}  # docker's, unless another is named
    return {
        "command": container["args"],
        "read_only": security["readOnlyRootFilesystem"],
        "cap_drop": security["capabilities"]["drop"],
        "cap_add": security["capabilities"].get("add", []),
        "user": str(pod["securityContext"].get("runAsUser", 0)),
        "security_opt": ["no-new-privileges"],
        "volumes": {path: {"bind": path} for path in mounts.values() if path.startswith("/dev/")},
        "tmpfs": {path: "" for path, source in mounts.items() if not source.startswith("/dev/")},
    }


@pytest.mark.parametrize("image", [*WITHOUT_SHELL, SUITE])
def test_an_image_has_no_shell_no_installer_and_no_set_uid_program(images: PrivateEngine, image: str) -> None:
    """Of the suite's alone the Job's commands are for a shell."""
    container = images.client.containers.create(image)
    try:
        content = io.BytesIO(b"".join(container.export()))
    finally:
        container.remove()
    with tarfile.open(fileobj=content) as archive:
        files = [member for member in archive if member.isfile() or member.islnk()]
    assert len(files) > 100
    unwanted = NOT_IN_IMAGES if image in WITHOUT_SHELL else NOT_IN_IMAGES - {"sh", "dash"}
    assert not unwanted & {Path(member.name).name for member in files if "/bin/" in f"/{member.name}"}
    assert not [member.name for member in files if member.mode & 0o6000]
    assert any(member.name.startswith("var/lib/dpkg/status.d/") for member in files)
    assert any(member.name.endswith("/copyright") for member in files)
    assert not [
        member.name for member in files if "/tests/" in member.name and member.name.startswith("opt/reference/")
    ]


def test_programs_of_the_reference_implementation_are_all_in(images: PrivateEngine) -> None:
    programs = "wireguard-go", "nft", "swanctl", "charon-systemd"
    modules = (
        "gateway",
        "route_agent",
        "broker",
        "global_agent",
        "service_discovery",
        "ipsec_engine",
        "diagnose",
        "show",
    )
    script = (
        f"import importlib, shutil\n"
        f"print([p for p in {programs} if not shutil.which(p, path='/usr/bin:/usr/sbin')])\n"
        f"for m in {modules}: importlib.import_module(f'reference_impl.agents.{{m}}')\n"
        f"import reference_impl.drivers.kube_api, reference_impl.hooks.join\n"
    )
    output = images.client.containers.run(REFERENCE, ["-c", script], entrypoint="/usr/bin/python3", remove=True)
    assert output.decode().strip() == "[]"


@pytest.mark.parametrize(
    ("file", "name", "device"),
    [
        ("components/wireguard/wireguard.yaml", "submariner-wireguard", "submariner"),
        ("components/wireguard/wireguard-second.yaml", "submariner-wireguard-2", "submariner-2"),
        ("components/ipsec/ipsec.yaml", "submariner-ipsec", "ipsec0"),
    ],
)
def test_an_engine_makes_its_device_with_the_rights_of_its_manifest(
    images: PrivateEngine, names: Iterator[str], file: str, name: str, device: str
) -> None:
    log = engine_log(images, next(names), device, rights(file, name))
    assert "started" in log
    assert "WARNING" not in log
    assert "ERROR" not in log


def test_an_engine_says_what_a_right_is_for_that_it_lacks(images: PrivateEngine, names: Iterator[str]) -> None:
    given = rights("components/wireguard/wireguard.yaml", "submariner-wireguard")
    log = engine_log(images, next(names), "submariner", given | {"cap_add": ["NET_ADMIN"]})
    assert "packets will be lost where small links are hidden: the sockets: Operation not permitted" in log


def engine_log(engine: PrivateEngine, name: str, device: str, given: dict[str, Any]) -> str:
    """Start an engine, wait for its device and its first looks at its child's sockets; return its log."""
    if not Path("/dev/net/tun").exists():
        pytest.skip("this host has no /dev/net/tun")
    container = engine.client.containers.run(REFERENCE, name=name, detach=True, **given)
    deadline = time.monotonic() + PATIENCE
    look = ["python3", "-c", "import os; print(*os.listdir('/sys/class/net'))"]
    while device not in container.exec_run(look).output.decode().split():
        assert time.monotonic() < deadline, container.logs().decode()
        time.sleep(0.2)
    time.sleep(2 * LOOK)
    return str(container.logs().decode())


@pytest.mark.parametrize("name", ["gateway", "routeagent"])
def test_an_agent_programs_the_kernel_with_the_rights_of_its_manifest_and_not_without(
    images: PrivateEngine, name: str
) -> None:
    given = rights(f"member/{name}.yaml", f"submariner-{name}")
    given |= {"command": ["-c", KERNEL_WORK], "entrypoint": "/usr/bin/python3", "remove": True}
    assert images.client.containers.run(REFERENCE, stderr=True, **given) == b""
    for missing in given["cap_add"]:
        fewer = given | {"cap_add": [each for each in given["cap_add"] if each != missing]}
        with pytest.raises(docker.errors.ContainerError, match="Operation not permitted"):
            images.client.containers.run(REFERENCE, **fewer)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("member/service-discovery.yaml", "submariner-service-discovery"),
        ("broker-agent/agent.yaml", "submariner-broker"),
    ],
)
def test_a_program_that_touches_no_packet_starts_as_nobody(images: PrivateEngine, file: str, name: str) -> None:
    """Without settings or an account it says so, which is as far as it gets without a cluster."""
    given = rights(file, name)
    assert given["user"] == "65532"
    assert not given["cap_add"]
    container = images.client.containers.run(REFERENCE, detach=True, **given)
    try:
        container.wait(timeout=PATIENCE)
        assert "ERROR reference_impl" in container.logs().decode()
        assert "Traceback" not in container.logs().decode()
    finally:
        container.remove(force=True)


def test_the_suite_finds_every_scenario_in_its_image(images: PrivateEngine) -> None:
    where = "import scenarios; print(scenarios.__path__[0])"
    python = {"entrypoint": "/usr/bin/python3", "remove": True, "read_only": True, "tmpfs": WRITABLE}
    python |= {"volumes": IMPLEMENTATION}
    folder = images.client.containers.run(SUITE, ["-c", where], **python).decode().strip()
    collect = [
        "-m",
        "pytest",
        "--collect-only",
        "-q",
        "-p",
        "no:cacheprovider",
        "--impl",
        "/etc/l3conf/impl.yaml",
        folder,
    ]
    found = images.client.containers.run(SUITE, collect, **python).decode()
    files = {line.partition("::")[0] for line in found.splitlines() if "::" in line}
    assert len(files) == len(list(ROOT.joinpath("scenarios").glob("test_*.py")))


def test_the_commands_of_the_job_run_in_the_image_of_the_suite(images: PrivateEngine, names: Iterator[str]) -> None:
    """No cluster is there: the run says so in a line, and its verdict is the exit code of the pod."""
    (job,) = (obj for obj in yaml.safe_load_all(JOB.read_text()) if obj["kind"] == "Job")
    pod = job["spec"]["template"]["spec"]
    (run,), (report,) = pod["initContainers"], pod["containers"]
    assert {run["image"], report["image"]} == {f"ghcr.io/{SUITE}"}
    volume = images.client.volumes.create("l3conf-report")
    # It is root's until it is opened: on a cluster, fsGroup does that.
    mounts = IMPLEMENTATION | {volume.name: {"bind": "/report"}}
    given = {"volumes": mounts, "tmpfs": WRITABLE, "read_only": True, "detach": True}
    try:
        opened = {"entrypoint": "/usr/bin/python3", "user": "0", "remove": True, "volumes": mounts}
        images.client.containers.run(SUITE, ["-c", "import os; os.chmod('/report', 0o777)"], **opened)
        environment = {entry["name"]: entry["value"] for entry in run["env"]}
        ended, said = _ended(images, next(names), run, given | {"environment": environment})
        assert ended == 0  # whatever the verdict is: the report is wanted
        assert "error: /etc/l3conf-kubeconfig/config: this kubeconfig cannot be read" in said
        assert "Traceback" not in said
        ended, said = _ended(images, next(names), report, given)
        assert ended == 3
    finally:
        for container in images.client.containers.list(all=True, filters={"volume": volume.name}):
            container.remove(force=True)
        volume.remove()


def _ended(engine: PrivateEngine, name: str, container: dict[str, Any], given: dict[str, Any]) -> tuple[int, str]:
    """Run a container of a manifest to its end; return its exit code and what it wrote."""
    started = engine.client.containers.run(
        SUITE, container["args"], entrypoint=container["command"], name=name, **given
    )
    return started.wait(timeout=60)["StatusCode"], started.logs().decode()
