from __future__ import annotations

import base64
import itertools
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any

from reference_impl.protocols.ike import (
    Connection,
    connection_message,
    identity,
    is_first_caller,
    parse_connections,
    parse_peers,
    secret_message,
    secret_name,
    stale_associations,
    sub_tunnels,
)
from reference_impl.protocols.ike_caller import (
    DEFERENCE,
    FIRST_PAUSE,
    HANDING_OVER,
    LONGEST_PAUSE,
    LONGEST_REPLACEMENT,
    SETTLE,
    Caller,
    Retirement,
)
from reference_impl.state import IPsecPeer, SubTunnel

if TYPE_CHECKING:
    from reference_impl.state import Pair


def key(number: int) -> str:
    return base64.b64encode(bytes([number]) * 32).decode()


PAIRS = tuple((ip_network(f"10.{own}.0.0/16"), ip_network(f"10.{other}.0.0/16")) for own in (1, 101) for other in (2,))
PEER = IPsecPeer(
    device="ipsec0",
    name="west",
    own_key=key(1),
    public_key=key(2),
    local=ip_address("172.16.1.10"),
    remote=(ip_address("172.16.2.10"), 4501),
    pairs=frozenset(PAIRS),
)


def told(peer: IPsecPeer = PEER) -> dict[str, Any]:
    """Return a connection as the daemon lists it: without ports and secrets, in bytes."""
    ((name, sent),) = connection_message(peer, None).items()
    children = {
        child: {"local-ts": [ts.encode() for ts in told["local_ts"]], "remote-ts": [told["remote_ts"][0].encode()]}
        for child, told in sent["children"].items()
    }
    addresses = {side: [text.encode() for text in sent[side]] for side in ("local_addrs", "remote_addrs")}
    return {name: {**addresses, "version": b"IKEv2", "children": children}}


def association(*pairs: Pair, state: str = "ESTABLISHED", peer: IPsecPeer = PEER, child: str = "INSTALLED") -> Any:  # noqa: ANN401
    children = {
        f"{index}": {
            "uniqueid": str(index).encode(),
            "state": child.encode(),
            "local-ts": [str(own).encode()],
            "remote-ts": [str(other).encode()],
        }
        for index, (own, other) in enumerate(pairs)
    }
    local, remote = (bytes.fromhex(identity(each)[2:]).hex(":") for each in (peer.own_key, peer.public_key))
    head = {"uniqueid": b"7", "state": state.encode(), "local-id": local.encode(), "remote-id": remote.encode()}
    return {peer.name: {**head, "child-sas": children}}


def test_what_was_loaded_is_read_back_whole() -> None:
    assert parse_peers([told()], [secret_name(PEER)]) == {"west": PEER}


def test_connections_of_others_are_not_ours() -> None:
    assert parse_peers([told(), {"home": told()["west"]}], [secret_name(PEER), "home"]) == {"west": PEER}
    assert parse_peers([told()], []) == {}


def test_a_secret_belongs_to_the_pair_and_its_name_does_not_tell_it() -> None:
    message = secret_message(PEER, b"\x01\x02")
    assert message["owners"] == [identity(key(1)), identity(key(2))]
    assert message["data"] == "0x0102"
    assert "0102" not in message["id"].replace(key(1), "").replace(key(2), "")


def test_policies_are_tied_to_the_device_only_where_the_kernel_has_them() -> None:
    tied = [child.get("if_id_in") for child in connection_message(PEER, 150)["west"]["children"].values()]
    free = [child.get("if_id_in") for child in connection_message(PEER, None)["west"]["children"].values()]
    assert (set(tied), set(free)) == ({"150"}, {None})


def test_a_sub_tunnel_is_up_while_a_child_sa_carries_it() -> None:
    for child in ("INSTALLED", "REKEYING", "REKEYED"):
        (connection,) = parse_connections({"west": PEER}, [association(PAIRS[0], child=child)])
        assert connection.down == (PAIRS[1],)
        assert sub_tunnels([connection]) == {SubTunnel(peer="west", pair=PAIRS[0])}
    (connection,) = parse_connections({"west": PEER}, [association(*PAIRS, child="DELETING")])
    assert connection.up == frozenset()


