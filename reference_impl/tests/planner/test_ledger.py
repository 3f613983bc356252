"""Laws of the ledger, whatever is asked of it in whatever order."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from reference_impl.planner.ledger import (
    QUARANTINE,
    RESERVED,
    Claim,
    Ledger,
    due,
    gateway_address,
    read,
    settle,
    write,
)

POOL = ip_network("100.64.0.0/27")
OPERATIONS = 10_000


@dataclass
class World:
    """Objects, their statuses, the ledger as it is stored, and a clock. Every step is followed by a look."""

    text: str = ""
    wanted: dict[str, tuple[int, str]] = field(default_factory=dict)
    """How many, and since when, by owner."""
    held: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """What owners had after the last look."""
    resting: dict[int, int] = field(default_factory=dict)
    now: int = 1_000_000
    made: int = 0

    def come(self, count: int) -> None:
        self.made += 1
        self.wanted[f"owner{self.made}"] = count, f"{self.made:06d}"
        self.look()

    def go(self, choice: int) -> None:
        if self.wanted:
            del self.wanted[self._owner(choice)]
        self.look()

    def recount(self, choice: int, count: int) -> None:
        if self.wanted:
            owner = self._owner(choice)
            self.wanted[owner] = count, self.wanted[owner][1]
        self.look()

    def wait(self, seconds: int) -> None:
        self.now += seconds
        self.look()

    def lose(self) -> None:
        """The ledger is gone, with all that it said of what rests; statuses are left."""
        self.text = ""
        self.resting = {}
        self.look()

    def look(self) -> None:
        before = read(self.text, POOL)
        claims = self.claims()
        settlement = settle(before, claims, self.now)
        assert settle(before, reversed(claims), self.now) == settlement
        after = settlement.ledger
        assert settle(after, claims, self.now) == settlement
        assert read(write(after), POOL) == after
        self._judge({**after.held}, {**settlement.refused})
        self.text, self.held = write(after), {**after.held}

    def claims(self) -> list[Claim]:
        return [
            Claim(
                owner=owner,
                count=count,
                created=created,
                said=tuple(POOL[offset] for offset in self.held.get(owner, ())),
            )
            for owner, (count, created) in self.wanted.items()
        ]

    def _judge(self, held: dict[str, tuple[int, ...]], refused: dict[str, str]) -> None:
        given_out = [offset for offsets in held.values() for offset in offsets]
        assert len(given_out) == len({*given_out})
        assert all(RESERVED <= offset < POOL.num_addresses - 1 for offset in given_out)
        assert held.keys() | refused.keys() <= self.wanted.keys()
        since = {offset: min(then, self.now) for offset, then in self.resting.items()}
        self.resting = {offset: then for offset, then in since.items() if self.now - then < QUARANTINE}
        kept = {owner: offsets[: self.wanted.get(owner, (0, ""))[0]] for owner, offsets in self.held.items()}
        for owner, offsets in self.held.items():
            self.resting |= dict.fromkeys(offsets[len(kept[owner]) :], self.now)
        free = POOL.num_addresses - 1 - RESERVED - len(given_out) - len(self.resting)
        for owner, (count, _) in self.wanted.items():
            mine, before = held.get(owner, ()), kept.get(owner, ())
            assert mine[: len(before)] == before
            assert not {*mine[len(before) :]} & self.resting.keys()
            if owner in refused:
                assert mine == before
                assert free < count - len(before)
            else:
                assert len(mine) == count

    def _owner(self, choice: int) -> str:
        return sorted(self.wanted)[choice % len(self.wanted)]


def test_ten_thousand_operations_break_no_law() -> None:
    chance, world = random.Random(4), World()  # noqa: S311 - the same operations every time
    for _ in range(OPERATIONS):
        match chance.choices(("come", "go", "recount", "wait", "back", "lose"), (30, 20, 20, 25, 2, 1))[0]:
            case "come":
                world.come(chance.randrange(8))
            case "go":
                world.go(chance.randrange(1000))
            case "recount":
                world.recount(chance.randrange(1000), chance.randrange(8))
            case "wait":
                world.wait(chance.randrange(QUARANTINE))
            case "back":
                world.wait(-chance.randrange(10 * QUARANTINE))
            case _:
                world.lose()
        if len(world.wanted) > 12:
            world.go(chance.randrange(1000))
    assert world.made > OPERATIONS / 5


class LedgerMachine(RuleBasedStateMachine):
    """The same with steps that Hypothesis chooses, and shortens where a law is broken."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()

    @rule(count=st.integers(0, 20))
    def come(self, count: int) -> None:
        self.world.come(count)

    @rule(choice=st.integers(0, 50))
    def go(self, choice: int) -> None:
        self.world.go(choice)

    @rule(choice=st.integers(0, 50), count=st.integers(0, 20))
    def recount(self, choice: int, count: int) -> None:
        self.world.recount(choice, count)

    @rule(seconds=st.integers(-3 * QUARANTINE, 3 * QUARANTINE))
    def wait(self, seconds: int) -> None:
        self.world.wait(seconds)

    @rule()
    def lose(self) -> None:
        self.world.lose()

    @invariant()
    def a_stored_ledger_is_read_as_it_was_written(self) -> None:
        ledger = read(self.world.text, POOL)
        assert write(ledger) == self.world.text or not self.world.text


