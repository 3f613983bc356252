from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from reference_impl.planner.policy_findings import policy_conditions
from reference_impl.protocols.policy import Member, Object, parse_policy


def member(name: str, **labels: str) -> Member:
    return Member(cluster_id=name, labels=labels)


def policy(left: object, right: object, action: str = "Connect") -> Object:
    return {"metadata": {"name": "some"}, "spec": {"left": left, "right": right, "action": action}}


def role(value: str) -> dict[str, object]:
    return {"matchLabels": {"role": value}}


MEMBERS = (member("a", role="hub"), member("b", role="spoke"), member("c", role="spoke"))


def said(obj: Object) -> list[tuple[str, str, str]]:
    return [(each.type, each.status, each.reason) for each in policy_conditions(obj, MEMBERS)]


def test_a_policy_says_whether_it_is_about_anybody() -> None:
    assert said(policy(role("hub"), role("spoke"))) == [
        ("Accepted", "True", "Valid"),
        ("Matching", "True", "SomePairs"),
    ]
    assert said(policy({}, {}))[1] == ("Matching", "True", "EveryPair")


def test_one_that_is_about_nobody_says_which_side_matches_none() -> None:
    for left, right in ((role("hob"), role("spoke")), (role("hub"), role("hub"))):
        (_, found) = policy_conditions(policy(left, right), MEMBERS)
        assert (found.status, found.reason) == ("False", "NoPair")
    assert found.message == "left matches 1 of 3 members, right 1: no pair"


def test_one_that_cannot_be_read_says_where() -> None:
    accepted, _ = policy_conditions(policy({}, {}, "Perhaps"), MEMBERS)
    assert (accepted.status, accepted.reason) == ("False", "Invalid")
    assert "spec.action" in accepted.message


ROLES = st.sampled_from(["", "hub", "spoke", "other"])


@given(roles=st.lists(ROLES, max_size=6), left=ROLES, right=ROLES)
def test_pairs_are_counted_as_one_by_one(roles: list[str], left: str, right: str) -> None:
    members = [member(f"m{number}", role=value) for number, value in enumerate(roles)]
    obj = policy(role(left) if left else {}, role(right) if right else {})
    read = parse_policy(obj)
    expected = sum(read.matches(one.labels, other.labels) for one, other in combinations(members, 2))
    (_, found) = policy_conditions(obj, members)
    assert found.status == ("True" if expected else "False")
    assert expected == 0 or found.message.startswith(f"it is about {expected} of ")
