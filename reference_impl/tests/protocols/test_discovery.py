from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address
from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st

from reference_impl.protocols.discovery import Candidate, DiscoveryTimings, PeerDiscovery

TIMINGS = DiscoveryTimings()
PRIVATE = Candidate(address=ip_address("172.16.2.10"), port=4490, tunnel_port=4500, public=False)
PUBLIC = Candidate(address=ip_address("192.0.2.11"), port=4490, tunnel_port=4500, public=True)
ELSEWHERE = (ip_address("203.0.113.9"), 4490)


def place(candidate: Candidate) -> tuple[object, int]:
    return candidate.address, candidate.port


@dataclass
class Network:
    """Requests and replies between a machine and candidates, as a test wants them: late, twice, never."""

    reachable: set[Candidate]
    machine: PeerDiscovery = field(default_factory=lambda: PeerDiscovery(TIMINGS, 0.0))
    now: float = 0.0
    flying: list[tuple[Candidate, bytes]] = field(default_factory=list)
    numbers: count[int] = field(default_factory=count)

    def ask(self) -> list[tuple[Candidate, bytes]]:
        asked = self.machine.requests(self.now, lambda: next(self.numbers).to_bytes(16, "big"))
        self.flying += [(candidate, nonce) for candidate, nonce in asked if candidate in self.reachable]
        return asked

    def reply(self, candidate: Candidate, nonce: bytes) -> bool:
        return self.machine.replied(nonce, (candidate.address, candidate.port), None, self.now)

    def settle(self) -> Candidate | None:
        """Let the network be good for a while, and return what is concluded."""
        for _ in range(3):
            self.now += TIMINGS.interval
            self.flying.clear()
            self.ask()
            for candidate, nonce in self.flying:
                self.reply(candidate, nonce)
        return self.machine.conclude(self.now).candidate


def started(*reachable: Candidate) -> Network:
    network = Network(set(reachable))
    network.machine.update((PRIVATE, PUBLIC), 0.0)
    return network


subsets = st.sets(st.sampled_from([PRIVATE, PUBLIC]))


@settings(deadline=None)
@given(
    subsets,
    st.lists(st.tuples(st.sampled_from(["wait", "ask", "deliver", "twice", "lose", "forge"]), st.integers(0, 9))),
)
def test_any_order_loss_and_repetition_of_messages_comes_to_the_same_conclusion(
    reachable: set[Candidate], story: list[tuple[str, int]]
) -> None:
    network = started(*reachable)
    for step, number in story:
        flying = network.flying
        if step == "wait":
            network.now += number / 3
        elif step == "ask":
            network.ask()
        elif step == "forge":
            network.machine.replied(number.to_bytes(16, "big"), ELSEWHERE, None, network.now)
        elif flying:
            chosen = flying[number % len(flying)]
            if step != "twice":
                flying.remove(chosen)
            if step != "lose":
                network.reply(*chosen)
        assert network.machine.conclude(network.now).candidate in {None, *reachable}
    best = next((each for each in (PRIVATE, PUBLIC) if each in reachable), None)
    assert network.settle() == best


def test_both_addresses_are_asked_at_once() -> None:
    assert [candidate for candidate, _ in started().ask()] == [PRIVATE, PUBLIC]


def test_until_something_answers_nothing_is_concluded() -> None:
    network = started()
    network.ask()
    assert network.machine.conclude(network.now).candidate is None


def test_the_private_address_is_preferred_even_if_it_answers_last() -> None:
    network = started(PRIVATE, PUBLIC)
    network.ask()
    (private, public) = network.flying
    network.reply(*public)
    assert network.machine.conclude(0.0).candidate == PUBLIC
    network.reply(*private)
    assert network.machine.conclude(0.0).candidate == PRIVATE


def test_silence_alone_moves_nothing() -> None:
    network = started(PUBLIC)
    assert network.settle() == PUBLIC
    network.reachable.clear()
    for _ in range(20):
        network.settle()
    conclusion = network.machine.conclude(network.now)
    assert (conclusion.candidate, conclusion.answered) == (PUBLIC, False)