TestLedgerMachine = LedgerMachine.TestCase


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=8,
)


@given(
    pool=st.sampled_from([str(POOL)]) | json_values,
    held=st.dictionaries(st.text(max_size=4), st.lists(st.integers(-3, 40) | json_values)) | json_values,
    resting=st.dictionaries(st.integers(-3, 40).map(str) | st.text(max_size=4), json_values) | json_values,
)
def test_a_ledger_that_somebody_else_wrote_is_read_without_harm(pool: object, held: object, resting: object) -> None:
    ledger = read(json.dumps({"pool": pool, "held": held, "resting": resting}), POOL)
    offsets = [offset for mine in ledger.held.values() for offset in mine]
    assert len(offsets) == len({*offsets})
    assert all(0 < offset < POOL.num_addresses - 1 for offset in (*offsets, *ledger.resting))
    settle(ledger, [Claim(owner="x", count=2, created="")], 0)
    assert read(write(ledger), POOL) == ledger


@given(st.text(), st.integers(0, 200), st.integers(0, 200))
def test_a_ledger_cut_or_written_over_is_read_without_harm(noise: str, start: int, end: int) -> None:
    whole = write(Ledger(pool=POOL, held={"a": (2, 3), "b": (4,)}, resting={5: 7}))
    for text in (noise, whole[:start] + noise + whole[end:]):
        settle(read(text, POOL), [Claim(owner="x", count=2, created="")], 0)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"pool":"100.64.0.0/27","held":{"a":[1e999]},"resting":{}}', "9" * 9999]
)
def test_texts_that_break_parsers_are_an_empty_ledger(text: str) -> None:
    assert read(text, POOL) == Ledger(pool=POOL)


def test_a_ledger_of_another_pool_is_nobodys() -> None:
    text = write(Ledger(pool=POOL, held={"a": (2,)}))
    other = ip_network("100.64.1.0/27")
    assert read(text, other) == Ledger(pool=other)


def claim(owner: str, count: int = 1, **changes: object) -> Claim:
    return Claim(**({"owner": owner, "count": count, "created": owner} | changes))  # type: ignore[arg-type]


def test_who_came_first_is_served_first_and_the_next_gets_what_the_one_before_could_not_use() -> None:
    pool = ip_network("100.64.0.0/29")
    settlement = settle(Ledger(pool=pool), [claim("c", 2), claim("b", 4), claim("a", 2)], 0)
    assert settlement.ledger.held == {"a": (2, 3), "c": (4, 5)}
    assert settlement.refused == {"b": "4 more wanted, 1 free in 100.64.0.0/29"}


def test_who_wants_more_than_there_is_keeps_what_it_has() -> None:
    pool = ip_network("100.64.0.0/29")
    before = settle(Ledger(pool=pool), [claim("a", 2)], 0).ledger
    after = settle(before, [claim("a", 9)], 0)
    assert (after.ledger, [*after.refused]) == (before, ["a"])


def test_addresses_of_the_pool_itself_and_of_the_gateway_are_nobodys() -> None:
    pool = ip_network("100.64.0.0/29")
    held = settle(Ledger(pool=pool), [claim("a", 5)], 0).ledger.addresses("a")
    assert held == tuple(ip_address(f"100.64.0.{last}") for last in range(2, 7))
    assert gateway_address(pool) not in held


def test_an_object_that_was_deleted_and_made_again_is_another_owner() -> None:
    first = settle(Ledger(pool=POOL), [claim("uid-1")], 0).ledger
    second = settle(first, [claim("uid-2")], 1).ledger
    assert second.held["uid-2"] != first.held["uid-1"]


def test_after_a_loss_of_the_ledger_what_a_status_says_counts_once_and_inside_the_pool_only() -> None:
    same, foreign = (POOL[9],), (ip_address("10.0.0.1"), ip_address("fd00::9"), POOL[1])
    claims = [claim("old", said=same), claim("new-copy", said=same), claim("zzz", 3, said=foreign)]
    ledger = settle(Ledger(pool=POOL), claims, 0).ledger
    assert [owner for owner, held in ledger.held.items() if 9 in held] == ["new-copy"]
    assert ledger.held["zzz"] == (3, 4, 5)


def test_who_wants_fewer_when_the_ledger_is_lost_keeps_the_first_and_the_others_rest() -> None:
    settlement = settle(Ledger(pool=POOL), [claim("a", 1, said=(POOL[7], POOL[8])), claim("b", 20)], 0)
    assert settlement.ledger.held["a"] == (7,)
    assert settlement.ledger.resting == {8: 0}


def test_a_clock_that_is_set_back_makes_an_address_rest_longer_not_shorter() -> None:
    released = Ledger(pool=POOL, resting={2: 10_000})
    settlement = settle(released, [claim("a")], 500)
    assert settlement.ledger.held == {"a": (3,)}
    assert due(settlement.ledger, 500) == QUARANTINE


def test_what_is_due_next_is_the_first_that_has_rested() -> None:
    assert due(Ledger(pool=POOL), 5) is None
    assert due(Ledger(pool=POOL, resting={2: 100, 3: 50}), 120) == 50 + QUARANTINE - 120
    assert due(Ledger(pool=POOL, resting={2: 0}), 10 * QUARANTINE) == 0
