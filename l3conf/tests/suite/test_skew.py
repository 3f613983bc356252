"""How a version is replaced in what a member has published, and where a word about it counts."""

from __future__ import annotations

import pytest

from l3conf.plugin.skew import REASON, UNHEARD_OF, not_said, renamed


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("0.2.0", UNHEARD_OF),
        ("v0.2.0", f"v{UNHEARD_OF}"),
        ("mylink/0.2.0-rc.1", f"mylink/{UNHEARD_OF}-rc.1"),
        ("at 0.2.0.", f"at {UNHEARD_OF}."),
        ("10.2.0.0/16", "10.2.0.0/16"),
        ("0.2.01", "0.2.01"),
        ("0.2.0.1", "0.2.0.1"),
    ],
)
def test_a_version_is_replaced_where_it_stands_by_itself(text: str, after: str) -> None:
    assert renamed({"spec": {"a": [text, 1, None]}}, "0.2.0") == {"spec": {"a": [after, 1, None]}}


class API:
    name = "east"

    def __init__(self, clusters: list[dict[str, object]], gateways: list[dict[str, object]]) -> None:
        self.lists = {"clusters": clusters, "gateways": gateways}

    def items(self, path: str) -> list[dict[str, object]]:
        return self.lists[path.rpartition("/")[2]]


def cluster(owner: str, reason: str) -> dict[str, object]:
    return {"spec": {"cluster_id": owner}, "status": {"conditions": [{"type": "Accepted", "reason": reason}]}}


def gateway(message: str) -> dict[str, object]:
    entry = {"endpoint": {"cluster_id": "west"}, "status": "connected", "statusMessage": message}
    return {"metadata": {"name": "g"}, "status": {"haStatus": "active", "connections": [entry]}}


@pytest.mark.parametrize(
    ("clusters", "gateways", "said"),
    [
        ([cluster("west", REASON)], [], True),
        ([cluster("west", "Accepted")], [gateway(f"{REASON}: 99")], True),
        ([cluster("north", REASON)], [gateway("round trip")], False),
        ([], [], False),
    ],
)
def test_it_counts_in_a_condition_about_the_peer_and_in_its_connection(
    clusters: list[dict[str, object]],
    gateways: list[dict[str, object]],
    said: bool,  # noqa: FBT001 - a case
) -> None:
    assert (not_said(API(clusters, gateways), "west") == []) is said  # type: ignore[arg-type]
