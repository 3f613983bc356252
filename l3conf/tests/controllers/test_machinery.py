"""The work queue and the cache that every controller stands on."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING

from l3conf.emulator.apiserver.errors import StatusError
from l3conf.emulator.apiserver.server import APIServer
from l3conf.emulator.controllers.cache import Cache, Key
from l3conf.emulator.controllers.event_recorder import EventRecorder
from l3conf.emulator.controllers.work_queue import WorkQueue
from l3conf.tests.controllers.cluster import on_loop, pod

if TYPE_CHECKING:
    import pytest

    from l3conf.emulator.cluster_api import Object


def server() -> APIServer:
    return APIServer("east", service_cidrs=[IPv4Network("10.101.0.0/16")], addresses=[IPv4Address("172.16.1.2")])


def config_map(name: str, **data: str) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}, "data": data}


async def turns(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@on_loop
async def test_a_key_added_often_is_reconciled_once() -> None:
    done: list[str] = []
    queue: WorkQueue[str] = WorkQueue("test", done.append)
    for _ in range(5):
        queue.add("a")
        queue.add("b")
    await turns()
    assert done == ["a", "b"]


@on_loop
async def test_a_failing_key_is_retried_logged_once_and_holds_up_nobody(caplog: pytest.LogCaptureFixture) -> None:
    calls: list[str] = []
    enough = asyncio.Event()

    def reconcile(key: str) -> None:
        calls.append(key)
        if calls.count("bad") == 3:
            enough.set()
        if key == "bad":
            raise ValueError("broken")

    queue: WorkQueue[str] = WorkQueue("test", reconcile)
    with caplog.at_level(logging.WARNING):
        queue.add("bad")
        queue.add("good")
        await asyncio.wait_for(enough.wait(), 5)
    queue.close()
    assert calls[:2] == ["bad", "good"]
    assert [record.getMessage() for record in caplog.records] == ["test: bad: ValueError: broken"]


@on_loop
async def test_a_conflict_is_retried_without_a_word(caplog: pytest.LogCaptureFixture) -> None:
    calls: list[str] = []
    done = asyncio.Event()

    def reconcile(key: str) -> None:
        calls.append(key)
        if len(calls) == 1:
            raise StatusError(409, "Conflict", "modified")
        done.set()

    queue: WorkQueue[str] = WorkQueue("test", reconcile)
    with caplog.at_level(logging.WARNING):
        queue.add("a")
        await asyncio.wait_for(done.wait(), 5)
    assert not caplog.records


@on_loop
async def test_a_closed_queue_does_nothing() -> None:
    done: list[str] = []
    queue: WorkQueue[str] = WorkQueue("test", done.append)
    queue.add("a")
    queue.add_after("b", 0)
    queue.close()
    queue.add("c")
    await turns()
    assert not done


@on_loop
async def test_the_cache_knows_its_own_writes_at_once() -> None:
    cache = Cache(server().api)
    cache.watch("configmaps")
    await turns()
    created = cache.create("configmaps", config_map("a", x="1"))
    key = Key("default", "a")
    assert cache.get("configmaps", key) == created
    cache.patch("configmaps", key, {"data": {"x": "2"}})
    assert (cache.get("configmaps", key) or {})["data"] == {"x": "2"}
    cache.delete("configmaps", created)
    assert cache.get("configmaps", key) is None
    await turns()
    assert cache.get("configmaps", key) is None
    again = cache.create("configmaps", config_map("a", x="3"))
    await turns()
    assert (cache.get("configmaps", key) or {})["metadata"]["uid"] == again["metadata"]["uid"]


@on_loop
async def test_handlers_see_every_state_in_order() -> None:
    api = server().api
    cache = Cache(api)
    seen: list[tuple[str | None, str | None]] = []

    def data(obj: Object | None) -> str | None:
        return None if obj is None else obj["data"]["x"]

    def on_change(before: Object | None, after: Object | None) -> None:
        if (after or before or {})["metadata"]["name"] == "a":
            seen.append((data(before), data(after)))

    cache.watch("configmaps", on_change)
    api.create("configmaps", config_map("a", x="1"))
    cache.patch("configmaps", Key("default", "a"), {"data": {"x": "2"}})
    api.delete("configmaps", "a", "default")
    await turns()
    assert seen == [(None, "1"), ("1", "2"), ("2", None)]


@on_loop
async def test_repeated_events_are_counted() -> None:
    api = server().api
    about = api.create("pods", pod("p"))
    recorder = EventRecorder(api, "kubelet", host="n1", now=lambda: datetime(2026, 1, 1, tzinfo=UTC))
    for _ in range(3):
        recorder.record(about, "BackOff", "Back-off", warning=True)
    recorder.record(about, "Started", "Started container c")
    events = api.list("events", "default")
    assert [(item["reason"], item["type"], item["count"]) for item in events] == [
        ("BackOff", "Warning", 3),
        ("Started", "Normal", 1),
    ]
    assert events[0]["involvedObject"]["uid"] == about["metadata"]["uid"]
