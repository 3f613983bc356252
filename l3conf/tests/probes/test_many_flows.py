"""Many flows from one host: every one is told apart, and one that is not answered is named."""

from __future__ import annotations

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address

from l3conf.probes.many_flows import Asked, Question, ask, from_json, to_json
from l3conf.probes.wire import PORT
from l3conf.tests.probes.ground import A, B, Ground, load, routed_pair, run_in
from l3conf.tests.sandbox import sandboxed

PORTS = range(2000, 2300)


def test_an_answer_survives_its_json() -> None:
    one, other = ip_address("100.64.0.2"), ip_address("100.64.0.3")
    asked = Asked({7: (one, 70), 65535: (other, 65535)}, frozenset({9}), frozenset({7}))
    assert from_json(json.loads(json.dumps(to_json(asked)))) == asked


def test_a_question_is_not_asked_twice_at_once() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        question = Question(ours, 7, b"who am I?", 2.0, 1.0)
        question.ask(1.0)
        assert question.again > 1.0
        assert theirs.recv(100) == b"who am I?"


@sandboxed
def test_every_port_is_seen_and_one_that_is_in_use_is_left_out() -> None:
    with routed_pair() as ground:
        asked = _ask_beside(ground, PORTS, 250)
    assert asked.seen == {port: (A, port) for port in PORTS[:250]}
    assert (asked.unanswered, asked.changed) == (frozenset(), frozenset())


@sandboxed
def test_flows_that_find_no_port_on_their_way_are_named() -> None:
    with routed_pair() as ground:
        load(ground.router, "nat hook postrouting priority 100", f"udp dport {PORT} snat to 10.0.2.1:3000-3199")
        asked = _ask_beside(ground, PORTS, len(PORTS))
    assert len(asked.seen) == len({*asked.seen.values()}) == 200
    assert len(asked.unanswered) == 100


@sandboxed
def test_a_server_that_was_busy_for_longer_than_a_flow_has_is_asked_once_more() -> None:
    with routed_pair() as ground:
        asked = _ask_beside(ground, PORTS, 250, patience=0.5, busy=0.8)
    assert len(asked.seen) == 250
    assert asked.unanswered == frozenset()


def _ask_beside(ground: Ground, ports: range, count: int, *, patience: float = 2.0, busy: float = 0.0) -> Asked:
    """Ask from ``a`` in a thread, while this one serves, but for the first seconds."""
    if busy:  # what comes meanwhile is gone, as from a buffer that ran over
        load(ground.router, "filter hook forward priority 0", f"udp dport {PORT} drop")

    def inside() -> Asked:
        with ground.a.entered():
            return ask((str(B), PORT), ports, count, patience=patience, pause=0.2)

    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(inside)
        if busy:
            time.sleep(busy)
            run_in(ground.router, "nft flush table ip t")
        while not answer.done():
            ground.engine.step(0.01)
        return answer.result()
