from __future__ import annotations

import asyncio
import json
import time
from contextlib import closing
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.agents.show import parse, show
from reference_impl.drivers.api import NotFoundError
from reference_impl.drivers.fake_api import FakeAPI
from reference_impl.drivers.fake_echo import FakeEcho
from reference_impl.names import UPDATE_TIMESTAMP
from reference_impl.planner.overview import is_well, overview, table
from reference_impl.tests.agents.cluster_set import FakeCluster, eventually, running


def gateway(status: dict[str, object], age: float = 0) -> dict[str, object]:
    stamp = {UPDATE_TIMESTAMP: str(int(time.time() - age))}
    return {"metadata": {"name": "east-1", "annotations": stamp}, "status": {"haStatus": "active", **status}}


CONNECTION = {"status": "connected", "endpoint": {"cluster_id": "west", "backend": "wireguard"}, "usingIP": "192.0.2.1"}


def test_what_a_running_gateway_reports_is_shown_to_people_and_programs() -> None:
    async def story() -> tuple[tuple[str, bool], tuple[str, bool]]:
        east, west, broker = FakeCluster(1, "east"), FakeCluster(2, "west"), FakeAPI()
        await east.add_nodes(1)
        await west.add_nodes(1)
        with closing(FakeEcho()) as one, closing(FakeEcho()) as two:
            one.alive.add(ip_address("10.2.0.1"))
            async with running(
                east.gateway(0, broker, east.kernel(0), one).run(), west.gateway(0, broker, west.kernel(0), two).run()
            ):

                async def connected() -> bool:
                    try:
                        listed = (await east.gateway_status())["connections"]
                    except NotFoundError:
                        return False
                    return [entry["status"] for entry in listed] == ["connected"]

                await eventually(connected, "east is connected")
                return await show(east.api, as_json=False), await show(east.api, as_json=True)

    (text, well), (document, _) = asyncio.run(story())
    assert well
    header, line, *_ = text.splitlines()
    assert header.split()[:4] == ["GATEWAY", "ROLE", "CLUSTER", "STATUS"]
    assert line.split()[:5] == ["east-0", "active", "west", "connected", "vxlan"]
    (entry,) = json.loads(document)["gateways"][0]["connections"]
    assert (entry["cluster"], entry["status"], entry["using"]) == ("west", "connected", "172.16.2.10")


def test_words_of_an_agent_that_is_gone_are_not_believed() -> None:
    shown = overview([gateway({"connections": [CONNECTION]}, age=60)], [], time.time())
    assert not is_well(shown)
    assert " connected" not in table(shown)


def test_one_connection_that_is_not_connected_is_enough_not_to_be_well() -> None:
    broken = {**CONNECTION, "status": "error", "statusMessage": "DriverMismatch: …"}
    shown = overview([gateway({"connections": [CONNECTION, broken]})], [], time.time())
    assert not is_well(shown)
    assert "DriverMismatch" in table(shown)


def test_nothing_installed_is_shown_as_nothing_and_is_not_well() -> None:
    text, well = asyncio.run(show(FakeAPI(), as_json=False))
    assert not well
    assert len(text.splitlines()) == 3


@given(st.dictionaries(st.sampled_from(["haStatus", "statusFailure"]), st.none() | st.integers() | st.text(max_size=5)))
def test_a_half_written_status_is_shown_as_far_as_it_goes(status: dict[str, object]) -> None:
    assert "east-1" in table(overview([gateway(status)], [], time.time()))


def test_a_strange_command_line_is_refused() -> None:
    with pytest.raises(SystemExit):
        parse(["-o", "xml"])
