from __future__ import annotations

from reference_impl.planner.conditions import FALSE, TRUE
from reference_impl.planner.hiding import hiding
from reference_impl.planner.mailboxes import owner_of, plan_mailboxes
from reference_impl.tests.planner.test_mailboxes import BOXES, COMMON, EVERYTHING, carried_out, cluster, facts


def test_members_that_share_the_common_namespace_are_named_and_copies_there_are_nobodys_sharing() -> None:
    objects = carried_out(EVERYTHING, plan_mailboxes(facts(EVERYTHING)))
    said = hiding(objects, COMMON, BOXES)
    assert (said.status, said.reason, said.message.rpartition(": ")[2]) == (FALSE, "SharedNamespace", "d")
    without = [obj for obj in objects if owner_of(obj) != "d"]
    assert hiding(without, COMMON, BOXES).status == TRUE


def test_who_got_a_mailbox_shares_until_it_has_moved() -> None:
    objects = [cluster("a", COMMON), cluster("b")]
    assert hiding(objects, COMMON, BOXES).message.endswith(": a")
