"""The page of metrics, asked for over loopback."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from ipaddress import ip_address

import pytest

from reference_impl.agents.metrics import Metrics
from reference_impl.meter_script import counter_name
from reference_impl.planner.status import PeerReport
from reference_impl.protocols.health import Health, RoundTrips
from reference_impl.state import Count, Flow, Tracking
from reference_impl.tests.planner.facts import endpoint

LOCAL = replace(endpoint(1), private_ip=ip_address("127.0.0.1"))
PEER = PeerReport(endpoint=endpoint(2), health=Health.CONNECTED, silent_for=0.1, round_trips=RoundTrips())


async def count() -> dict[str, Count]:
    return {counter_name(PEER.endpoint.cluster_id, flow): Count(packets=3, octets=300) for flow in Flow}


async def ask(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    return answer


def test_the_page_holds_what_was_shown_last() -> None:
    async def story() -> bytes:
        metrics = Metrics(count, port=0)
        await metrics.show(LOCAL, ())
        await metrics.show(LOCAL, [PEER])
        try:
            return await ask(metrics.port, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        finally:
            metrics.close()

    answer = asyncio.run(story())
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"submariner_connections{" in answer
    assert b"submariner_gateway_tx_packets{" in answer


@pytest.mark.parametrize("request_", [b"GET / HTTP/1.1\r\n\r\n", b"POST /metrics HTTP/1.1\r\n\r\n", b"\r\n\r\n"])
def test_nothing_else_is_there(request_: bytes) -> None:
    async def story() -> bytes:
        metrics = Metrics(count, port=0)
        await metrics.show(LOCAL, ())
        try:
            return await ask(metrics.port, request_)
        finally:
            metrics.close()

    assert asyncio.run(story()).startswith(b"HTTP/1.1 404")


def test_a_port_that_is_taken_is_no_reason_to_fall(caplog: pytest.LogCaptureFixture) -> None:
    async def story(port: int) -> int:
        metrics = Metrics(count, port=port)
        await metrics.show(LOCAL, ())
        await metrics.show(LOCAL, ())
        return metrics.port

    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert asyncio.run(story(taken.getsockname()[1])) == 0
    assert len(caplog.records) == 1


@pytest.mark.parametrize("tracking", [Tracking(entries=7, limit=9, refused=3, dropped=4), None])
def test_the_page_tells_of_flows_that_found_no_port_where_the_kernel_does(tracking: Tracking | None) -> None:
    async def story() -> bytes:
        metrics = Metrics(count, port=0, track=lambda: tracking)
        await metrics.show(LOCAL, ())
        try:
            return await ask(metrics.port, b"GET /metrics HTTP/1.1\r\n\r\n")
        finally:
            metrics.close()

    (*_, found) = [line for line in asyncio.run(story()).splitlines() if b"insert_failed" in line] or [b"none"]
    assert found.endswith(b" 3.0" if tracking else b"none")