def test_what_nothing_asks_for_any_more_is_stale() -> None:
    extra = (ip_network("10.9.0.0/16"), ip_network("10.2.0.0/16"))
    assert stale_associations([association(*PAIRS)], {"west": PEER}) == {"ike": [], "child": []}
    assert stale_associations([association(*PAIRS, extra)], {"west": PEER}) == {"ike": [], "child": ["2"]}
    assert stale_associations([association(*PAIRS)], {}) == {"ike": ["7"], "child": []}


def test_an_sa_with_a_key_that_was_replaced_carries_on_and_counts_for_nothing_new() -> None:
    for rotated in (replace(PEER, public_key=key(3)), replace(PEER, own_key=key(3))):
        assert stale_associations([association(*PAIRS)], {"west": rotated}) == {"ike": [], "child": []}
        (connection,) = parse_connections({"west": rotated}, [association(*PAIRS)])
        assert (connection.predecessors, connection.up, connection.held) == (("7",), frozenset(), frozenset(PAIRS))
        assert connection.down == tuple(sorted(PAIRS, key=str))
        assert sub_tunnels([connection]) == {SubTunnel(peer="west", pair=pair) for pair in PAIRS}


def test_an_sa_that_is_not_authenticated_yet_is_no_predecessor() -> None:
    half_made = {"uniqueid": b"8", "state": b"CONNECTING", "local-id": b"%any", "remote-id": b"%any"}
    (connection,) = parse_connections({"west": PEER}, [{"west": half_made}])
    assert (connection.under_way, connection.predecessors) == (True, ())


def test_where_the_peer_is_shows_in_an_sa_that_stands() -> None:
    place = {"remote-host": b"192.0.2.11", "remote-port": b"41000"}
    listed = {"west": {**association(*PAIRS)["west"], **place}}
    (connection,) = parse_connections({"west": PEER}, [listed])
    assert connection.place == (ip_address("192.0.2.11"), 41000)
    (connection,) = parse_connections({"west": PEER}, [{"west": {**listed["west"], "state": b"CONNECTING"}}])
    assert connection.place is None


def test_an_sa_of_our_making_that_goes_elsewhere_ends_when_its_successor_is_whole() -> None:
    public = {"remote-host": b"192.0.2.10", "remote-port": b"4500", "initiator": b"yes"}
    private = {**public, "remote-host": b"172.16.2.10", "uniqueid": b"9"}
    old, new = ({**association(*PAIRS)["west"], **each} for each in (public, private))
    (connection,) = parse_connections({"west": PEER}, [{"west": old}])
    assert (connection.down, connection.held) == (tuple(sorted(PAIRS, key=str)), frozenset(PAIRS))
    assert (connection.predecessors, connection.place) == ((), (ip_address("192.0.2.10"), 4500))
    (connection,) = parse_connections({"west": PEER}, [{"west": old}, {"west": new}])
    assert (connection.predecessors, connection.place) == (("7",), (ip_address("172.16.2.10"), 4500))
    assert connection.down == ()
    (connection,) = parse_connections({"west": PEER}, [{"west": {**old, "initiator": b"no"}}])
    assert (connection.down, connection.predecessors) == ((), ()), "a NAT may have put the caller there"


REPLACED = Connection(peer=PEER, held=frozenset(PAIRS), predecessors=("7",))
WHOLE = replace(REPLACED, up=frozenset(PAIRS))


def test_old_sas_end_once_the_new_ones_have_been_whole_for_a_while() -> None:
    retirement = Retirement()
    assert retirement.due([REPLACED], 100.0) == ()
    assert retirement.due([WHOLE], 101.0) == ()
    assert retirement.due([REPLACED], 101.5) == ()
    assert retirement.due([WHOLE], 102.0) == ()
    assert retirement.due([WHOLE], 102.0 + SETTLE) == ("7",)
    assert retirement.due([replace(WHOLE, predecessors=())], 104.0) == ()
    assert retirement.due([WHOLE], 105.0) == ()


