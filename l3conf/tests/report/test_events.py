"""Event files keep what was written whole, and say what was not."""

from __future__ import annotations

import threading
from collections import deque
from pathlib import Path

import pytest

from l3conf.errors import LabError
from l3conf.report.events import (
    MAX_TEXT,
    EventWriter,
    HarnessFailed,
    RunStarted,
    TestFinished,
    WorkerFinished,
    parse_events,
    read_events,
)

EVENTS = (
    RunStarted(tests={"a.py::test": ["L3-F1"]}),
    TestFinished(test="a.py::test", rows=["L3-F1"], outcome="pass", measured={"T_join": 1.5}),
    WorkerFinished(exit_code=0),
)


def write(path: Path) -> None:
    with EventWriter(path) as writer:
        for event in EVENTS:
            writer.write(event)


def test_events_come_back_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "events" / "gw0.jsonl"
    write(path)
    read = read_events(path)
    assert (read.worker, read.events, read.problems) == ("gw0", EVENTS, ())


def test_every_cut_of_a_file_is_noticed_and_harms_only_what_was_cut(tmp_path: Path) -> None:
    path = tmp_path / "gw0.jsonl"
    write(path)
    raw = path.read_bytes()
    for end in range(len(raw)):
        read = parse_events("gw0", raw[:end])
        assert read.problems
        assert read.events == EVENTS[: raw[:end].count(b"\n")]


def test_a_line_that_is_no_event_is_a_problem_not_a_crash() -> None:
    lines = [b"[]", b'{"event": "unheard-of", "time": 0}', b'{"event": "worker-finished", "time": 0, "exit_code": 0}']
    read = parse_events("gw0", b"\n".join(lines) + b"\n")
    assert read.events == (WorkerFinished(exit_code=0),)
    assert len(read.problems) == 2


def test_threads_do_not_tear_each_others_lines(tmp_path: Path) -> None:
    path = tmp_path / "gw0.jsonl"
    with EventWriter(path) as writer:
        event = HarnessFailed(message="x" * 5000)
        threads = [threading.Thread(target=lambda: deque(map(writer.write, [event] * 20), 0)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        writer.write(WorkerFinished(exit_code=0))
    read = read_events(path)
    assert (len(read.events), read.problems) == (81, ())


def test_long_messages_are_cut_and_say_so(tmp_path: Path) -> None:
    path = tmp_path / "gw0.jsonl"
    with EventWriter(path) as writer:
        writer.write(HarnessFailed(message="x" * (MAX_TEXT + 10)))
    event = read_events(path).events[0]
    assert isinstance(event, HarnessFailed)
    assert event.message.endswith("… (10 characters more)")


def test_a_full_disk_is_a_fault_of_the_lab() -> None:
    with EventWriter(Path("/dev/full")) as writer, pytest.raises(LabError, match="an event is lost"):
        writer.write(WorkerFinished(exit_code=0))


def test_a_directory_that_cannot_be_made_is_a_fault_of_the_lab(tmp_path: Path) -> None:
    (tmp_path / "events").write_text("")
    with pytest.raises(LabError, match="cannot be recorded"):
        EventWriter(tmp_path / "events" / "gw0.jsonl")


@pytest.mark.parametrize("outcome", ["passed", "exempt", ""])
def test_only_verdicts_of_tests_are_outcomes(outcome: str) -> None:
    with pytest.raises(ValueError, match="no outcome"):
        TestFinished(test="t", rows=[], outcome=outcome)
