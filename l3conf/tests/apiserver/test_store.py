"""Laws of the store: whoever lists and then watches knows what a new list says."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l3conf.emulator.apiserver.errors import StatusError
from l3conf.emulator.apiserver.listing import list_objects
from l3conf.emulator.apiserver.options import ListQuery
from l3conf.emulator.apiserver.registry import Registry
from l3conf.emulator.apiserver.store import MEMORY, Key, Store
from l3conf.emulator.apiserver.watching import Watch

if TYPE_CHECKING:
    from l3conf.emulator.cluster_api import Object

CONFIG_MAPS = Registry().named("configmaps")
_names = st.sampled_from(["a", "b", "c"])
_changes = st.lists(
    st.tuples(st.sampled_from(["put", "remove"]), _names, st.sampled_from(["red", "blue"])), max_size=30
)


def change(store: Store, verb: str, name: str, colour: str) -> None:
    key = Key("default", name)
    if verb == "put":
        metadata = {"name": name, "namespace": "default", "labels": {"colour": colour}}
        obj: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
        store.put("configmaps", key, obj)
    elif store.get("configmaps", key) is not None:
        store.remove("configmaps", key)


def listed(store: Store, query: ListQuery) -> dict[str, Any]:
    return {obj["metadata"]["name"]: obj for obj in list_objects(store, CONFIG_MAPS, None, query).items}


@given(_changes, st.integers(0, 30), st.sampled_from(["", "colour=red", "colour!=red"]))
def test_a_list_and_the_watch_from_its_version_make_the_newest_list(
    changes: list[tuple[str, str, str]], split: int, selector: str
) -> None:
    async def replay() -> None:
        store, query = Store(), ListQuery(label_selector=selector)
        for step in changes[:split]:
            change(store, *step)
        known, version = listed(store, query), store.version
        for step in changes[split:]:
            change(store, *step)
        watch = Watch(store, CONFIG_MAPS, None, query, after=version)
        for seen in await watch.next(0):
            name = seen.obj["metadata"]["name"]
            assert (name in known) == (seen.type != "ADDED")
            known.pop(name, None)
            if seen.type != "DELETED":
                known[name] = seen.obj
        watch.close()
        assert known == listed(store, query)

    asyncio.run(replay())


@given(_changes)
def test_versions_only_grow(changes: list[tuple[str, str, str]]) -> None:
    store, versions = Store(), list[int]()
    store.watch("configmaps", lambda event: versions.append(event.version))
    for step in changes:
        change(store, *step)
    assert versions == sorted(set(versions))


@given(_changes, st.integers(1, 4))
def test_pages_make_the_whole_list(changes: list[tuple[str, str, str]], limit: int) -> None:
    store = Store()
    for step in changes:
        change(store, *step)
    found: list[Object] = []
    page = list_objects(store, CONFIG_MAPS, None, ListQuery(limit=limit))
    found += page.items
    while page.token:
        assert len(page.items) == limit
        page = list_objects(store, CONFIG_MAPS, None, ListQuery(limit=limit, token=page.token))
        found += page.items
    assert found == list_objects(store, CONFIG_MAPS, None, ListQuery()).items


def test_history_that_is_gone_is_expired_not_skipped() -> None:
    store = Store(history=3)
    first = store.version
    for index in range(5):
        change(store, "put", f"m{index}", "red")
    with pytest.raises(StatusError) as refused:
        store.since("configmaps", first)
    assert (refused.value.code, refused.value.reason) == (410, "Expired")
    assert len(list(store.since("configmaps", store.version - 3))) == 3


def test_changes_are_forgotten_after_some_minutes_and_the_latest_never() -> None:
    now = [0.0]
    store = Store(clock=lambda: now[0])
    first = store.version
    for index in range(3):
        now[0] = index * MEMORY / 2
        change(store, "put", f"m{index}", "red")
    assert len(list(store.since("configmaps", first))) == 3
    now[0] *= 2
    change(store, "put", "m", "red")
    with pytest.raises(StatusError, match="too old resource version"):
        store.since("configmaps", store.version - 3)
    assert len(list(store.since("configmaps", store.version - 2))) == 2


def test_a_version_from_the_future_is_a_timeout() -> None:
    store = Store()
    with pytest.raises(StatusError, match="Too large resource version"):
        store.since("configmaps", store.version + 1)


def test_a_client_too_slow_for_its_queue_is_cut_off() -> None:
    async def lag() -> None:
        store = Store()
        watch = Watch(store, CONFIG_MAPS, None, ListQuery(), after=store.version, limit=3)
        for index in range(4):
            change(store, "put", f"m{index}", "red")
        assert watch.overflowed
        assert watch.closed
        assert await watch.next(0) == []

    asyncio.run(lag())


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("", "abc"),
        ("colour=red", "ab"),
        ("colour==red,size!=s", "b"),
        ("size in (s, m)", "ac"),
        ("size notin (s)", "bc"),
        ("size", "ac"),
        ("!size", "b"),
        ("colour in (red),!size", "b"),
    ],
)
def test_label_selectors_choose(selector: str, names: str) -> None:
    store = Store()
    for name, labels in (("a", {"colour": "red", "size": "s"}), ("b", {"colour": "red"}), ("c", {"size": "m"})):
        obj: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": labels}}
        store.put("configmaps", Key("default", name), obj)
    assert "".join(listed(store, ListQuery(label_selector=selector))) == names


@pytest.mark.parametrize("query", [ListQuery(label_selector="a=b=c("), ListQuery(field_selector="spec.x=1")])
def test_selectors_that_mean_nothing_are_bad_requests(query: ListQuery) -> None:
    with pytest.raises(StatusError) as refused:
        list_objects(Store(), CONFIG_MAPS, None, query)
    assert refused.value.code == 400