def test_an_address_that_falls_silent_is_left_for_one_that_answers() -> None:
    network = started(PRIVATE, PUBLIC)
    assert network.settle() == PRIVATE
    network.reachable = {PUBLIC}
    network.settle()
    network.settle()
    assert network.machine.conclude(network.now).candidate == PUBLIC


def test_a_reply_counts_once() -> None:
    network = started(PRIVATE)
    network.ask()
    (flying,) = network.flying
    assert network.reply(*flying)
    assert not network.reply(*flying)


def test_a_reply_from_elsewhere_says_nothing() -> None:
    network = started(PRIVATE)
    network.ask()
    ((_, nonce),) = network.flying
    assert not network.machine.replied(nonce, ELSEWHERE, None, 0.0)
    assert not network.machine.replied(nonce, (PUBLIC.address, PUBLIC.port), None, 0.0)
    assert network.machine.conclude(0.0).candidate is None


def test_a_reply_that_comes_too_late_says_nothing() -> None:
    network = started(PRIVATE)
    network.ask()
    (flying,) = network.flying
    network.now = TIMINGS.patience
    assert not network.reply(*flying)


def test_a_candidate_that_is_withdrawn_is_neither_asked_nor_used() -> None:
    network = started(PUBLIC)
    network.settle()
    network.machine.update((PRIVATE,), network.now)
    assert network.machine.conclude(network.now).candidate is None
    network.now += TIMINGS.interval
    assert [candidate for candidate, _ in network.ask()] == [PRIVATE]


def test_the_same_candidates_again_change_nothing() -> None:
    network = started(PUBLIC)
    network.settle()
    network.machine.update((PRIVATE, PUBLIC), network.now)
    assert network.machine.conclude(network.now).candidate == PUBLIC


def test_a_peer_that_never_answers_is_not_asked_often_for_ever() -> None:
    network = started()
    asked = 0
    while network.now < 60:
        asked += len(network.ask())
        network.now += 0.1
    assert asked < 2 * (TIMINGS.eager / TIMINGS.eager_interval + 60 / TIMINGS.interval + 2)
    assert network.machine.due() is not None


def test_without_candidates_nobody_is_asked() -> None:
    machine = PeerDiscovery(TIMINGS, 0.0)
    assert machine.due() is None
    assert machine.requests(0.0, lambda: bytes(16)) == []
    assert machine.conclude(0.0).candidate is None


def test_an_awaited_reply_without_proof_moves_nothing_and_is_remembered_until_the_peer_answers() -> None:
    network = started(PRIVATE)
    (nonce,) = [nonce for candidate, nonce in network.ask() if candidate == PRIVATE]
    machine = network.machine
    assert not machine.replied_unproved(nonce, ELSEWHERE, network.now)
    assert not machine.replied_unproved(bytes(16), (PRIVATE.address, PRIVATE.port), network.now + TIMINGS.patience)
    assert machine.impostor(network.now) is None
    assert machine.replied_unproved(nonce, (PRIVATE.address, PRIVATE.port), network.now)
    assert machine.impostor(network.now) == PRIVATE
    assert machine.conclude(network.now).candidate is None
    assert network.reply(PRIVATE, nonce)
    assert machine.impostor(network.now) is None


def test_what_somebody_without_proof_said_is_forgotten_with_time_and_with_another_key() -> None:
    for forget in (True, False):
        network = started(PRIVATE)
        (nonce,) = [nonce for candidate, nonce in network.ask() if candidate == PRIVATE]
        network.machine.replied_unproved(nonce, (PRIVATE.address, PRIVATE.port), network.now)
        if forget:
            network.machine.rekeyed()
        assert (network.machine.impostor(network.now) is None) == forget
        assert network.machine.impostor(network.now + TIMINGS.lifetime) is None
        assert network.reply(PRIVATE, nonce) != forget
