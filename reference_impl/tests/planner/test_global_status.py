from __future__ import annotations

from reference_impl.planner.global_objects import Unusable
from reference_impl.planner.global_status import addresses_of, plan_statuses
from reference_impl.planner.ledger import Settlement
from reference_impl.tests.planner.global_facts import Object, egress, ingress, ledger


def said(objects: list[Object], settlement: Settlement, *unusable: Unusable) -> list[tuple[str, str, object]]:
    found = plan_statuses(objects, settlement, unusable)
    return [(each.condition.status, each.condition.reason, addresses_of(each)) for each in found]


def test_who_has_an_address_says_so_in_the_field_of_its_kind() -> None:
    held = ledger(GlobalIngressIP_one=(5,), GlobalEgressIP_all=(6, 7))
    assert said([ingress("one"), egress("all")], Settlement(ledger=held)) == [
        ("True", "Success", {"allocatedIP": "100.64.0.5"}),
        ("True", "Success", {"allocatedIPs": ["100.64.0.6", "100.64.0.7"]}),
    ]


def test_who_was_refused_says_why_and_names_what_it_had_before() -> None:
    settlement = Settlement(ledger=ledger(GlobalEgressIP_all=(6,)), refused={"uid-GlobalEgressIP-all": "2 more wanted"})
    (found,) = plan_statuses([egress("all")], settlement, ())
    assert (found.condition.reason, found.condition.message) == ("PoolExhausted", "2 more wanted")
    assert addresses_of(found) == {"allocatedIPs": ["100.64.0.6"]}


def test_who_has_nothing_takes_back_what_it_said() -> None:
    one, all_ = ingress("one"), egress("all")
    refused = {"uid-GlobalIngressIP-one": "none", "uid-GlobalEgressIP-all": "none"}
    assert said([one, all_], Settlement(ledger=ledger(), refused=refused)) == [
        ("False", "PoolExhausted", {"allocatedIP": None}),
        ("False", "PoolExhausted", {"allocatedIPs": None}),
    ]


def test_what_cannot_be_read_says_what_is_wrong_with_it() -> None:
    bad = ingress("bad")
    assert said([bad], Settlement(ledger=ledger()), Unusable(obj=bad, reason="Invalid", message="spec.target")) == [
        ("False", "Invalid", {"allocatedIP": None})
    ]
