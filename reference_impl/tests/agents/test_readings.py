"""Objects are read once, and again when they are others."""

from __future__ import annotations

from typing import Any

from reference_impl.agents.readings import Readings
from reference_impl.protocols.object_codec import MalformedObjectError


def _object(name: str) -> dict[str, Any]:
    return {"kind": "Cluster", "metadata": {"name": name}, "spec": {"cluster_id": name}}


def test_an_object_is_read_once_and_its_successor_anew() -> None:
    read: list[str] = []

    def parse(obj: dict[str, Any]) -> str:
        read.append(obj["metadata"]["name"])
        return str(obj["metadata"]["name"])

    readings = Readings(parse)
    east, west = _object("east"), _object("west")
    assert readings.of([east, west]) == (("east", "west"), ())
    assert readings.of([west, east]) == (("west", "east"), ())
    assert read == ["east", "west"]
    assert readings.of([_object("east"), west]) == (("east", "west"), ())
    assert read == ["east", "west", "east"]


def test_what_is_not_asked_about_is_forgotten() -> None:
    read: list[str] = []
    readings = Readings(lambda obj: read.append(obj["metadata"]["name"]))
    east = _object("east")
    for objects in ([east], [], [east]):
        readings.of(objects)
    assert read == ["east", "east"]


def test_what_cannot_be_read_is_a_refusal_every_time() -> None:
    def parse(obj: dict[str, Any]) -> str:
        if obj["metadata"]["name"] == "odd":
            raise MalformedObjectError("subnets is empty")
        return "value"

    readings = Readings(parse)
    objects = [_object("odd"), _object("east")]
    for _ in range(2):
        values, (refusal,) = readings.of(objects)
        assert values == ("value",)
        assert (refusal.cluster_id, refusal.reason) == ("odd", "Malformed")
        assert "Cluster odd: subnets is empty" in refusal.message
