"""Conversations with probe pods over streams that answer late, break, and never answer."""

from __future__ import annotations

import json
import queue
import threading
import time
from typing import Any

import pytest

from l3conf.errors import LabError
from l3conf.labs.existing.sessions import PodSession

STDIN, STDOUT, STDERR, ERROR = range(4)
AHEAD = 1000.0


class PaperStream:
    """The far end of an exec: answers as a relay would, in pieces of a few bytes."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.deaf = False
        self._sent = b""
        self._messages: queue.Queue[bytes] = queue.Queue()

    def send_binary(self, payload: bytes) -> int:
        assert payload[0] == STDIN
        *lines, self._sent = (self._sent + payload[1:]).split(b"\n")
        for line in lines:
            request = json.loads(line)
            self.asked.append(request)
            if request["do"] == "hello":
                self.say(STDOUT, self.line(request, {"pid": 1, "time": time.monotonic() + AHEAD}))
            elif not self.deaf:
                self.say(STDOUT, self.line(request, {"of": request["do"]}))
        return len(payload)

    @staticmethod
    def line(request: dict[str, Any], result: object) -> bytes:
        return json.dumps({"id": request["id"], "result": result}).encode() + b"\n"

    def say(self, channel: int, data: bytes) -> None:
        for start in range(0, len(data), 7):
            self._messages.put(bytes((channel,)) + data[start : start + 7])

    def recv(self) -> bytes:
        return self._messages.get()

    def close(self, *, timeout: float) -> None:
        assert timeout == 0, "whoever takes away what a run made waits for nobody"
        self._messages.put(b"")


def session(*streams: PaperStream, patience: float = 5.0) -> PodSession:
    left = list(streams)
    return PodSession("east/ns/probe-n1", lambda: left.pop(0), patience=patience)


def test_a_request_is_answered_by_its_own_reply() -> None:
    stream = PaperStream()
    asking = session(stream)
    replies = [asking.begin(f"work-{number}") for number in range(20)]
    assert [asking.result(reply)["of"] for reply in replies] == [f"work-{number}" for number in range(20)]


def test_the_pods_clock_is_measured() -> None:
    asking = session(PaperStream())
    asking.ask("work")
    assert abs(asking.offset - AHEAD) < 1.0


def test_a_stream_that_ended_is_opened_again_at_the_next_request() -> None:
    first, second = PaperStream(), PaperStream()
    asking = session(first, second)
    asking.ask("one")
    first.close(timeout=0)
    deadline = time.monotonic() + 5
    while asking._stream is not None:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    assert asking.ask("two") == {"of": "two"}
    assert [request["do"] for request in second.asked] == ["hello", "two"]


def test_what_was_under_way_when_a_stream_ended_is_told_why() -> None:
    stream = PaperStream()
    asking = session(stream)
    asking.ask("one")
    stream.deaf = True
    reply = asking.begin("never answered")
    stream.say(STDERR, b"no probe server\n")
    stream.close(timeout=0)
    with pytest.raises(LabError, match=r"east/ns/probe-n1: the stream .*no probe server"):
        asking.result(reply)


def test_an_answer_that_does_not_come_is_a_fault_of_the_ground() -> None:
    stream = PaperStream()
    asking = session(stream, patience=0.05)
    asking.ask("one")
    stream.deaf = True
    with pytest.raises(LabError, match="does not answer"):
        asking.ask("two")


def test_an_error_in_the_pod_is_raised_here() -> None:
    stream = PaperStream()
    asking = session(stream)
    asking.ask("one")
    stream.deaf = True
    reply = asking.begin("sightings")
    error = {"what": "nothing listens here", "where": "p", "remedy": ""}
    stream.say(STDOUT, json.dumps({"id": stream.asked[-1]["id"], "error": error}).encode() + b"\n")
    with pytest.raises(LabError, match="nothing listens here"):
        asking.result(reply)


def test_many_threads_share_a_stream() -> None:
    asking = session(PaperStream())
    said: list[str] = []
    threads = [threading.Thread(target=lambda n=number: said.append(asking.ask(f"w{n}")["of"])) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert sorted(said) == sorted(f"w{number}" for number in range(16))


def test_closing_ends_the_relay_and_twice_is_once() -> None:
    asking = session(PaperStream())
    asking.ask("one")
    asking.close()
    asking.close()
