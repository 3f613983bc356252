"""Phantoms are like those who are there, each with keys of its own; and all of them are gone afterwards."""

from __future__ import annotations

import base64
import copy
from typing import TYPE_CHECKING, Any

from l3conf.plugin.cluster_api import Answer
from l3conf.plugin.phantoms import Phantoms

if TYPE_CHECKING:
    from l3conf.plugin.cluster_api import ClusterAPI

KEY = base64.b64encode(bytes(range(32))).decode()


class Broker:
    """Clusters and Endpoints in memory, by kind and name."""

    def __init__(self, *endpoints: dict[str, Any]) -> None:
        self.objects = {("endpoints", obj["metadata"]["name"]): obj for obj in endpoints}
        if endpoints:
            self.objects["clusters", "west"] = copy.deepcopy(endpoints[0])

    def items(self, path: str) -> list[dict[str, Any]]:
        kind = path.rsplit("/", 1)[1]
        return [copy.deepcopy(obj) for (one, _), obj in self.objects.items() if one == kind]

    def request(self, method: str, path: str, *, body: Any = None) -> Answer:  # noqa: ANN401 - JSON
        if method == "POST":
            namespace, kind = path.rsplit("/", 2)[1:]
            body = {**body, "metadata": {**body["metadata"], "namespace": namespace}}
            self.objects[kind, body["metadata"]["name"]] = body
        else:
            assert method == "DELETE"
            kind, name = path.rsplit("/", 2)[1:]
            del self.objects[kind, name]
        return Answer(status=200, body={})

    def spec(self, of: str) -> dict[str, Any]:
        (spec,) = [obj["spec"] for (kind, _), obj in self.objects.items() if kind == "endpoints" and of in str(obj)]
        return dict(spec)


def member(backend: str, **config: str) -> dict[str, Any]:
    labels = {"submariner-io/clusterID": "west"}
    metadata = {"name": "west-cable", "namespace": "broker", "labels": labels}
    return {"metadata": metadata, "spec": {"cluster_id": "west", "backend": backend, "backend_config": config}}


def phantoms(broker: Broker) -> Phantoms:
    api: ClusterAPI = broker  # type: ignore[assignment]
    return Phantoms.like_members(api)


def test_where_members_publish_keys_each_phantom_has_one_of_its_own() -> None:
    broker = Broker(member("wireguard", publicKey=KEY, **{"udp-port": "4500"}))
    with phantoms(broker) as some:
        some.join("one")
        some.join("two")
        one, two = (broker.spec(f"l3conf-phantom-{name}") for name in ("one", "two"))
        keys = {spec["backend_config"]["publicKey"] for spec in (one, two)}
        assert len(keys | {KEY}) == 3
        assert {len(base64.b64decode(key, validate=True)) for key in keys} == {32}
        assert one["backend"] == "wireguard"


def test_where_members_publish_none_phantoms_do_not_either() -> None:
    broker = Broker(member("vxlan", **{"udp-port": "4500"}))
    with phantoms(broker) as some:
        some.join("one")
        assert broker.spec("l3conf-phantom-one")["backend_config"] == {"udp-port": "4500"}


def test_nothing_of_them_stays() -> None:
    broker = Broker(member("vxlan"))
    before = copy.deepcopy(broker.objects)
    with phantoms(broker) as some:
        some.join("one")
        assert broker.objects != before
        assert some.join_malformed() != []
    assert broker.objects == before
