"""Staleness rests on looks alone, and one identity has one holder."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hypothesis import given
from hypothesis import strategies as st

from reference_impl.protocols.heartbeat import (
    EXPIRY,
    INTERVAL,
    Beat,
    Expiry,
    Heartbeats,
    Life,
    OwnHeartbeat,
    Standing,
    interval,
)

DURATION = 6.0


def beat(renewed: str, holder: str = "x/n/1", contested: str = "") -> Beat:
    return Beat(holder=holder, renewed=renewed, duration=DURATION, contested=contested)


@given(st.lists(st.tuples(st.floats(0, 20), st.booleans()), min_size=1))
def test_a_member_is_stale_exactly_when_looks_saw_no_change_for_the_duration(looks: list[tuple[float, bool]]) -> None:
    heartbeats, now, changed, number = Heartbeats(), 0.0, 0.0, 0
    for pause, renewed in looks:
        now += pause
        number += renewed
        changed = now if renewed or not heartbeats.lives else changed
        heartbeats.observe({"west": beat(str(number))}, now)
        assert (heartbeats.lives["west"] is Life.ALIVE) == (now - changed < DURATION)


def test_a_member_is_silent_some_time_after_it_is_stale() -> None:
    heartbeats = Heartbeats()
    for now, silent in ((0.0, False), (DURATION, False), (DURATION + EXPIRY - 0.1, False), (DURATION + EXPIRY, True)):
        heartbeats.observe({"west": beat("1"), "new": beat(str(now))}, now)
        assert ("west" in heartbeats.silent) == silent
        assert "new" not in heartbeats.silent
    heartbeats.observe({"west": beat("2")}, DURATION + EXPIRY + 1)
    assert heartbeats.silent == frozenset()


def test_who_answers_is_not_given_up_and_who_was_is_taken_back_by_a_beat_alone() -> None:
    expiry, west, nobody = Expiry(), frozenset({"west"}), frozenset[str]()
    assert expiry.look(nobody, nobody) == nobody, "a lost connection alone gives nobody up"
    assert expiry.look(west, west) == nobody, "one that is cut off from the broker alone is kept (L3-C4)"
    assert expiry.look(west, nobody) == west
    assert expiry.look(west, west) == west, "its cable is gone: an answer is a late one"
    assert expiry.look(nobody, nobody) == nobody


def test_nobody_grows_stale_while_nobody_looks() -> None:
    heartbeats = Heartbeats()
    heartbeats.observe({"west": beat("1")}, 0.0)
    assert heartbeats.lives == {"west": Life.ALIVE}
    heartbeats.observe({"west": beat("2")}, 3600.0)
    assert heartbeats.lives == {"west": Life.ALIVE}
    heartbeats.observe({}, 3602.0)
    assert heartbeats.lives == {}


def test_nobody_grows_old_of_looks_that_failed() -> None:
    heartbeats = Heartbeats(step=2.0)
    for now, age in ((0.0, 0.0), (1.0, 1.0), (100.0, 3.0), (101.0, 4.0), (103.0, 6.0)):
        heartbeats.observe({"west": beat("1")}, now)
        assert (heartbeats.lives["west"] is Life.STALE) == (age >= DURATION)


@given(st.floats(0, 1e6), st.sampled_from(Life))
def test_what_somebody_before_us_found_holds_until_the_lease_changes(began: float, life: Life) -> None:
    heartbeats = Heartbeats()
    heartbeats.recall({"west": replace(beat("1"), life=life)}, began)
    heartbeats.observe({"west": beat("1"), "new": beat("1")}, began)
    assert heartbeats.lives == {"west": life, "new": Life.ALIVE}
    heartbeats.observe({"west": beat("2")}, began + 0.5)
    assert heartbeats.lives == {"west": Life.ALIVE}


@given(st.lists(st.tuples(st.floats(0, 20), st.sampled_from(Life)), min_size=1))
def test_what_is_told_of_a_member_is_not_timed_again(looks: list[tuple[float, Life]]) -> None:
    heartbeats, now = Heartbeats(), 0.0
    for pause, life in looks:
        now += pause
        heartbeats.observe({"west": replace(beat("1"), life=life)}, now)
        assert heartbeats.lives == {"west": life}
        assert heartbeats.silent == ({"west"} if life is Life.SILENT else set())


@given(st.integers(0, 10_000))
def test_larger_sets_beat_more_slowly(members: int) -> None:
    assert interval(members) >= INTERVAL
    assert members / interval(members) <= 25.0 + 1e-9


@dataclass
class Lease:
    """A Lease at a broker."""

    beat: Beat | None = None
    number: int = 0

    def turn(self, own: OwnHeartbeat, now: float) -> None:
        wanted = own.next(self.beat, now, DURATION)
        self.number += own.standing is Standing.HOLDING
        self.beat = replace(wanted, renewed=str(self.number))


def holder(instance: str, life: int) -> OwnHeartbeat:
    return OwnHeartbeat(instance=instance, holder=f"{instance}/gw/{life}")


def test_the_next_life_of_a_gateway_speaks_at_once() -> None:
    lease = Lease()
    lease.turn(holder("uid", 1), 0.0)
    second = holder("uid", 2)
    lease.turn(second, 0.5)
    assert (second.standing, second.rival) == (Standing.HOLDING, "")


def test_a_clone_yields_to_the_living_and_both_say_so_until_one_is_gone() -> None:
    lease, original, clone = Lease(), holder("uid", 1), holder("other", 1)
    others = Heartbeats()
    for step in range(5):
        lease.turn(original, step * 2.0)
        lease.turn(clone, step * 2.0 + 1.0)
        others.observe({"west": lease.beat or beat("")}, step * 2.0 + 1.5)
        assert others.contested == {"west"}
    assert (original.standing, clone.standing) == (Standing.HOLDING, Standing.YIELDING)
    assert (original.rival, clone.rival) == (clone.holder, original.holder)
    for step in range(5, 10):
        lease.turn(original, step * 2.0)
        others.observe({"west": lease.beat or beat("")}, step * 2.0)
    assert (original.rival, others.contested) == ("", frozenset())


def test_the_identity_of_a_dead_gateway_may_be_taken_over_from_elsewhere() -> None:
    lease, late = Lease(), holder("other", 1)
    lease.turn(holder("uid", 1), 0.0)
    for now in (1.0, 3.0, 5.0):
        lease.turn(late, now)
        assert late.standing is Standing.YIELDING
    lease.turn(late, 1.0 + DURATION)
    assert (late.standing, late.rival) == (Standing.HOLDING, "")


def test_two_that_cannot_be_told_apart_by_their_cluster_find_each_other_out() -> None:
    lease, one, other = Lease(), holder("same", 1), holder("same", 2)
    for step in range(4):
        lease.turn(one, step * 2.0)
        lease.turn(other, step * 2.0 + 1.0)
    assert (one.rival, other.rival) == (other.holder, one.holder)
    assert lease.beat is not None
    assert lease.beat.contested
