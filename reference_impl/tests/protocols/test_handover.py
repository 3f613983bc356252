"""What gateways tell each other of flows to Services, and what follows from it."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from hypothesis import given
from hypothesis import strategies as st

from reference_impl.flows import ServiceFlow, handed_over
from reference_impl.protocols.handover import BEGUN, MOST, WHOLE, Ledger, Part, decode, encode, key_of

KEY = key_of("a token")


def flow(port: int, *, client: str = "10.2.0.7", service: str = "10.101.0.9", backend: str = "10.1.0.3") -> ServiceFlow:
    return ServiceFlow(6, ip_address(client), port, ip_address(service), 80, ip_address(backend), 8080)


@given(st.lists(st.integers(1, 65535), unique=True, max_size=3 * MOST), st.sampled_from([BEGUN, WHOLE]))
def test_what_is_told_is_understood_in_datagrams_that_fit(ports: list[int], kind: int) -> None:
    flows = [flow(port) for port in ports] + [flow(1, client="fd02::7", service="fd65::9", backend="fd01::3")]
    said = encode(kind, 5, flows, KEY)
    parts = [decode(each, KEY) for each in said]
    assert all(len(each) <= 1232 for each in said)
    assert [each for part in parts if part is not None for each in part.flows] == flows
    assert {(part.kind, part.round) for part in parts if part is not None} == {(kind, 5)}


@given(st.binary(max_size=200))
def test_what_nobody_proved_is_nobodys_word(data: bytes) -> None:
    (said,) = encode(WHOLE, 5, [flow(1)], KEY)
    assert decode(data, KEY) is None
    assert decode(said, key_of("another token")) is None
    assert decode(said[:-1] + bytes([said[-1] ^ 1]), KEY) is None
    assert decode(said + b"\0", KEY) is None


def test_a_whole_says_what_has_ended_once_all_of_it_is_here() -> None:
    ledger = Ledger()
    ledger.told(Part(WHOLE, 1, (flow(1), flow(2))))
    assert ledger.told(Part(WHOLE, 2, (flow(2),), 0, 2)) == ((flow(2),), ())
    begun, ended = ledger.told(Part(WHOLE, 2, (flow(3),), 1, 2))
    assert (set(begun), set(ended)) == ({flow(3)}, {flow(1)})


def test_what_began_while_stock_was_taken_has_not_ended() -> None:
    ledger = Ledger()
    assert ledger.told(Part(BEGUN, 7, (flow(9),)))[0] == (flow(9),)
    assert set(ledger.told(Part(WHOLE, 6, (flow(1),)))[1]) == set()
    assert set(ledger.told(Part(WHOLE, 8, (flow(1),)))[1]) == {flow(9)}


def test_old_words_are_not_heard_again() -> None:
    ledger = Ledger()
    ledger.told(Part(WHOLE, 8, ()))
    assert ledger.told(Part(BEGUN, 7, (flow(1),))) == ((), ())
    assert ledger.told(Part(WHOLE, 7, (flow(1),))) == ((), ())


def test_only_flows_from_outside_to_services_of_the_cluster_are_handed_over() -> None:
    outside, inside = flow(1), flow(2, client="10.1.4.4")
    elsewhere = flow(3, service="203.0.113.1")
    services, own = [ip_network("10.101.0.0/16")], [ip_network("10.1.0.0/16")]
    assert handed_over([outside, inside, elsewhere], services, own) == [outside]
