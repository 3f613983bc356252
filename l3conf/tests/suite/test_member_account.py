"""What a member's refusals prove, and when they prove nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pytest

from l3conf.errors import LabError
from l3conf.plugin.cluster_api import Answer, ClusterAPI
from l3conf.plugin.member_account import MemberAccount, confidential

if TYPE_CHECKING:
    from collections.abc import Callable

WEST = {
    kind: {
        "apiVersion": "submariner.io/v1",
        "kind": kind,
        "metadata": {"name": f"west-{kind}", "namespace": "b"},
        "spec": {"cluster_id": "west"},
    }
    for kind in ("clusters", "endpoints")
}


@dataclass
class PaperAPI:
    """An API that answers by a rule, and remembers what it was asked."""

    rule: Callable[[str], int] = lambda _method: 200
    objects: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    name: str = "paper"
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    def items(self, path: str) -> list[dict[str, Any]]:
        return self.objects.get(path.rpartition("/")[2], [])

    def get(self, path: str) -> dict[str, Any]:
        if path == "/apis":
            return {"groups": []}
        return {"resources": [{"name": "configmaps", "namespaced": True, "verbs": ["list"]}]}

    def request(self, method: str, path: str, *, body: object = None, **query: str) -> Answer:
        self.asked.append((method, path, query))
        return Answer(self.rule(method), {"message": "as ruled", "items": body and []})


def account(member: PaperAPI, admin: PaperAPI | None = None) -> MemberAccount:
    beside = admin or PaperAPI(objects={kind: [obj] for kind, obj in WEST.items()})
    return MemberAccount(member="east", namespace="b", api=cast("ClusterAPI", member), admin=cast("ClusterAPI", beside))


def test_every_verb_is_tried_as_a_dry_run_and_what_is_allowed_is_named() -> None:
    member = PaperAPI(rule=lambda method: 200 if method == "DELETE" else 403)
    allowed = account(member).writes("west")
    assert {method for method, _, _ in member.asked} == {"PUT", "PATCH", "POST", "DELETE"}
    assert all(query["dryRun"] == "All" for _, _, query in member.asked)
    assert "east: delete clusters/west-clusters" in allowed
    assert "east: delete collection endpoints/west-endpoints" in allowed
    assert len(allowed) == 4


def test_a_heartbeat_is_as_much_its_member_s_own_as_any_object() -> None:
    leases = [{"metadata": {"name": name, "namespace": "b"}, "spec": {}} for name in ("west", "west-2", "other")]
    admin = PaperAPI(objects={**{kind: [obj] for kind, obj in WEST.items()}, "leases": leases})
    allowed = account(PaperAPI(rule=lambda method: 200 if method == "PATCH" else 403), admin).writes("west")
    assert "east: patch leases/west" in allowed
    assert not [path for method, path, _ in admin.asked if (method, "/leases/" in path) == ("PUT", True)]
    assert not [words for words in allowed if "west-2" in words or "other" in words]


def test_a_credential_that_nobody_knows_proves_nothing() -> None:
    with pytest.raises(AssertionError, match="does not know the credential of east"):
        account(PaperAPI(rule=lambda _: 401)).writes("west")


def test_a_refusal_that_the_administrator_shares_is_an_error_of_the_suite() -> None:
    admin = PaperAPI(rule=lambda _: 422, objects={kind: [obj] for kind, obj in WEST.items()})
    with pytest.raises(LabError, match="the administrator was refused as well"):
        account(PaperAPI(rule=lambda _: 403), admin).writes("west")


@pytest.mark.parametrize("code", [409, 429, 503])
def test_an_answer_that_says_nothing_of_rights_is_no_refusal(code: int) -> None:
    with pytest.raises(LabError, match="was answered"):
        account(PaperAPI(rule=lambda _: code)).writes("west")


def test_a_broker_without_objects_proves_nothing() -> None:
    with pytest.raises(LabError, match="nothing can be tried"):
        account(PaperAPI(rule=lambda _: 403), PaperAPI()).writes("west")


def test_a_member_that_reads_nothing_at_all_proves_nothing() -> None:
    with pytest.raises(AssertionError, match="can read nothing"):
        account(PaperAPI(rule=lambda _: 403)).reads({"word": "a secret"})
    assert account(PaperAPI()).reads({"as ruled": "a secret"}) != []
    assert account(PaperAPI()).reads({"absent": "a secret"}) == []


def test_what_both_have_and_what_is_public_or_short_is_not_confidential() -> None:
    def secret(**data: str) -> PaperAPI:
        entry = {"metadata": {"namespace": "s", "name": "k"}, "data": data}
        return PaperAPI(objects={"secrets": [entry]})

    key, shared = "b25seSB3ZXN0IGtub3dzIHRoaXM=", "aHR0cHM6Ly8xOTIuMC4yLjI6NjQ0Mw=="
    certificate = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t"
    west = secret(key=key, server=shared, ca=certificate, flag="dHJ1ZQ==")
    found = confidential(cast("ClusterAPI", west), beside=cast("ClusterAPI", secret(server=shared)))
    assert set(found) == {key, "only west knows this"}


def test_an_object_that_its_owner_changed_meanwhile_is_tried_again_as_it_stands() -> None:
    class Moving(PaperAPI):
        def get(self, path: str) -> dict[str, Any]:
            return {"metadata": {"resourceVersion": "2"}} if path.endswith("west-endpoints") else super().get(path)

        def request(self, method: str, path: str, *, body: object = None, **query: str) -> Answer:
            old = cast("dict[str, Any]", body or {}).get("metadata", {}).get("resourceVersion") != "2"
            if method == "PUT" and path.endswith("west-endpoints") and old:
                return Answer(409, {"message": "the object has been modified"})
            return super().request(method, path, body=body, **query)

    admin = Moving(objects={kind: [obj] for kind, obj in WEST.items()})
    assert "east: update endpoints/west-endpoints" in account(PaperAPI(), admin).writes("west")
