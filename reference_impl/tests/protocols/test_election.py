from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reference_impl.protocols.election import Action, Election, ElectionTimings, Ground, LeaseRecord, Role

TIMINGS = ElectionTimings()


def _take(election: Election, now: float) -> LeaseRecord:
    record = LeaseRecord(holder=election.identity, renewed=str(now))
    election.written(record, now)
    return record


def test_the_first_candidate_creates_the_lease_and_leads() -> None:
    election = Election("a", TIMINGS)
    assert election.role(0.0) is Role.UNKNOWN
    assert election.observe(None, 0.0) is Action.CREATE
    _take(election, 0.0)
    assert election.role(1.0) is Role.ACTIVE


def test_a_second_candidate_waits_and_is_passive() -> None:
    first, second = Election("a", TIMINGS), Election("b", TIMINGS)
    record = _take(first, 0.0)
    assert second.observe(record, 0.0) is Action.WAIT
    assert second.role(0.0) is Role.PASSIVE


def test_a_restarted_leader_goes_on_at_once() -> None:
    record = _take(Election("a", TIMINGS), 0.0)
    restarted = Election("a", TIMINGS)
    assert restarted.observe(record, 1.0) is Action.RENEW
    assert restarted.role(1.0) is Role.UNKNOWN


def test_a_lease_that_stands_still_is_taken_after_its_time_whatever_is_written_in_it() -> None:
    election = Election("b", TIMINGS)
    record = LeaseRecord(holder="a", renewed="2099-01-01T00:00:00Z")
    assert election.observe(record, 100.0) is Action.WAIT
    assert election.observe(record, 100.0 + TIMINGS.lease - 0.1) is Action.WAIT
    assert election.observe(record, 100.0 + TIMINGS.lease) is Action.TAKE


def test_a_leader_without_renewal_knows_nothing_any_more() -> None:
    election = Election("a", TIMINGS)
    _take(election, 0.0)
    assert election.role(TIMINGS.renew_deadline) is Role.UNKNOWN


def test_a_leader_that_sees_another_holder_is_passive() -> None:
    election = Election("a", TIMINGS)
    _take(election, 0.0)
    election.observe(LeaseRecord(holder="b", renewed="x"), 1.0)
    assert election.role(1.0) is Role.PASSIVE


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.floats(0.1, 3.0)), max_size=80))
def test_two_candidates_never_lead_together(turns: list[tuple[bool, bool, float]]) -> None:
    """Whoever is cut off from the API, and however the turns fall."""
    candidates = Election("a", TIMINGS), Election("b", TIMINGS)
    lease: LeaseRecord | None = None
    now = 0.0
    for first_turn, reachable, pause in turns:
        now += pause
        candidate = candidates[0 if first_turn else 1]
        if reachable and candidate.observe(lease, now) is not Action.WAIT:
            lease = LeaseRecord(holder=candidate.identity, renewed=str(now))
            candidate.written(lease, now)
        assert sum(one.role(now) is Role.ACTIVE for one in candidates) <= 1


def test_a_lease_is_taken_before_its_time_only_on_a_ground() -> None:
    for ground, action in (
        (Ground.NONE, Action.WAIT),
        (Ground.LEFT, Action.TAKE),
        (Ground.SILENT, Action.TAKE),
    ):
        election = Election("b", TIMINGS)
        assert election.observe(LeaseRecord(holder="a", renewed="1"), 0.0, ground) is action


def test_silence_is_no_ground_twice_within_a_lease() -> None:
    """Two nodes that do not hear each other would pass it to and fro; one that was relieved is let go at once."""
    election = Election("b", TIMINGS)
    election.observe(LeaseRecord(holder="c", renewed="1"), 0.0)
    passed = LeaseRecord(holder="a", renewed="2")
    assert election.observe(passed, 1.0, Ground.SILENT) is Action.WAIT
    assert election.observe(passed, 1.0 + TIMINGS.lease - 0.1, Ground.SILENT) is Action.WAIT
    assert election.observe(passed, 1.5, Ground.LEFT) is Action.TAKE
    assert election.observe(passed, 1.0 + TIMINGS.lease, Ground.SILENT) is Action.TAKE


def test_who_took_a_lease_and_lost_it_again_does_not_take_it_back_on_silence() -> None:
    election = Election("b", TIMINGS)
    election.observe(LeaseRecord(holder="a", renewed="1"), 0.0)
    _take(election, 1.0)
    assert election.observe(LeaseRecord(holder="a", renewed="2"), 2.0, Ground.SILENT) is Action.WAIT
    assert election.role(2.0) is Role.PASSIVE
