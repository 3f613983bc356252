"""RBAC as laws and as a table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l3conf.emulator.apiserver.options import User
from l3conf.emulator.apiserver.rbac import Attributes, Rule, aggregated, make_policy, uncovered

ALICE = User("alice", ("devs", "system:authenticated"))
BOT = User("system:serviceaccount:ops:bot", ("system:serviceaccounts", "system:serviceaccounts:ops"))

POLICY = make_policy(
    roles=[
        {
            "metadata": {"name": "reader", "namespace": "a"},
            "rules": [{"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods", "pods/log"]}],
        },
        {
            "metadata": {"name": "one", "namespace": "a"},
            "rules": [{"verbs": ["*"], "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["mine"]}],
        },
    ],
    cluster_roles=[
        {
            "metadata": {"name": "status"},
            "rules": [
                {"verbs": ["patch"], "apiGroups": ["*"], "resources": ["*/status"]},
                {"verbs": ["get"], "nonResourceURLs": ["/metrics", "/debug/*"]},
            ],
        }
    ],
    bindings=[
        {
            "metadata": {"namespace": "a", "name": "x"},
            "roleRef": {"kind": "Role", "name": "reader"},
            "subjects": [{"kind": "Group", "name": "devs"}],
        },
        {
            "metadata": {"namespace": "a", "name": "y"},
            "roleRef": {"kind": "Role", "name": "one"},
            "subjects": [{"kind": "ServiceAccount", "name": "bot", "namespace": "ops"}],
        },
        {
            "metadata": {"namespace": "b", "name": "z"},
            "roleRef": {"kind": "Role", "name": "missing"},
            "subjects": [{"kind": "User", "name": "alice"}],
        },
    ],
    cluster=[
        {
            "metadata": {"name": "s"},
            "roleRef": {"kind": "ClusterRole", "name": "status"},
            "subjects": [{"kind": "Group", "name": "system:serviceaccounts:ops"}],
        }
    ],
)


@pytest.mark.parametrize(
    ("user", "asked", "allowed"),
    [
        (ALICE, Attributes(verb="get", resource="pods", namespace="a", name="p"), True),
        (ALICE, Attributes(verb="get", resource="pods", subresource="log", namespace="a", name="p"), True),
        (ALICE, Attributes(verb="get", resource="pods", subresource="exec", namespace="a", name="p"), False),
        (ALICE, Attributes(verb="delete", resource="pods", namespace="a", name="p"), False),
        (ALICE, Attributes(verb="get", resource="pods", namespace="b", name="p"), False),
        (ALICE, Attributes(verb="list", resource="pods"), False),
        (ALICE, Attributes(verb="get", group="apps", resource="pods", namespace="a"), False),
        (BOT, Attributes(verb="update", resource="secrets", namespace="a", name="mine"), True),
        (BOT, Attributes(verb="update", resource="secrets", namespace="a", name="yours"), False),
        (BOT, Attributes(verb="list", resource="secrets", namespace="a"), False),
        (BOT, Attributes(verb="patch", group="any.org", resource="things", subresource="status", name="t"), True),
        (BOT, Attributes(verb="patch", group="any.org", resource="things", name="t"), False),
        (BOT, Attributes(verb="get", path="/metrics"), True),
        (BOT, Attributes(verb="get", path="/debug/pprof"), True),
        (BOT, Attributes(verb="get", path="/metrics/more"), False),
        (User("root", ("system:masters",)), Attributes(verb="anything", resource="anything"), True),
        (User("system:anonymous", ("system:unauthenticated",)), Attributes(verb="get", path="/metrics"), False),
    ],
)
def test_a_request_is_allowed_exactly_if_a_rule_covers_it(user: User, asked: Attributes, *, allowed: bool) -> None:
    assert POLICY.allows(user, asked) is allowed


_words = st.sampled_from(["a", "b", "c", "*"])
_resources = st.sampled_from(["pods", "pods/log", "secrets", "*", "*/log"])
_rules = st.builds(
    Rule,
    st.lists(_words, min_size=1, max_size=3).map(tuple),
    st.lists(_words, min_size=1, max_size=2).map(tuple),
    st.lists(_resources, min_size=1, max_size=3).map(tuple),
    st.lists(st.sampled_from(["x", "y"]), max_size=2).map(tuple),
)
_asked = st.builds(
    Attributes,
    verb=st.sampled_from(["a", "b", "c", "d"]),
    group=st.sampled_from(["a", "b", "d"]),
    resource=st.sampled_from(["pods", "secrets", "nodes"]),
    subresource=st.sampled_from(["", "log", "exec"]),
    name=st.sampled_from(["", "x", "z"]),
)


@given(st.lists(_rules, max_size=3), st.lists(_rules, max_size=3), _asked)
def test_what_escalation_lets_through_grants_nothing_new(
    wanted: list[Rule], owned: list[Rule], asked: Attributes
) -> None:
    if not uncovered(wanted, owned) and any(rule.covers(asked) for rule in wanted):
        assert any(rule.covers(asked) for rule in owned)


@given(st.lists(_rules, max_size=3))
def test_everyone_may_grant_what_they_have(rules: list[Rule]) -> None:
    assert uncovered(rules, rules) == []


@given(_rules, st.lists(_rules, max_size=3), _asked)
def test_more_rules_never_allow_less(extra: Rule, rules: list[Rule], asked: Attributes) -> None:
    if any(rule.covers(asked) for rule in rules):
        assert any(rule.covers(asked) for rule in [*rules, extra])


def test_aggregation_gathers_the_chosen_roles_and_not_itself() -> None:
    rule = {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}
    part = {"metadata": {"name": "part", "labels": {"to": "view"}}, "rules": [rule, rule]}
    other = {"metadata": {"name": "other"}, "rules": [{**rule, "verbs": ["delete"]}]}
    whole = {
        "metadata": {"name": "whole", "labels": {"to": "view"}},
        "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"to": "view"}}]},
    }
    assert aggregated(whole, [part, other, whole]) == [rule]
    assert aggregated(part, [part, other, whole]) is None
