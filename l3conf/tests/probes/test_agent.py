"""The agent in a pod gives the same observations as the lab's fast path, and clear errors."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from l3conf.continuity import NumberedFlow, Position, continuity
from l3conf.observation import ORDINARY, Outcome, Protocol
from l3conf.probes import flow_messages, messages, packets, wire
from l3conf.tests.probes.ground import A, B, Ground, probe, routed_pair
from l3conf.tests.sandbox import sandboxed

if TYPE_CHECKING:
    from collections.abc import Iterator

BOUND = 20.0
POWERLESS = ("setpriv", "--no-new-privs", "--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all")
"""What runs a command with no capability, although its user is root in the sandbox."""


class Pod:
    """An agent that serves as place ``a`` of a ground."""

    def __init__(self, ground: Ground, directory: Path, *runner: str) -> None:
        """``runner``: a command that runs the server's own."""
        self.ground = ground
        self.env = {**os.environ, "L3CONF_PROBE_SOCKET": str(directory / "probe.sock"), "L3CONF_PLACE": "a"}
        with ground.a.entered():
            argv = [*runner, *self.argv("serve")]
            self.server = subprocess.Popen(argv, env=self.env, stdout=subprocess.PIPE, text=True)

    @staticmethod
    def argv(verb: str) -> list[str]:
        return [sys.executable, "-m", "l3conf.probes.agent", verb]

    def exec(self, verb: str, stdin: object) -> subprocess.CompletedProcess[str]:
        """Do what ``kubectl exec -i`` would."""
        text = stdin if isinstance(stdin, str) else json.dumps(stdin)
        return subprocess.run(
            self.argv(verb), env=self.env, input=text, capture_output=True, text=True, check=False, timeout=BOUND
        )

    def ask(self, verb: str, stdin: object) -> Any:  # noqa: ANN401 - a JSON value
        """Return the answer of a command that must succeed, while the ground's engine goes on serving b."""
        with subprocess.Popen(
            self.argv(verb), env=self.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as command:
            assert command.stdin is not None
            assert command.stdout is not None
            command.stdin.write(json.dumps(stdin))
            command.stdin.close()
            done: list[int] = []
            pidfd = os.pidfd_open(command.pid)
            self.ground.engine.poller.register(pidfd, 1, done.append)
            while not done:
                self.ground.engine.step(BOUND)
            self.ground.engine.poller.unregister(pidfd)
            os.close(pidfd)
            output = command.stdout.read()
        assert command.returncode == 0
        return json.loads(output) if output else None


@contextmanager
def agent_at_a(directory: Path, *runner: str) -> Iterator[Pod]:
    with routed_pair() as ground:
        ground.engine.remove_place("a")
        pod = Pod(ground, directory, *runner)
        with pod.server:
            try:
                assert pod.server.stdout is not None
                assert pod.server.stdout.readline() == "l3conf probe: serving UDP and TCP port 7100 as a\n"
                yield pod
            finally:
                pod.server.kill()


@sandboxed
def test_both_paths_observe_the_same(tmp_path: Path) -> None:
    asked = [
        *(probe(protocol=protocol) for protocol in Protocol),
        *(probe(protocol=protocol, ttl=1) for protocol in Protocol),
        probe(port=9),
        probe(port=9, protocol=Protocol.TCP),
        probe(size=1400, dont_fragment=True),
        probe(size=8972),
        probe(protocol=Protocol.TCP, size=1 << 16, write_size=999),
        probe(forged_source=A, timeout=0.1),
    ]
    with routed_pair() as ground:
        fast = [messages.observation_to_json(each) for each in ground.run(*asked)]
    with agent_at_a(tmp_path) as pod:
        slow = pod.ask("run", [messages.probe_to_json(each) for each in asked])
    assert {each["outcome"] for each in fast} == {"delivered", "refused", "ttl_exceeded", "too_big", "timeout"}
    luck = ("nonce", "rtt")
    assert [{k: v for k, v in each.items() if k not in luck} for each in slow] == [
        {k: v for k, v in each.items() if k not in luck} for each in fast
    ]


@sandboxed
def test_without_any_capability_a_pod_probes_over_every_ordinary_protocol(tmp_path: Path) -> None:
    """As the Pod Security Standard "restricted" leaves it, with its user among those that may ping."""
    with agent_at_a(tmp_path, *POWERLESS) as pod:
        status = Path(f"/proc/{pod.server.pid}/status").read_text()
        assert {line.split()[1] for line in status.splitlines() if line.startswith("Cap")} == {"0" * 16}
        (first,) = pod.ask("run", [messages.probe_to_json(probe(protocol=Protocol.ICMP))])
        assert first["outcome"] == "harness_error", "the control: the group range of a new namespace is empty"
        with pod.ground.a.entered():
            Path("/proc/sys/net/ipv4/ping_group_range").write_text("0 0")
        asked = [probe(protocol=protocol) for protocol in ORDINARY] + [
            probe(ttl=1),
            probe(size=1400, dont_fragment=True),
        ]
        seen = pod.ask("run", [messages.probe_to_json(each) for each in asked])
        assert [each["outcome"] for each in seen] == ["delivered"] * 3 + ["ttl_exceeded", "too_big"]
        (inward,) = pod.ground.run(probe(A, source="b"))
        assert inward.outcome is Outcome.DELIVERED


@sandboxed
def test_sightings_come_from_the_process_that_serves(tmp_path: Path) -> None:
    with agent_at_a(tmp_path) as pod:
        (seen,) = pod.ground.run(probe(A, source="b"))
        assert (seen.outcome, seen.responder) == (Outcome.DELIVERED, "a")
        (sighting,) = map(messages.sighting_from_json, pod.ask("sightings", [seen.nonce, "00" * 8]))
        assert (sighting.place, sighting.nonce, sighting.source) == ("a", seen.nonce, B)


@sandboxed
def test_raw_packets_are_emitted_from_the_pod(tmp_path: Path) -> None:
    with agent_at_a(tmp_path) as pod:
        packet = packets.udp_packet(A, B, wire.PORT, wire.encode_query(b"from pod", 40), ttl=None)
        pod.ask("raw", [base64.b64encode(packet).decode()])
        pod.ask("run", [messages.probe_to_json(probe(protocol=Protocol.ICMP))])
        assert len(pod.ground.engine.sightings("b", [b"from pod".hex()])) == 1


@sandboxed
def test_each_end_of_a_flow_is_recorded_by_its_own_pod(tmp_path: Path) -> None:
    flow = NumberedFlow(id="5e" * 8, source="a", destination=B, port=wire.PORT, receivers=("b",))
    with agent_at_a(tmp_path) as pod:
        pod.ground.engine.flows.start([flow])  # b's end: it has no place a, so it only receives
        pod.ask("start-flows", [flow_messages.flow_to_json(flow)])
        pod.ask("run", [messages.probe_to_json(probe())])
        pod.ask("stop-flows", [flow.id])
        (here,) = pod.ask("flows", [Position(flow.id)])
        (there,) = pod.ground.engine.flows.records([Position(flow.id)])
        sent = flow_messages.record_from_json(flow, here)
        assert len(sent.received) == len(there.emitted) == 0
        whole = replace(there, emitted=sent.emitted)
        assert len(whole.received) > 0
        assert continuity(whole).lost == 0
        pod.ask("forget-flows", [flow.id])
        assert pod.exec("flows", [Position(flow.id)]).returncode == 1


@sandboxed
def test_a_relay_carries_many_requests_over_one_stream(tmp_path: Path) -> None:
    with (
        agent_at_a(tmp_path) as pod,
        subprocess.Popen(
            pod.argv("relay"), env=pod.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        ) as relay,
    ):
        assert relay.stdin is not None
        assert relay.stdout is not None
        lost = messages.probe_to_json(probe(port=9, protocol=Protocol.TCP, timeout=0.2))
        relay.stdin.write(json.dumps({"id": 1, "do": "run", "probes": [lost] * 3}) + "\n")
        relay.stdin.write(json.dumps({"id": 2, "do": "hello"}) + "\n")
        relay.stdin.write(json.dumps({"id": 3, "do": "dance"}) + "\n")
        replies = {reply["id"]: reply for reply in (json.loads(relay.stdout.readline()) for _ in range(3))}
        assert [each["outcome"] for each in replies[1]["result"]] == ["refused"] * 3
        assert replies[2]["result"]["pid"] == pod.server.pid
        assert "dance" in replies[3]["error"]["what"]
        relay.stdin.close()
        assert relay.wait(BOUND) == 0


@sandboxed
def test_a_relay_ends_with_its_server(tmp_path: Path) -> None:
    with (
        agent_at_a(tmp_path) as pod,
        subprocess.Popen(
            pod.argv("relay"),
            env=pod.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as relay,
    ):
        assert relay.stdin is not None
        assert relay.stdout is not None
        relay.stdin.write(json.dumps({"id": 1, "do": "hello"}) + "\n")
        relay.stdin.flush()
        relay.stdout.readline()
        pod.server.kill()
        assert relay.wait(BOUND) == 1
        assert relay.stderr is not None
        assert "closed the connection" in relay.stderr.read()


@sandboxed
def test_sigterm_ends_the_server_and_removes_its_socket(tmp_path: Path) -> None:
    with agent_at_a(tmp_path) as pod:
        pod.server.send_signal(signal.SIGTERM)
        assert pod.server.wait(BOUND) == 143
        assert not (tmp_path / "probe.sock").exists()
        refused = pod.exec("run", [])
        assert refused.returncode == 1
        assert "no probe server" in refused.stderr


@pytest.mark.parametrize(
    ("verb", "stdin", "code", "said"),
    [
        ("run", "nonsense", 3, "not JSON"),
        ("run", "{}", 3, "list"),
        ("run", '[{"destination": "10.0.0.1"}]', 3, "source"),
        ("run", '[{"source": "a", "destination": "host", "port": 1}]', 3, "host"),
        ("run", '[{"source": "a", "destination": "10.0.0.1", "colour": 1}]', 3, "colour"),
        ("run", '[{"source": "a", "destination": "10.0.0.1", "timeout": "soon"}]', 3, "timeout"),
        ("run", '["a"]', 3, "stdin"),
        ("raw", '["?"]', 1, "base64"),
        ("relay", "nonsense\n", 3, "not JSON"),
        ("dance", "[]", 3, "serve, run, sightings, raw, start-flows"),
    ],
)
@sandboxed
def test_bad_input_gets_one_clear_line(tmp_path: Path, verb: str, stdin: str, code: int, said: str) -> None:
    with agent_at_a(tmp_path) as pod:
        done = pod.exec(verb, stdin)
        assert done.returncode == code
        assert said in done.stderr
        assert len(done.stderr.splitlines()) == 1
