"""When a key is replaced, and when it is not."""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING

import pytest

from reference_impl.agents.rotation import Rotation, demand_of, is_due
from reference_impl.drivers.fake_api import FakeAPI
from reference_impl.drivers.key_file import KeyRing, load_or_make
from reference_impl.names import ROTATE_KEYS

if TYPE_CHECKING:
    from pathlib import Path

    from reference_impl.drivers.api import Object


def cluster(demand: str) -> Object:
    return {"metadata": {"name": "east", "annotations": {ROTATE_KEYS: demand}}}


@pytest.mark.parametrize(
    ("demand", "answered", "age", "due"),
    [
        ("", "", 1.0, False),
        ("now", "", 1.0, True),
        ("now", "now", 1.0, False),
        ("again", "now", 1.0, True),
        ("", "now", 1.0, False),
        ("", "", 11.0, True),
        ("now", "now", 11.0, True),
    ],
)
def test_a_key_goes_once_per_demand_and_when_it_is_old(demand: str, answered: str, age: float, due: bool) -> None:  # noqa: FBT001
    assert is_due(demand, answered, age, lifetime=10.0) is due


def test_who_holds_the_ring_sees_the_new_key_and_so_does_a_restarted_agent(tmp_path: Path) -> None:
    async def story() -> None:
        ring = KeyRing(tmp_path / "key")
        rotation, first = Rotation(ring, FakeAPI(), "broker"), ring.public
        assert not await rotation.step(None)
        assert await rotation.step(cluster("1"))
        assert ring.public != first
        assert not await rotation.step(cluster("1"))
        restarted = KeyRing(tmp_path / "key")
        assert restarted.public == ring.public
        assert not await Rotation(restarted, FakeAPI(), "broker").step(cluster("1"))
        assert await rotation.step(cluster("2"))
        assert load_or_make(tmp_path / "key").private == ring.private

    asyncio.run(story())
    assert {path.stat().st_mode & 0o077 for path in tmp_path.iterdir()} == {0}


def test_nothing_is_replaced_while_nobody_could_be_told(tmp_path: Path) -> None:
    async def story() -> None:
        ring, broker = KeyRing(tmp_path / "key"), FakeAPI()
        rotation, first = Rotation(ring, broker, "broker"), ring.public
        broker.reachable = False
        assert not await rotation.step(cluster("1"))
        assert ring.public == first
        broker.reachable = True
        assert await rotation.step(cluster("1"))

    asyncio.run(story())


def test_an_old_key_goes_by_itself(tmp_path: Path) -> None:
    async def story() -> None:
        ring = KeyRing(tmp_path / "key")
        long_ago = time.time() - 100
        os.utime(tmp_path / "key", (long_ago, long_ago))
        rotation = Rotation(ring, FakeAPI(), "broker", lifetime=99)
        assert await rotation.step(None)
        assert not await rotation.step(None)

    asyncio.run(story())


def test_a_cluster_without_annotations_demands_nothing() -> None:
    assert demand_of(None) == demand_of({"metadata": {"name": "east"}}) == ""
