"""Which endpoints a node's proxy uses, and when it loads rules."""

from __future__ import annotations

import asyncio
from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from l3conf.emulator.proxy.kube_proxy import KubeProxy
from l3conf.emulator.proxy.ruleset import ruleset
from l3conf.emulator.proxy.service_ports import service_ports
from l3conf.model.topology import IPFamily
from l3conf.tests.controllers.cluster import cluster, on_loop, pod, service
from l3conf.tests.node.fake_ground import FakeGround

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

JSON = dict[str, Any]


def endpoint(address: str, *, ready: bool = True, serving: bool = True, terminating: bool = False) -> JSON:
    conditions = {"ready": ready, "serving": serving, "terminating": terminating}
    return {"addresses": [address], "conditions": conditions, "nodeName": "n1" if address.endswith(".2") else "n2"}


def piece(*endpoints: JSON, name: str = "svc-1", **port: Any) -> JSON:  # noqa: ANN401 - JSON
    labels = {"kubernetes.io/service-name": "svc"}
    return {
        "metadata": {"name": name, "namespace": "default", "labels": labels},
        "addressType": "IPv4",
        "endpoints": list(endpoints),
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP", **port}],
    }


def backends(*slices: JSON) -> list[str]:
    wanted = service(clusterIP="10.101.0.20")
    (port,) = service_ports([wanted], list(slices), node="n1", family=IPFamily.IPV4)
    return [f"{item.address}:{item.port}{' here' if item.local else ''}" for item in port.backends]


def test_ready_endpoints_of_all_slices_serve() -> None:
    slices = [piece(endpoint("10.1.0.3"), endpoint("10.1.0.4", ready=False)), piece(endpoint("10.1.0.2"), name="svc-2")]
    assert backends(*slices) == ["10.1.0.2:8080 here", "10.1.0.3:8080"]


def test_terminating_endpoints_serve_only_where_no_other_is_left() -> None:
    draining = endpoint("10.1.0.3", ready=False, terminating=True)
    assert backends(piece(draining)) == ["10.1.0.3:8080"]
    assert backends(piece(draining, endpoint("10.1.0.4"))) == ["10.1.0.4:8080"]
    assert backends(piece(endpoint("10.1.0.3", ready=False, serving=False, terminating=True))) == []


def test_a_slice_without_the_port_does_not_serve_it() -> None:
    assert backends(piece(endpoint("10.1.0.3"), name="x", protocol="UDP")) == []


def test_headless_and_external_names_are_not_proxied() -> None:
    headless, external = service(clusterIP="None"), service("e", type="ExternalName", externalName="example.org")
    assert service_ports([headless, external], [], node="n1", family=IPFamily.IPV4) == []


@given(st.permutations(["10.1.0.2", "10.1.0.3", "10.1.0.4"]), st.randoms())
def test_the_text_does_not_depend_on_the_order_of_arrival(addresses: list[str], random: Random) -> None:
    services = [service(name, clusterIP=f"10.101.0.{index}") for index, name in enumerate(("svc", "b", "c"), start=1)]
    random.shuffle(services)
    slices = [piece(endpoint(address), name=address) for address in addresses]

    def text(services: list[JSON], slices: list[JSON]) -> str:
        ports = service_ports(services, slices, node="n1", family=IPFamily.IPV4)
        return ruleset(ports, family=IPFamily.IPV4, cluster_cidrs=[IPv4Network("10.1.0.0/16")])

    assert text(services, slices) == text(sorted(services, key=str), sorted(slices, key=str))


@on_loop
async def test_rules_are_loaded_once_for_a_burst_and_not_for_nothing(tmp_path: Path) -> None:
    async with cluster(tmp_path, nodes=1) as east:
        ground = FakeGround("n1")
        proxy = KubeProxy(east.api, ground=ground, cluster_cidrs=[IPv4Network("10.1.0.0/16")])
        proxy.start()
        east.api.create("services", service())
        for index in range(5):
            east.api.create("pods", pod(f"p{index}"))
        await east.running(5)
        await east.settled()
        async with asyncio.timeout(5):  # slices gather bursts too: the last one may still be under way
            while not ground.rulesets or ground.rulesets[-1].count("dnat to 10.1.0.") != 5:
                ground.loaded.clear()
                await ground.loaded.wait()
        await asyncio.wait_for(proxy.synced.wait(), 5)
        assert len(ground.rulesets) <= 3
        loaded = len(ground.rulesets)
        east.api.patch("services", "svc", {"metadata": {"labels": {"x": "y"}}}, namespace="default")
        await east.settled()
        await asyncio.wait_for(proxy.synced.wait(), 5)
        assert len(ground.rulesets) == loaded
        await proxy.stop()


@on_loop
async def test_a_failed_load_is_tried_again(tmp_path: Path) -> None:
    class Stubborn(FakeGround):
        failures = 1

        async def load_ruleset(self, ruleset: str) -> None:
            if self.failures:
                self.failures -= 1
                raise OSError("nft: no such thing")
            await super().load_ruleset(ruleset)

    async with cluster(tmp_path) as east:
        ground = Stubborn("n1")
        proxy = KubeProxy(east.api, ground=ground, cluster_cidrs=[])
        proxy.start()
        await asyncio.wait_for(proxy.synced.wait(), 5)
        assert len(ground.rulesets) == 1
        await proxy.stop()
