"""What an upgrade leaves alone: pods that carry packets."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from reference_impl.drivers.api import Resource
from reference_impl.drivers.fake_api import FakeAPI
from reference_impl.hooks.carriers import is_carrier, merged, with_carriers_kept
from reference_impl.hooks.cluster import HookCluster
from reference_impl.hooks.manifests import agents, load, with_variables
from reference_impl.mutants import VARIABLE
from reference_impl.names import CARRIER_REVISION

if TYPE_CHECKING:
    from reference_impl.drivers.api import Object


def carrier(image: str = "", revision: str = "") -> Object:
    (obj,) = [each for each in load("components/wireguard/wireguard.yaml") if each["kind"] == "DaemonSet"]
    if image:
        obj["spec"]["template"]["spec"]["containers"][0]["image"] = image
    obj["metadata"]["annotations"] = {CARRIER_REVISION: revision} if revision else {}
    return obj


def image_of(obj: Object) -> str:
    return str(obj["spec"]["template"]["spec"]["containers"][0]["image"])


def test_carriers_are_those_whose_pods_nobody_replaces() -> None:
    listed = [obj for driver in ("wireguard", "libreswan") for obj in agents(driver)]
    assert {obj["metadata"]["name"] for obj in listed if is_carrier(obj)} == {
        "submariner-wireguard",
        "submariner-wireguard-2",
        "submariner-ipsec",
    }
    assert all(CARRIER_REVISION in obj["metadata"]["annotations"] for obj in listed if is_carrier(obj))


def test_a_carrier_that_is_there_keeps_its_pods_and_agents_do_not() -> None:
    async def story() -> list[Object]:
        api = FakeAPI()
        await api.create(Resource.DAEMON_SET, carrier("l3conf/reference-impl:0.1.0"))
        wanted = agents("wireguard")
        return await with_carriers_kept(HookCluster("east", api), wanted)

    images = {obj["metadata"]["name"]: image_of(obj) for obj in asyncio.run(story()) if obj["kind"] == "DaemonSet"}
    assert images.pop("submariner-wireguard") == "l3conf/reference-impl:0.1.0"
    assert set(images.values()) == {image_of(carrier())}
    assert set(images) == {"submariner-wireguard-2", "submariner-gateway", "submariner-routeagent"}


def test_a_carrier_of_another_revision_is_replaced() -> None:
    found = carrier("old")
    assert image_of(merged(carrier("new", "1"), found)) == "old"
    assert image_of(merged(carrier("new", "2"), found)) == "new"
    assert image_of(merged(carrier("new"), carrier("old", "2"))) == "new"


def test_what_selects_a_mutant_is_not_kept_besides() -> None:
    (found,) = with_variables([carrier("old")], {VARIABLE: "x"})
    (again,) = with_variables([merged(carrier("new"), found)], {VARIABLE: "x"})
    assert again["spec"] == found["spec"]
