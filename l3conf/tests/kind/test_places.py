"""Places of the kind lab: pods and objects, commands in pods, captures."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest

from l3conf.capture.pcap import file_header, read_pcap, record_header
from l3conf.errors import LabError, LabIncapableError
from l3conf.labs.kind import captures as captures_module
from l3conf.labs.kind.captures import Captures
from l3conf.labs.kind.objects import HOSTS_NAMESPACE, place_in, workload
from l3conf.labs.kind.pod_commands import exit_code, run_in_pod
from l3conf.tests.kind.conftest import topology
from l3conf.tests.kind.stub_values import frame

if TYPE_CHECKING:
    from l3conf.labs.kind.ground import Ground
    from l3conf.tests.kind.conftest import Bench
    from l3conf.tests.kind.stub_values import Command


def test_every_node_has_a_pod_of_its_own_range_and_one_in_its_own_network() -> None:
    objects = workload(topology("two-clusters").clusters[0])
    pods = [obj for obj in objects if obj["kind"] == "Pod"]
    hosts = [pod for pod in pods if pod["spec"].get("hostNetwork")]
    assert [pod["metadata"]["namespace"] for pod in hosts] == [HOSTS_NAMESPACE] * 3
    assert len(pods) == 6
    assert hosts[0]["spec"]["containers"][0]["env"][0] == {"name": "L3CONF_PLACE", "value": "east@east-1"}
    for pod in pods:
        security = pod["spec"]["containers"][0]["securityContext"]
        assert (security["runAsUser"], security["capabilities"]) == (0, {"drop": ["ALL"], "add": ["NET_RAW"]})


def test_places_are_pods() -> None:
    assert place_in("east/ns/pod-1", "east") == ("ns", "pod-1")
    assert place_in("east@n1", "east") == (HOSTS_NAMESPACE, "host-n1")
    assert place_in("east-2/ns/pod-1", "east") is None
    assert place_in("east", "east") is None


_ALONE = ("unshare", "--map-root-user", "--net")
STATUS = {"status": "Failure", "message": "command terminated with non-zero exit code"}


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ({"metadata": {}, "status": "Success"}, 0),
        ({**STATUS, "details": {"causes": [{"reason": "ExitCode", "message": "7"}]}}, 7),
    ],
)
def test_exit_codes_are_in_the_last_status(status: dict[str, Any], code: int) -> None:
    assert exit_code(json.dumps(status).encode(), "east/ns/pod") == code


def test_a_command_that_the_image_lacks_is_untestable_and_anything_else_an_error() -> None:
    missing = {**STATUS, "message": 'exec failed: "ip": executable file not found in $PATH'}
    with pytest.raises(LabIncapableError, match="the probe image has no such command"):
        exit_code(json.dumps(missing).encode(), "p")
    with pytest.raises(LabError, match="container not running"):
        exit_code(json.dumps({**STATUS, "message": "container not running"}).encode(), "p")
    with pytest.raises(LabError, match="exec ended with b'oops'"):
        exit_code(b"oops", "p")


class PaperAPI:
    name = "east"

    def __init__(self, *messages: bytes) -> None:
        self.messages = list(messages)
        self.argv: list[str] = []

    def open_exec(self, _namespace: str, _pod: str, argv: list[str]) -> PaperAPI:
        self.argv = argv
        return self

    def settimeout(self, _seconds: float) -> None:
        """Never wait."""

    def recv(self) -> bytes:
        if not self.messages:
            raise TimeoutError
        return self.messages.pop(0)

    def close(self, *, timeout: float) -> None:
        del timeout


def test_commands_in_pods_run_with_the_images_own_python() -> None:
    success = b'\x03{"status": "Success"}'
    api: Any = PaperAPI(b"\x01one ", b"\x02warned", b"\x01two", success)
    assert run_in_pod(api, "ns", "p", [sys.executable, "-m", "x"], timeout=5) == (0, "one two", "warned")
    assert api.argv == ["python3", "-m", "x"]


def test_commands_in_pods_that_do_not_end_are_given_up() -> None:
    api: Any = PaperAPI(b"\x01so far")
    assert run_in_pod(api, "ns", "p", ["sleep"], timeout=0.1) == (124, "so far", "not ended after 0.1 s")


def captured(*frames: bytes) -> bytes:
    return file_header() + b"".join(record_header(1, 2, len(each), len(each)) + each for each in frames)


class Listener:
    """A container that captures: its header, frames, and what it says at its end."""

    def __init__(self, *parts: bytes, said: bytes = b"", ends_at_once: bool = False) -> None:
        self.parts, self.said, self.terminated = parts, said, threading.Event()
        if ends_at_once:
            self.terminated.set()

    def __call__(self, command: Command) -> tuple[int, str, str] | None:
        if command.stream is None or ("l3conf.capture" not in command.argv and "/usr/bin/python3" not in command.argv):
            return 0, "", ""
        for part in self.parts:
            command.stream.sendall(frame(1, part))
        self.terminated.wait(20)
        if self.said:
            command.stream.sendall(frame(2, self.said))
        return None


def capturing(bench: Bench, listener: Listener) -> Captures:
    ground = bench.ground()
    ground.stand()
    bench.engine.on_exec = listener
    kill = bench.engine.killed

    def killed(name: str) -> None:
        listener.terminated.set()
        kill(name)

    bench.engine.killed = killed
    return Captures(ground)


def test_a_capture_of_the_wan_is_copied_as_it_comes(bench: Bench) -> None:
    whole = captured(b"a" * 60, b"b" * 70)
    captures = capturing(bench, Listener(whole[:30], whole[30:]))
    with captures.at("wan") as file:
        container = next(one for name, one in bench.engine.containers.items() if "capture" in name)
        network = bench.engine.networks[captures.ground.names.wan]
        assert container.config["HostConfig"]["NetworkMode"] == "host"
        assert container.config["HostConfig"]["CapAdd"] == ["NET_RAW"]
        assert container.config["Cmd"][-1] == f"br-{network.id[:12]}"
    with file.open("rb") as stream:
        assert [each.data for each in read_pcap(stream)] == [b"a" * 60, b"b" * 70]
    assert not any("capture" in name for name in bench.engine.containers)
    captures.ground.engine.close()


def test_a_capture_that_lost_frames_is_an_error(bench: Bench) -> None:
    captures = capturing(bench, Listener(captured(), said=b"3 frames lost, 0 left out"))
    with pytest.raises(LabError, match="the capture is not whole: 3 frames lost"), captures.at("wan"):
        pass
    captures.ground.engine.close()


def test_an_image_that_cannot_capture_is_untestable(bench: Bench) -> None:
    said = b"/usr/bin/python3: No module named l3conf.capture"
    captures = capturing(bench, Listener(said=said, ends_at_once=True))
    with (
        pytest.raises(LabIncapableError, match=r"nothing captures: .*No module named l3conf\.capture"),
        captures.at("wan"),
    ):
        pass
    captures.ground.engine.close()


def test_a_capture_that_never_begins_is_given_up(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(captures_module, "_BEGIN_SECONDS", 0.3)
    captures = capturing(bench, Listener(b""))
    with pytest.raises(LabError, match="has not begun"), captures.at("wan"):
        pass
    assert not any("capture" in name for name in bench.engine.containers)
    captures.ground.engine.close()


def test_pods_are_no_place_to_capture(ground: Ground) -> None:
    with pytest.raises(LabIncapableError, match="captures on the WAN and on nodes"), Captures(ground).at("east/ns/pod"):
        pass


def test_the_program_that_captures_writes_whole_frames_until_it_is_told_to_end() -> None:
    script = f"""
ip link set lo up
{sys.executable} -m l3conf.capture lo & pid=$!
sleep 1.5
{sys.executable} -c 'import socket as s; s.socket(s.AF_INET, s.SOCK_DGRAM).sendto(b"a payload", ("127.0.0.1", 9))'
sleep 0.3
kill $pid; wait $pid
"""
    done = subprocess.run([*_ALONE, "sh", "-c", script], capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert any(b"a payload" in each.data for each in read_pcap(BytesIO(done.stdout)))


def test_the_program_that_captures_names_what_it_cannot() -> None:
    words = [sys.executable, "-m", "l3conf.capture", "none0"]
    done = subprocess.run([*_ALONE, *words], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "none0" in done.stderr
    assert "Traceback" not in done.stderr
