"""The docker package against an engine that answers like a real one, and badly."""

from __future__ import annotations

import gc
import socket
import struct
import threading
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

import pytest

from l3conf.errors import LabError, MissingPrerequisiteError
from l3conf.labs.kind import engine as engine_module
from l3conf.labs.kind.answers import NotThereError
from l3conf.labs.kind.containers import ContainerPlan
from l3conf.labs.kind.engine import Engine
from l3conf.labs.kind.exec_streams import ExecStream
from l3conf.labs.kind.networks import NetworkPlan, Subnet
from l3conf.tests.kind.conftest import NODE
from l3conf.tests.kind.stub_values import Command, Refusal, frame

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from l3conf.tests.kind.conftest import Bench


@pytest.fixture
def engine(bench: Bench) -> Iterator[Engine]:
    del bench
    found = Engine.connect()
    yield found
    found.close()


def network(name: str = "l3conf-x", cidr: str = "172.30.0.0/24") -> NetworkPlan:
    whole = ip_network(cidr)
    subnet = Subnet(cidr=whole, handed_out=ip_network(f"{whole[64]}/26"), gateway=whole[254])
    return NetworkPlan(name=name, subnets=(subnet,), mtu=1400, labels=(("l3conf.io/lab", "x"),))


def container(name: str = "l3conf-x-router", **changed: object) -> ContainerPlan:
    plan = {"name": name, "image": NODE, "argv": ("sleep", "infinity"), "labels": {}, "networks": (("l3conf-x", ()),)}
    return ContainerPlan(**plan | changed)  # type: ignore[arg-type]


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_engine_that_is_not_there_is_named_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(MissingPrerequisiteError, match=r"none\.sock: docker does not answer: No such file.*start it"):
        Engine.connect()
    gc.collect()  # docker-py leaves the socket that found nobody to its finaliser


def test_networks_are_made_as_planned(engine: Engine, bench: Bench) -> None:
    engine.make_network(network())
    body = bench.engine.networks["l3conf-x"].body
    assert body["IPAM"]["Config"] == [
        {"Subnet": "172.30.0.0/24", "IPRange": "172.30.0.64/26", "Gateway": "172.30.0.254", "AuxiliaryAddresses": None}
    ]
    assert body["Options"] == {
        "com.docker.network.driver.mtu": "1400",
        "com.docker.network.bridge.enable_ip_masquerade": "false",
    }
    assert body["Labels"] == {"l3conf.io/lab": "x"}


def test_containers_have_no_more_rights_than_planned(engine: Engine, bench: Bench) -> None:
    engine.make_network(network())
    engine.run(container(capabilities=("NET_ADMIN",), sysctls={"net.ipv4.ip_forward": "1"}, user="0"))
    made = bench.engine.containers["l3conf-x-router"]
    host = made.config["HostConfig"]
    assert (host["CapDrop"], host["CapAdd"], host["Sysctls"]) == (["ALL"], ["NET_ADMIN"], {"net.ipv4.ip_forward": "1"})
    assert not host.get("Privileged")
    assert (made.config["Entrypoint"], made.config["Cmd"]) == (["sleep"], ["infinity"])
    assert made.networks["l3conf-x"]["IPAddress"] == "172.30.0.64"
    assert made.running


def test_containers_are_on_several_networks_with_addresses_of_their_own(engine: Engine, bench: Bench) -> None:
    engine.make_network(network())
    engine.make_network(network("l3conf-y", "172.31.0.0/24"))
    both = (("l3conf-x", (ip_address("172.30.0.1"),)), ("l3conf-y", (ip_address("172.31.0.3"),)))
    engine.run(container(networks=both))
    made = bench.engine.containers["l3conf-x-router"]
    assert [made.networks[name]["IPAddress"] for name in ("l3conf-x", "l3conf-y")] == ["172.30.0.1", "172.31.0.3"]


def test_an_address_that_is_taken_is_dockers_error_in_dockers_words(engine: Engine) -> None:
    engine.make_network(network())
    taken = (("l3conf-x", (ip_address("172.30.0.1"),)),)
    engine.run(container(networks=taken))
    with pytest.raises(LabError, match="l3conf-x-other: docker: Address already in use"):
        engine.run(container("l3conf-x-other", networks=taken))


