"""Wrong secrets and borrowed names are made at the broker and gone afterwards; reasons are found where they stand."""

from __future__ import annotations

import base64
import copy
import random
from typing import TYPE_CHECKING, Any

import pytest

from l3conf.plugin.cluster_api import Answer
from l3conf.plugin.impostors import name_borrowed, other_keys_published
from l3conf.plugin.reasons import names

if TYPE_CHECKING:
    from l3conf.plugin.cluster_api import ClusterAPI

GENERATOR = random.Random(1)  # noqa: S311 - order, not secrets
KEY = base64.b64encode(bytes(range(32))).decode()
PATH = "/apis/submariner.io/v1/namespaces/broker/endpoints"


def endpoint(member: str, **config: str) -> dict[str, Any]:
    metadata = {"name": member, "namespace": "broker", "labels": {"submariner-io/clusterID": member}}
    spec = {"cluster_id": member, "subnets": [f"{member}/24"], "private_ip": member, "backend_config": config}
    return {"apiVersion": "submariner.io/v1", "kind": "Endpoint", "metadata": metadata, "spec": spec}


class Broker:
    """Endpoints in memory, as far as the module asks."""

    def __init__(self, *endpoints: dict[str, Any]) -> None:
        self.objects = {obj["metadata"]["name"]: obj for obj in endpoints}

    def items(self, _path: str) -> list[dict[str, Any]]:
        return [copy.deepcopy(obj) for obj in self.objects.values()]

    def request(self, method: str, path: str, *, body: Any = None, content_type: str = "") -> Answer:  # noqa: ANN401, ARG002 - JSON
        if method == "POST":
            assert path == PATH
            self.objects[body["metadata"]["name"]] = body
        elif method == "PATCH":
            self.objects[path.removeprefix(f"{PATH}/")]["spec"] |= body["spec"]
        else:
            assert method == "DELETE"
            del self.objects[path.removeprefix(f"{PATH}/")]
        return Answer(status=200, body={})


def as_api(broker: Broker) -> ClusterAPI:
    return broker  # type: ignore[return-value]


def test_another_key_of_the_same_length_stands_there_for_a_while() -> None:
    broker = Broker(endpoint("west", publicKey=KEY, port="4500"), endpoint("east", publicKey=KEY))
    before = copy.deepcopy(broker.objects)
    with other_keys_published(as_api(broker), "west", GENERATOR):
        published = broker.objects["west"]["spec"]["backend_config"]
        assert published["port"] == "4500"
        assert published["publicKey"] != KEY
        assert len(base64.b64decode(published["publicKey"])) == 32
        assert broker.objects["east"] == before["east"]
    assert broker.objects == before


def test_without_a_published_key_nothing_can_be_said() -> None:
    with (
        pytest.raises(pytest.skip.Exception, match="publishes no key"),
        other_keys_published(as_api(Broker(endpoint("west", port="4500"))), "west", GENERATOR),
    ):
        pass


def test_a_borrowed_name_has_the_writers_place_and_the_victims_ranges() -> None:
    broker = Broker(endpoint("a", publicKey="A"), endpoint("c", publicKey="C"))
    before = copy.deepcopy(broker.objects)
    with name_borrowed(as_api(broker), "c", "a"):
        (forged,) = [obj for name, obj in broker.objects.items() if name not in before]
        assert forged["metadata"]["labels"] == {"submariner-io/clusterID": "c"}
        assert (forged["spec"]["cluster_id"], forged["spec"]["subnets"]) == ("a", ["a/24"])
        assert (forged["spec"]["private_ip"], forged["spec"]["backend_config"]) == ("c", {"publicKey": "C"})
    assert broker.objects == before


def gateway(said: str = "", **condition: str) -> dict[str, Any]:
    entry = {"status": "error", "statusMessage": said, "endpoint": {"cluster_id": "west"}}
    return {
        "metadata": {"name": "g"},
        "status": {"haStatus": "active", "connections": [entry], "conditions": [condition]},
    }


def cluster(cluster_id: str, **condition: str) -> dict[str, Any]:
    return {"spec": {"cluster_id": cluster_id}, "status": {"conditions": [condition]}}


@pytest.mark.parametrize(
    ("gateways", "clusters", "found"),
    [
        ([gateway("Wrong: key")], [], True),
        ([gateway(reason="Wrong", message="west: key")], [], True),
        ([gateway(reason="Wrong", message="east: key")], [], False),
        ([gateway(reason="Wrong", message="the key of west")], [], True),
        ([gateway(reason="Wrong", message="northwest: key; west-2: key; western: key")], [], False),
        ([gateway("lost")], [cluster("west", type="Accepted", status="False", reason="Wrong")], True),
        ([gateway("lost")], [cluster("west", type="Wrong", status="True", reason="Key")], True),
        ([gateway("lost")], [cluster("west", type="Wrong", status="False", reason="Key")], False),
        ([gateway("lost")], [cluster("east", type="Accepted", status="False", reason="Wrong")], False),
        ([], [], False),
    ],
)
def test_a_reason_is_found_where_it_is_said_of_that_peer(
    gateways: list[dict[str, Any]], clusters: list[dict[str, Any]], *, found: bool
) -> None:
    assert names(gateways, clusters, "west", "Wrong") is found
