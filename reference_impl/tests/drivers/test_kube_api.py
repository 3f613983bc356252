"""What agents say to an API server, and what they make of its answers, over real connections."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from reference_impl.drivers.api import APIError, ConflictError, NotFoundError, Resource
from reference_impl.drivers.kube_api import KubeAPI

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from reference_impl.drivers.api import Object

LAST = b"0\r\n\r\n"


def answer(body: Object, code: int = 200, *, farewell: bool = False) -> bytes:
    content = json.dumps(body).encode()
    close = "Connection: close\r\n" if farewell else ""
    return f"HTTP/1.1 {code} X\r\n{close}Content-Length: {len(content)}\r\n\r\n".encode() + content


def chunk(text: str) -> bytes:
    return f"{len(text):x}\r\n{text}\r\n".encode()


@dataclass
class Server:
    """Gives one answer after the other; None ends the connection without one."""

    answers: list[bytes | None]
    token: Path
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    """Request line, token and body."""
    connections: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while self.answers:
            try:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
            except asyncio.IncompleteReadError:
                break
            headers = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            self.asked.append((head.split(" HTTP")[0], headers["authorization"], body.decode()))
            said = self.answers.pop(0)
            if said is None:
                break
            writer.write(said)
            await writer.drain()
            if b"Connection: close" in said:
                break
        writer.close()


@asynccontextmanager
async def serving(directory: Path, *answers: bytes | None) -> AsyncIterator[tuple[Server, KubeAPI]]:
    token = directory / "token"
    token.write_text("first\n")
    server = Server(list(answers), token)
    async with await asyncio.start_server(server.serve, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        api = KubeAPI.from_parts(f"http://127.0.0.1:{port}", token, token)
        yield server, api
        await api.close()


def run(story: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(10):
            await story()

    asyncio.run(bounded())


def test_requests_share_a_connection_and_say_what_the_api_expects(tmp_path: Path) -> None:
    async def story() -> None:
        items = {"metadata": {"resourceVersion": "7"}, "items": [{"metadata": {"name": "a"}}]}
        async with serving(tmp_path, answer(items), answer({"a": 1}), answer({})) as (server, api):
            assert await api.list(Resource.LEASE, "ns", labels="x=y") == (
                [{"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "a"}}],
                "7",
            )
            assert await api.merge_status(Resource.NODE, "n", "", {"status": {}}) == {"a": 1}
            await api.delete(Resource.LEASE, "gone", "ns")
        lease = "/apis/coordination.k8s.io/v1/namespaces/ns/leases"
        assert server.asked == [
            (f"GET {lease}?labelSelector=x%3Dy", "bearer first", ""),
            ("PATCH /api/v1/nodes/n/status?fieldManager=submariner-reference", "bearer first", '{"status": {}}'),
            (f"DELETE {lease}/gone", "bearer first", ""),
        ]
        assert server.connections == 1

    run(story)


def test_a_list_is_read_to_its_last_page(tmp_path: Path) -> None:
    async def story() -> None:
        first = {"metadata": {"continue": "more", "resourceVersion": "7"}, "items": [{"metadata": {"name": "a"}}]}
        last = {"metadata": {"resourceVersion": "7"}, "items": [{"metadata": {"name": "b"}}]}
        async with serving(tmp_path, answer(first), answer(last)) as (server, api):
            items, version = await api.list(Resource.POD)
        assert ([each["metadata"]["name"] for each in items], version) == (["a", "b"], "7")
        assert server.asked[1][0] == "GET /api/v1/pods?continue=more"

    run(story)


@pytest.mark.parametrize(("code", "kind"), [(404, NotFoundError), (409, ConflictError), (403, APIError)])
def test_a_refusal_has_the_words_of_the_api_and_never_the_token(
    code: int, kind: type[APIError], tmp_path: Path
) -> None:
    async def story() -> None:
        async with serving(tmp_path, answer({"message": "because"}, code), answer({})) as (server, api):
            with pytest.raises(kind) as caught:
                await api.get(Resource.NODE, "n")
            assert (str(caught.value), caught.value.code) == ("Node n: because", code)
            await api.get(Resource.NODE, "n")
        assert server.connections == 1

    run(story)


@pytest.mark.parametrize(("said", "waited"), [("7", 7.0), ("99999", 3600.0), ("Fri, 27 Nov 2026 07:00:00 GMT", 0.0)])
def test_the_time_that_a_server_asks_for_is_kept(said: str, waited: float, tmp_path: Path) -> None:
    refusal = f"HTTP/1.1 429 X\r\nRetry-After: {said}\r\nContent-Length: 0\r\n\r\n".encode()

    async def story() -> None:
        async with serving(tmp_path, refusal) as (_, api):
            with pytest.raises(APIError) as refused:
                await api.get(Resource.NODE, "n")
            assert (refused.value.code, refused.value.retry_after) == (429, waited)

    run(story)


def test_a_token_that_was_replaced_is_read_again_when_the_old_one_is_refused(tmp_path: Path) -> None:
    async def story() -> None:
        async with serving(tmp_path, answer({}), answer({}, 401), answer({"a": 1}), answer({}, 401)) as (server, api):
            await api.get(Resource.NODE, "n")
            server.token.write_text("second")
            assert await api.get(Resource.NODE, "n") == {"a": 1}
            with pytest.raises(APIError, match="HTTP 401"):
                await api.get(Resource.NODE, "n")
        assert [token for _, token, _ in server.asked] == [
            f"bearer {each}" for each in ("first", "first", "second", "second")
        ]

    run(story)


def test_reading_is_tried_again_where_a_kept_connection_was_just_closed_and_writing_is_not(tmp_path: Path) -> None:
    async def story() -> None:
        async with serving(tmp_path, answer({}), None, answer({"a": 1}), None) as (server, api):
            await api.get(Resource.NODE, "n")
            assert await api.get(Resource.NODE, "n") == {"a": 1}
            with pytest.raises(APIError):
                await api.merge(Resource.NODE, "n", "", {})
        assert [line.split()[0] for line, *_ in server.asked] == ["GET", "GET", "GET", "PATCH"]

    run(story)


def test_a_connection_that_the_server_gives_up_is_not_used_again(tmp_path: Path) -> None:
    async def story() -> None:
        async with serving(tmp_path, answer({}, farewell=True), answer({})) as (server, api):
            for _ in range(2):
                await api.create(Resource.EVENT, {"metadata": {"name": "e", "namespace": "ns"}})
        assert server.connections == 2

    run(story)


def test_a_watch_yields_events_however_they_are_cut_and_ends_when_the_server_ends_it(tmp_path: Path) -> None:
    async def story() -> None:
        event = json.dumps({"type": "ADDED", "object": {"metadata": {"name": "a"}}}) + "\n"
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        stream = head + chunk(event[:9]) + chunk(event[9:] + event + event[:3]) + chunk(event[3:]) + LAST
        async with serving(tmp_path, stream) as (server, api):
            watch = api.watch(Resource.POD, "ns", "7", name="a", seconds=29)
            seen: list[tuple[str, Object]] = [each async for each in watch]
        assert seen == [("ADDED", {"metadata": {"name": "a"}})] * 3
        query = "watch=true&resourceVersion=7&fieldSelector=metadata.name%3Da&timeoutSeconds=29"
        assert server.asked[0][0] == f"GET /api/v1/namespaces/ns/pods?{query}"

    run(story)


def test_a_version_that_is_too_old_ends_a_watch_with_its_code(tmp_path: Path) -> None:
    async def story() -> None:
        gone = json.dumps({"type": "ERROR", "object": {"code": 410, "message": "too old"}}) + "\n"
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        async with serving(tmp_path, head + chunk(gone) + LAST) as (_, api):
            with pytest.raises(APIError, match="too old") as caught:
                await anext(api.watch(Resource.POD, "", "1"))
        assert caught.value.code == 410

    run(story)


@pytest.mark.parametrize("said", [b"rubbish\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"])
def test_an_answer_that_is_none_or_breaks_off_is_an_error_of_ours(said: bytes, tmp_path: Path) -> None:
    async def story() -> None:
        async with serving(tmp_path, said) as (_, api):
            with pytest.raises(APIError, match="Node n"):
                await api.get(Resource.NODE, "n")

    run(story)


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t")
    with pytest.raises(APIError, match="'nonsense' is not the URL"):
        KubeAPI.from_parts("nonsense", tmp_path / "token", tmp_path / "token")
    with pytest.raises(APIError, match="No such file"):
        KubeAPI.from_parts("http://127.0.0.1:1", tmp_path / "token", tmp_path / "missing")
