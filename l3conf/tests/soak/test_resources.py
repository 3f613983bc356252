"""Whatever is held more, or less, than before is named."""

from __future__ import annotations

from dataclasses import replace

import pytest

from l3conf.soak.resources import ProcessUse, Resources, counted, gathered, leaks

BEFORE = Resources(
    kernel={"east@east-1": {"route": 12, "nft": 30}},
    objects={"east": {"v1/pods": 9}, "broker": {"submariner.io/v1/endpoints": 3}},
    processes={"agent": ProcessUse(count=3, descriptors=20, rss_mb=40.0)},
    namespaces=14,
)


def test_the_same_is_no_leak_and_processes_may_breathe() -> None:
    assert leaks(BEFORE, BEFORE) == []
    breathing = replace(BEFORE, processes={"agent": ProcessUse(count=3, descriptors=25, rss_mb=60.0)})
    assert leaks(BEFORE, breathing) == []


@pytest.mark.parametrize(("descriptors", "leaked"), [(188, False), (201, False), (202, True)])
def test_a_lab_with_many_clients_may_have_an_eighth_more_descriptors(descriptors: int, *, leaked: bool) -> None:
    lab = ProcessUse(count=1, descriptors=179, rss_mb=160.0)
    now = replace(BEFORE, processes={"lab": replace(lab, descriptors=descriptors)})
    assert bool(leaks(replace(BEFORE, processes={"lab": lab}), now)) is leaked


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (replace(BEFORE, kernel={"east@east-1": {"route": 13, "nft": 30}}), "east@east-1: 13 route instead of 12"),
        (replace(BEFORE, kernel={"east@east-1": {"route": 12}}), "east@east-1: 0 nft instead of 30"),
        (replace(BEFORE, objects={**BEFORE.objects, "east": {"v1/pods": 10}}), "east: 10 v1/pods instead of 9"),
        (replace(BEFORE, namespaces=15), "lab: 15 network namespaces instead of 14"),
        (
            replace(BEFORE, processes={"agent": ProcessUse(count=4, descriptors=20, rss_mb=40.0)}),
            "agent: 4 processes instead of 3",
        ),
        (replace(BEFORE, processes={}), "agent: 0 processes instead of 3"),
        (
            replace(BEFORE, processes={"agent": ProcessUse(count=3, descriptors=90, rss_mb=40.0)}),
            "agent: 90 file descriptors, 20 before",
        ),
        (
            replace(BEFORE, processes={"agent": ProcessUse(count=3, descriptors=20, rss_mb=400.0)}),
            "agent: 400 MB, 40 before",
        ),
    ],
)
def test_a_leak_is_named(now: Resources, said: str) -> None:
    assert leaks(BEFORE, now) == [said]


def test_states_and_processes_are_counted() -> None:
    assert counted({"route/254/10.0.0.0/8 dev a": "x", "route/254/default dev a": "y", "link/a/mtu": "1"}) == {
        "link": 1,
        "route": 2,
    }
    assert counted({"sysctl/net.vrf.strict_mode": "0", "link/tunl0/flags": "NOARP", "link/tunl1/flags": "UP"}) == {
        "link": 1
    }
    assert gathered([("agent", 5, 10.0), ("agent", 7, 9.0), ("lab", 1, 1.0)]) == {
        "agent": ProcessUse(count=2, descriptors=7, rss_mb=10.0),
        "lab": ProcessUse(count=1, descriptors=1, rss_mb=1.0),
    }
