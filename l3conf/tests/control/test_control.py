"""The control socket, both ends for real."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l3conf.emulator.control.client import ControlClient
from l3conf.emulator.control.framing import Decoder, encode
from l3conf.emulator.control.server import Connection, ControlServer
from l3conf.emulator.ground.state import CONTROL_SOCKET
from l3conf.errors import LabError, LabGoneError, UserError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from l3conf.emulator.control.server import Method

MESSAGES = st.lists(st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=20), max_size=3), max_size=5)


@given(MESSAGES, st.integers(min_value=1, max_value=50))
def test_messages_survive_any_cutting_of_the_stream(messages: list[dict[str, Any]], piece: int) -> None:
    stream = b"".join(encode(message) for message in messages)
    decoder = Decoder()
    received = [
        message for start in range(0, len(stream), piece) for message in decoder.feed(stream[start : start + piece])
    ]
    assert received == messages


def test_an_impossible_length_is_refused_before_anything_is_kept() -> None:
    with pytest.raises(LabError, match="4294967295 bytes"):
        Decoder().feed(b"\xff\xff\xff\xff")


async def _with_client(directory: Path, methods: dict[str, Method], work: Callable[[ControlClient], Any]) -> Any:  # noqa: ANN401
    server = ControlServer(directory / CONTROL_SOCKET, methods)
    server.start()

    def run() -> Any:  # noqa: ANN401
        with ControlClient(directory) as client:
            return work(client)

    try:
        return await asyncio.wait_for(asyncio.to_thread(run), 10)
    finally:
        await server.stop()


async def _echo(_connection: Connection, params: dict[str, Any], _descriptors: list[int]) -> object:
    return params


async def _write(_connection: Connection, _params: dict[str, Any], descriptors: list[int]) -> object:
    os.write(descriptors[0], b"written by the lab")
    return None


async def _refuse(_connection: Connection, _params: dict[str, Any], _descriptors: list[int]) -> object:
    raise UserError("no such place", where="east", remedy="try west")


async def _break(_connection: Connection, _params: dict[str, Any], _descriptors: list[int]) -> object:
    raise ZeroDivisionError


def test_a_call_is_answered_whatever_its_size(tmp_path: Path) -> None:
    params = {"text": "x" * 3_000_000}
    assert asyncio.run(_with_client(tmp_path, {"echo": _echo}, lambda client: client.call("echo", params))) == params


def test_descriptors_travel_with_a_call(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    asyncio.run(_with_client(tmp_path, {"write": _write}, lambda client: client.call("write", descriptors=(writing,))))
    os.close(writing)
    with os.fdopen(reading) as reader:
        assert reader.read() == "written by the lab"


def test_a_users_mistake_arrives_as_one_with_place_and_remedy(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"east: no such place \(try west\)"):
        asyncio.run(_with_client(tmp_path, {"refuse": _refuse}, lambda client: client.call("refuse")))


def test_a_bug_in_the_lab_is_the_labs_fault(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="ZeroDivisionError"):
        asyncio.run(_with_client(tmp_path, {"break": _break}, lambda client: client.call("break")))


def test_an_unknown_call_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="knows no call 'nonsense'"):
        asyncio.run(_with_client(tmp_path, {}, lambda client: client.call("nonsense")))


def test_hanging_up_undoes_what_the_connection_started(tmp_path: Path) -> None:
    async def scenario() -> None:
        undone = asyncio.Event()

        async def undo() -> None:
            undone.set()

        async def begin(connection: Connection, _params: dict[str, Any], _descriptors: list[int]) -> object:
            connection.on_close.append(undo)
            return None

        await _with_client(tmp_path, {"begin": begin}, lambda client: client.call("begin"))
        await asyncio.wait_for(undone.wait(), 10)

    asyncio.run(scenario())


def test_a_lab_that_is_not_there_is_gone(tmp_path: Path) -> None:
    with pytest.raises(LabGoneError, match="cannot reach the lab"):
        ControlClient(tmp_path)


def test_after_a_call_without_answer_every_other_names_that_one(tmp_path: Path) -> None:
    """What a caller undoes on its way out must not hide why it left."""

    async def hang(_connection: Connection, _params: dict[str, Any], _descriptors: list[int]) -> object:
        await asyncio.sleep(5)
        return None

    def work(client: ControlClient) -> None:
        for method in ("hang", "echo"):
            with pytest.raises(LabGoneError, match=r"did not answer 'hang' within 0\.1 s"):
                client.call(method, timeout=0.1)

    asyncio.run(_with_client(tmp_path, {"hang": hang, "echo": _echo}, work))
