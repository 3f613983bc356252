"""What the planned rules say. What a kernel makes of them: ``tests/kernel/test_global_addresses.py``."""

from __future__ import annotations

import hashlib
from ipaddress import ip_address
from typing import TYPE_CHECKING

from reference_impl.planner.global_rules import global_ruleset
from reference_impl.planner.translation import Door, Translation
from reference_impl.tests.planner.global_facts import POOL

if TYPE_CHECKING:
    from reference_impl.state import Chain, Ruleset

DEVICES = ("vx-cables", "submariner")
HOSTS = {POOL[offset]: ip_address("10.1.0.0") + offset for offset in (1, 9)}


def door(number: int, *backends: str) -> Door:
    address = ip_address("100.64.0.0") + 256 + number
    return Door(address=address, protocol="tcp", port=80, backends=tuple((ip_address(each), 8080) for each in backends))


def chains(*translations: Translation) -> dict[str, Chain]:
    return {chain.name: chain for chain in global_ruleset(translations, DEVICES).chains}


def maps(*translations: Translation) -> dict[str, dict[str, str]]:
    return {each.name: dict(each.elements) for each in global_ruleset(translations, DEVICES).maps}


def hooked(ruleset: Ruleset) -> list[str]:
    return [rule for chain in ruleset.chains if chain.hook for rule in chain.rules]


def exporting(services: int) -> Ruleset:
    egress = {ip_address("10.1.0.0") + number: (POOL[3],) for number in range(services)}
    doors = tuple(door(number, "10.1.0.2") for number in range(services))
    return global_ruleset(
        [Translation(pool=POOL, hosts=HOSTS, doors=doors, egress=egress, cluster=(POOL[2],))], DEVICES
    )


def test_a_packet_passes_as_many_rules_with_five_thousand_exports_as_with_ten() -> None:
    few, many = (hooked(exporting(services)) for services in (10, 5000))
    assert len(few) == len(many) == 10
    assert few == many
    assert [rule.count(" map ") + rule.count(" vmap ") for rule in many] == [1, 1, 0, 0, 0, 1, 1, 1, 1, 0]
    assert {len(chain.rules) for chain in exporting(5000).chains if not chain.hook} == {1}


def test_five_thousand_exports_with_the_same_backends_have_one_chain_and_equal_egress_one() -> None:
    names = [chain.name for chain in exporting(5000).chains]
    assert len(names) == len({*names})
    assert sum(name.startswith("to-") for name in names) == 1
    assert sum(name.startswith("as-") for name in names) == 2


def test_sources_change_on_the_way_into_a_cable_only_and_what_is_relayed_keeps_them() -> None:
    leaving = chains(Translation(pool=POOL, cluster=(POOL[2],)))["leaving"].rules
    assert leaving[:3] == (
        'oifname != { "submariner", "vx-cables" } accept',
        'iifname { "submariner", "vx-cables" } accept',
        "ip saddr 100.64.0.0/24 accept",
    )


def test_without_an_address_to_call_from_nothing_leaves() -> None:
    found = chains(Translation(pool=POOL))
    assert found["leaving"].rules[-1] == "meta nfproto ipv4 drop"
    assert found["arriving"].rules == chains(Translation(pool=POOL, hosts=HOSTS))["arriving"].rules
    assert not any(maps(Translation(pool=POOL)).values())


def test_a_pod_with_an_address_of_its_own_is_reached_and_calls_under_it_before_all_else() -> None:
    planned = Translation(pool=POOL, hosts=HOSTS, egress={ip_address("10.1.0.7"): (POOL[3],)}, cluster=(POOL[2],))
    rules, found = chains(planned), maps(planned)
    assert rules["arriving"].rules[0] == "ip daddr 100.64.0.0/24 dnat ip to ip daddr map @inwards_v4"
    assert found["inwards_v4"] == {"100.64.0.1": "10.1.0.1", "100.64.0.9": "10.1.0.9"}
    *own, whole = rules["leaving"].rules[5:]
    assert own == ["snat ip to ip saddr map @outwards_v4", "ip saddr vmap @callers_v4"]
    assert found["outwards_v4"] == {"10.1.0.1": "100.64.0.1", "10.1.0.9": "100.64.0.9"}
    (way,) = found["callers_v4"].values()
    assert rules[way.removeprefix("goto ")].rules == ("snat ip to 100.64.0.3",)
    assert whole.startswith("meta nfproto ipv4 goto as-")


def test_of_two_addresses_of_a_pod_it_calls_under_one_whatever_their_order() -> None:
    local = ip_address("10.1.0.9")
    for first, second in ((3, 4), (4, 3)):
        found = maps(Translation(pool=POOL, hosts={POOL[first]: local, POOL[second]: local}))
        assert found["outwards_v4"] == {"10.1.0.9": "100.64.0.3"}


def test_several_addresses_share_flows_by_port_and_other_addresses_are_another_chain() -> None:
    one, other = (
        next(chain for name, chain in chains(Translation(pool=POOL, cluster=cluster)).items() if name.startswith("as-"))
        for cluster in ((POOL[2], POOL[3]), (POOL[2], POOL[4]))
    )
    assert one.name != other.name
    assert one.rules == (
        (
            "meta l4proto { tcp, udp, sctp } snat ip to jhash ip saddr . th sport mod 2 seed 0x53 "
            "map { 0 : 100.64.0.2, 1 : 100.64.0.3 }"
        ),
        "snat ip to jhash ip saddr mod 2 seed 0x53 map { 0 : 100.64.0.2, 1 : 100.64.0.3 }",
    )


def test_a_service_chooses_among_its_backends() -> None:
    found = chains(Translation(pool=POOL, doors=(door(1, "10.1.0.2", "10.1.0.3"), door(2, "10.1.0.2"))))
    assert {chain.rules for name, chain in found.items() if name.startswith("to-")} == {
        (
            (
                "meta l4proto tcp dnat ip to jhash ip saddr . th sport mod 2 seed 0x53 "
                "map { 0 : 10.1.0.2 . 8080, 1 : 10.1.0.3 . 8080 }"
            ),
        ),
        ("meta l4proto tcp dnat ip to 10.1.0.2:8080",),
    }


def test_a_backend_goes_on_as_the_one_service_that_it_answers_for_and_waits_where_there_are_several() -> None:
    one, two = door(1, "10.1.0.2", "10.1.0.3", "10.1.0.9"), door(2, "10.1.0.3")
    datagrams = Door(address=POOL[7], protocol="udp", port=53, backends=((ip_address("10.1.0.4"), 53),))
    found = maps(Translation(pool=POOL, hosts=HOSTS, doors=(one, two, datagrams)))
    assert found["answers_v4"] == {"10.1.0.2 . 8080": "100.64.1.1 . 80"}
    assert found["unclear_v4"] == {"10.1.0.3 . 8080": "drop", "10.1.0.9 . 8080": "drop"}


def test_chains_whose_rules_are_others_have_other_names() -> None:
    """A later version that does the same by other rules finds none of its own."""
    found = chains(Translation(pool=POOL, doors=(door(1, "10.1.0.2", "10.1.0.3"),), cluster=(POOL[2], POOL[3])))
    for name, chain in found.items():
        if chain.by_content:
            assert name.rpartition("-")[2] == hashlib.sha256(" ".join(chain.rules).encode()).hexdigest()[:12]