def test_a_copy_of_a_container_has_its_settings_and_its_own_place(engine: Engine, bench: Bench) -> None:
    engine.make_network(network())
    body = {
        "Image": NODE,
        "Hostname": "w",
        "Labels": {"io.x-k8s.kind.role": "worker"},
        "Volumes": {"/var": {}},
        "HostConfig": {
            "NetworkMode": "l3conf-x",
            "Privileged": True,
            "Tmpfs": {"/run": ""},
            "PortBindings": {"1/tcp": []},
        },
    }
    bench.engine.create("w", body)
    engine.clone(engine.inspect("w"), "w2", "l3conf-x", [ip_address("172.30.0.128")])
    made = bench.engine.containers["w2"]
    assert (made.config["Hostname"], made.config["Volumes"], made.labels) == (
        "w2",
        {"/var": {}},
        {"io.x-k8s.kind.role": "worker"},
    )
    assert made.config["HostConfig"] == {**body["HostConfig"], "PortBindings": {}}  # type: ignore[dict-item]
    assert made.networks["l3conf-x"]["IPAddress"] == "172.30.0.128"


def test_removing_what_is_not_there_is_no_error(engine: Engine) -> None:
    engine.remove("l3conf-none")
    engine.remove_network("l3conf-none")
    assert not engine.has_image("none:1")
    assert engine.has_image(NODE)


def test_killing_what_has_ended_is_no_error(engine: Engine) -> None:
    engine.make_network(network())
    engine.run(container())
    engine.kill("l3conf-x-router")
    engine.kill("l3conf-x-router")


def test_what_docker_does_not_know_is_both_an_error_of_the_lab_and_a_lookup(engine: Engine) -> None:
    with pytest.raises(NotThereError, match="No such container: none"):
        engine.exec("none", ["true"], seconds=1)


def test_commands_have_exit_code_and_both_outputs(engine: Engine, bench: Bench) -> None:
    engine.make_network(network())
    engine.run(container())
    bench.engine.on_exec = lambda command: (3, f"ran {command.argv}", "and failed")
    assert engine.exec("l3conf-x-router", ["ip", "route"], seconds=5) == (3, "ran ['ip', 'route']", "and failed")
    with pytest.raises(LabError, match="l3conf-x-router: a script ended with 3: and failed"):
        engine.sh("l3conf-x-router", "ip route")


def test_a_command_that_docker_never_ends_is_given_up(
    engine: Engine, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "_EXEC_MARGIN", 0.2)
    engine.make_network(network())
    engine.run(container())
    over = threading.Event()

    def hang(_command: Command) -> tuple[int, str, str]:
        over.wait(20)
        return 0, "", ""

    bench.engine.on_exec = hang
    with pytest.raises(LabError, match=r"docker did not end a command within 0\.3 s"):
        engine.exec("l3conf-x-router", ["true"], seconds=0.1)
    over.set()


def test_a_stream_that_breaks_within_a_message_says_so(engine: Engine, bench: Bench) -> None:
    engine.make_network(network())
    engine.run(container())

    def half(command: Command) -> tuple[int, str, str] | None:
        assert command.stream is not None
        command.stream.sendall(frame(1, b"whole") + struct.pack("!BxxxI", 1, 100) + b"half")
        return None

    bench.engine.on_exec = half
    with pytest.raises(LabError, match="it ended within a message"):
        engine.exec("l3conf-x-router", ["true"], seconds=5)


@pytest.mark.parametrize(
    "answer",
    [b"", b'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{"Id": ', b"this is no HTTP\r\n\r\n"],
    ids=["nothing", "half", "garbage"],
)
def test_bad_answers_are_errors_of_the_lab(engine: Engine, bench: Bench, answer: bytes) -> None:
    bench.engine.raw["/containers/json"] = answer
    with pytest.raises(LabError, match="docker: "):
        engine.containers("l3conf.io/lab")


def test_an_engine_that_hangs_is_given_up(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "_API_SECONDS", 1.0)
    impatient = Engine.connect()
    bench.engine.delay = lambda _method, path: 3.0 if path == "/networks" else 0.0
    with pytest.raises(LabError, match=r"[Tt]imed out"):
        impatient.networks("l3conf.io/lab")
    impatient.close()


def test_a_refusal_is_in_dockers_words(engine: Engine, bench: Bench) -> None:
    bench.engine.refuse = lambda method, _path: Refusal(500, "no space left on device") if method == "POST" else None
    with pytest.raises(LabError, match="l3conf-x: docker: no space left on device"):
        engine.make_network(network())


def test_streams_carry_channels_both_ways() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        stream = ExecStream(ours, "here")
        stream.send_binary(b"\x00a request\n")
        assert theirs.recv(100) == b"a request\n"
        theirs.sendall(frame(1, b"a reply\n") + frame(2, b"") + frame(2, b"a word"))
        assert [stream.recv(), stream.recv(), stream.recv()] == [b"\x01a reply\n", b"\x02", b"\x02a word"]
        theirs.shutdown(socket.SHUT_WR)
        assert stream.recv() == b""
        stream.close()
        stream.close()