def test_old_sas_end_in_the_end_whatever_became_of_the_new_ones() -> None:
    retirement = Retirement()
    assert retirement.due([REPLACED], 100.0) == ()
    assert retirement.due([REPLACED], 100.0 + LONGEST_REPLACEMENT - 0.1) == ()
    assert retirement.due([REPLACED], 100.0 + LONGEST_REPLACEMENT) == ("7",)


def test_exactly_one_end_calls_first() -> None:
    assert is_first_caller(PEER) is not is_first_caller(replace(PEER, own_key=key(2), public_key=key(1)))


DOWN = Connection(peer=PEER)
ANSWERING = Connection(peer=replace(PEER, own_key=key(3)))


def test_the_first_caller_calls_at_once_for_every_pair() -> None:
    assert Caller().due([DOWN], 100.0) == tuple(("west", pair) for pair in DOWN.down)


def test_the_other_end_calls_when_nothing_came_of_it() -> None:
    caller = Caller()
    assert caller.due([ANSWERING], 100.0) == ()
    assert caller.due([ANSWERING], 100.0 + DEFERENCE - 0.1) == ()
    assert len(caller.due([ANSWERING], 100.0 + DEFERENCE)) == len(PAIRS)


def test_nobody_is_called_twice_at_a_time() -> None:
    caller = Caller()
    assert caller.due([replace(DOWN, under_way=True)], 100.0) == ()
    assert len(caller.due([DOWN], 100.0)) == len(PAIRS)
    assert caller.due([DOWN], 100.0) == ()


def test_failures_make_the_pause_longer_up_to_a_bound_and_success_forgets_them() -> None:
    caller, now, calls = Caller(), 0.0, []
    while now < 60:
        if caller.due([DOWN], now):
            calls.append(now)
        now += 0.05
    pauses = [later - sooner for sooner, later in itertools.pairwise(calls)]
    assert FIRST_PAUSE <= pauses[0] < pauses[-1] <= LONGEST_PAUSE + 0.06
    assert caller.due([replace(DOWN, up=frozenset(PAIRS))], now) == ()
    assert len(caller.due([DOWN], now)) == len(PAIRS)


STANDBY = replace(PEER, stands_by=True)


def test_who_stands_by_is_read_back_and_is_unknown_to_engines_that_would_call_it() -> None:
    assert parse_peers([told(STANDBY)], [secret_name(STANDBY)]) == {"west": STANDBY}
    assert len(secret_name(PEER).split(" ")) == 4
    assert len(secret_name(STANDBY).split(" ")) == 5
    assert parse_peers([told()], [f"{secret_name(PEER)} tomorrow"]) == {}


def test_sub_tunnels_of_any_gateway_are_the_member_s() -> None:
    second = replace(STANDBY, name="west+1")
    found = parse_connections({"west": PEER, "west+1": second}, [association(PAIRS[0], peer=second)])
    assert sub_tunnels(found) == {SubTunnel(peer="west", pair=PAIRS[0])}


def test_whose_ike_sa_stands_is_told() -> None:
    for initiator, made in ((b"yes", True), (b"no", False)):
        (found,) = parse_connections({"west": PEER}, [{"west": {**association()["west"], "initiator": initiator}}])
        assert (found.made, found.called, found.up) == (made, not made, frozenset())


def test_who_stands_by_is_called_back_at_once_and_not_before() -> None:
    quiet = Connection(peer=STANDBY)
    caller = Caller()
    assert caller.due([quiet], 100.0) == caller.due([quiet], 100.0 + 10 * DEFERENCE) == ()
    assert len(caller.due([replace(quiet, called=True)], 130.0)) == len(PAIRS)
    other = replace(quiet, peer=replace(ANSWERING.peer, stands_by=True), called=True)
    assert len(Caller().due([other], 100.0)) == len(PAIRS)


def test_who_takes_over_leaves_sub_tunnels_to_the_other_end_for_a_while() -> None:
    caller, made = Caller(), replace(DOWN, made=True)
    assert caller.due([replace(made, under_way=True)], 100.0) == ()
    assert caller.due([made], 100.0 + HANDING_OVER - 0.1) == ()
    assert len(caller.due([made], 100.0 + HANDING_OVER)) == len(PAIRS)
