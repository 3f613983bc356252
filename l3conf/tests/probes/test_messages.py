"""Probes and what came of them survive the way through JSON; what is no probe is refused with a reason."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l3conf.observation import Observation, Outcome, Probe, Protocol, Sighting
from l3conf.probes import control, messages

probes = st.builds(
    Probe,
    source=st.text(max_size=20),
    destination=st.ip_addresses(),
    port=st.integers(0, 65535),
    protocol=st.sampled_from(Protocol),
    size=st.integers(0, 1 << 24),
    timeout=st.floats(0.001, 100),
    ttl=st.none() | st.integers(1, 255),
    dont_fragment=st.booleans(),
    write_size=st.none() | st.integers(1, 1000),
    forged_source=st.none() | st.ip_addresses(),
)
observations = st.builds(
    Observation,
    probe=probes,
    outcome=st.sampled_from(Outcome),
    nonce=st.text("0123456789abcdef", min_size=16, max_size=16),
    seen_as=st.none() | st.ip_addresses(),
    responder=st.text(max_size=20),
    rtt=st.none() | st.floats(0, 10),
    reporter=st.none() | st.ip_addresses(),
    mtu=st.none() | st.integers(0, 65535),
    detail=st.text(max_size=20),
)
sightings = st.builds(
    Sighting,
    place=st.text(max_size=20),
    nonce=st.text("0123456789abcdef", min_size=16, max_size=16),
    source=st.ip_addresses(),
    protocol=st.sampled_from(Protocol),
    time=st.floats(0, 1e9),
)


@given(probes)
def test_a_probe_survives_json(probe: Probe) -> None:
    assert messages.probe_from_json(json.loads(json.dumps(messages.probe_to_json(probe)))) == probe


@given(observations)
def test_an_observation_survives_json(seen: Observation) -> None:
    assert (
        messages.observation_from_json(seen.probe, json.loads(json.dumps(messages.observation_to_json(seen)))) == seen
    )


@given(sightings)
def test_a_sighting_survives_json(sighting: Sighting) -> None:
    assert messages.sighting_from_json(json.loads(json.dumps(messages.sighting_to_json(sighting)))) == sighting


def test_every_field_of_a_probe_has_its_json_type() -> None:
    assert {each.name for each in fields(Probe)} == set(messages._PROBE_FIELDS)


json_values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.integers())


@given(st.dictionaries(st.sampled_from([each.name for each in fields(Probe)]) | st.text(max_size=5), json_values))
def test_no_json_object_does_worse_than_be_refused(value: dict[str, Any]) -> None:
    probe = None
    with suppress(ValueError):
        probe = messages.probe_from_json(value)
    assert probe is None or isinstance(probe.timeout, int | float)


@given(st.lists(st.dictionaries(st.text(max_size=5), st.integers()), max_size=5), st.integers(1, 50))
def test_frames_are_cut_the_same_however_they_arrive(values: list[dict[str, int]], piece: int) -> None:
    stream = b"".join(map(control.frame, values))
    buffer, cut = bytearray(), []
    for start in range(0, len(stream), piece):
        buffer += stream[start : start + piece]
        cut += control.cut(buffer)
    assert cut == values
    assert not buffer


def test_a_frame_that_announces_too_much_is_refused() -> None:
    with pytest.raises(ValueError, match="frame of"):
        control.cut(bytearray(b"\xff\xff\xff\xff"))
