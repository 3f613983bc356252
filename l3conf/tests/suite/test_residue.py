from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l3conf.plugin.residue import changes, flatten, naming, of_nodes

states = st.dictionaries(st.sampled_from("abcde"), st.text(max_size=3), max_size=5)
WEST = (ip_network("10.2.0.0/16"), ip_network("172.16.2.0/24"), ip_network("fd00:2::/32"))


@given(states)
def test_a_state_does_not_differ_from_itself(state: dict[str, str]) -> None:
    assert changes(state, dict(state)) == []


@given(states, states)
def test_a_difference_is_a_difference_both_ways(one: dict[str, str], other: dict[str, str]) -> None:
    assert (
        len(changes(one, other))
        == len(changes(other, one))
        == len({*one.items(), *other.items()} - (one.items() & other.items()))
        - len([key for key in one.keys() & other.keys() if one[key] != other[key]])
    )


def test_what_came_went_and_changed_is_told_apart() -> None:
    assert changes({"kept": "1", "gone": "1", "other": "1"}, {"kept": "1", "new": "1", "other": "2"}) == [
        'missing: gone = "1"',
        'left behind: new = "1"',
        'changed: other = "2", was "1"',
    ]


def test_documented_residue_is_allowed_by_its_path() -> None:
    before, after = {"a": "0"}, {"a": "0", "sysctl/net.ipv4.conf.all.rp_filter": "2", "link/vx": "up"}
    allowed = [r"sysctl/net\.ipv4\.conf\.all\.rp_filter"]
    assert changes(before, after, allowed=allowed) == ['left behind: link/vx = "up"']
    assert of_nodes({"n": before}, {"n": after}, allowed) == ['n: left behind: link/vx = "up"']


def test_modules_that_were_loaded_meanwhile_are_nobodys_residue() -> None:
    before = {"sysctl/net.netfilter.nf_log.7": "NONE", "link/lo/mtu": "65536"}
    after = {
        "sysctl/net.netfilter.nf_log.7": "nf_log_bridge",
        "sysctl/net.bridge.bridge-nf-call-iptables": "1",
        "link/lo/mtu": "65536",
        "link/tunl0/flags": "NOARP",
    }
    assert changes(before, after) == []
    assert changes(before, after | {"link/tunl0/flags": "NOARP UP"}) == ['left behind: link/tunl0/flags = "NOARP UP"']
    assert len(changes(after, before)) == 3, "what a node loses is told"


def test_a_node_that_is_gone_has_lost_everything() -> None:
    assert of_nodes({"n": {"a": "0"}}, {}, []) == ['n: missing: a = "0"']


def test_members_of_lists_are_known_by_content_not_by_place() -> None:
    assert changes({"routes": [{"to": "a"}, {"to": "b"}]}, {"routes": [{"to": "b"}, {"to": "a"}]}) == []
    assert flatten({"x": {"y": 1}}) == {"x/y": "1"}


@pytest.mark.parametrize(
    "line",
    [
        "route/150/10.2.0.0/16",
        "route/150/10.2.5.0/24",
        "neighbour/vxlan/10.2.0.1",
        "fdb 0a:58:c0:00:02:03 dst 172.16.2.10",
        'nft "elements": ["10.2.1.0/24"]',
        "route/main/fd00:2:1::/48",
    ],
)
def test_addresses_and_prefixes_inside_a_range_are_found(line: str) -> None:
    assert naming({line: "x"}, WEST)
    assert naming({"path": line}, WEST)


@pytest.mark.parametrize(
    "line",
    [
        "route/main/10.1.0.0/16",
        "link 0a:58:0a:02:00:01",
        "route/main/10.0.0.0/8",
        "default via 172.16.1.1",
        "v10.2.0.0.1",
    ],
)
def test_what_only_looks_alike_is_not(line: str) -> None:
    assert naming({line: "x"}, WEST) == []


def test_what_rejects_packets_for_a_range_is_no_residue_and_what_leads_there_is() -> None:
    rejecting = {"rule/IPv4/150 #5": "action unreachable dst 10.2.0.0 dstlen 16 protocol 150 src all"}
    leading = {"rule/IPv4/150 #5": "dst 10.2.0.0 dstlen 16 protocol 150 src all table 150"}
    assert naming(rejecting, WEST) == []
    assert naming({"route/main/unreachable 10.2.0.0/16 metric 20": "x"}, WEST) == []
    assert naming({"route/main/10.2.0.0/16 dev eth0": "x"}, WEST) != []
    assert naming(leading, WEST) != []


@pytest.mark.parametrize(
    "state",
    [
        {"rule/IPv4/150 #5": "dst 10.2.0.0 dstlen 16 protocol 150 src all table 150"},
        {'nft/element inet t s {"prefix":{"addr":"10.2.0.0","len":16}}': ""},
        {"nft": ['{"prefix": {"addr": "10.2.0.0", "len": 16}}']},
        {"nft": [{"prefix": {"addr": "10.2.0.0", "len": 16}}]},
        {"nft": {"rule": [{"prefix": {"addr": "fd00:2::", "len": 48}}]}},
        {"rule/IPv6/150 #5": "dst all protocol 150 src fd00:2:: srclen 48 table 150"},
    ],
)
def test_a_prefix_whose_length_stands_apart_is_no_address_in_its_first_part(state: object) -> None:
    whole = [ip_network("10.2.0.0/16"), ip_network("fd00:2::/48")]
    first = [ip_network("10.2.0.0/24"), ip_network("fd00:2::/64")]
    assert len(naming(state, whole)) == 1
    assert naming(state, first) == []


def test_an_address_that_is_nobodys_names_nobody() -> None:
    state = {"address/ipsec0/10.2.0.0/32": "", "route/254/10.2.0.0/24": "", "fdb/10.2.0.1": ""}
    first, nobodys = [ip_network("10.2.0.0/24")], {ip_network("10.2.0.0/32")}
    assert len(naming(state, first)) == 3
    assert naming(state, first, nobodys=nobodys) == ['route/254/10.2.0.0/24 = ""', 'fdb/10.2.0.1 = ""']
