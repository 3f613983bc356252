from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from reference_impl.meter_script import counter_name
from reference_impl.planner.metrics import connection_metrics
from reference_impl.planner.status import PeerReport
from reference_impl.protocols.health import Health, RoundTrips
from reference_impl.state import Count, Flow
from reference_impl.tests.planner.facts import endpoint

LOCAL = endpoint(1)


def report(health: Health, *times: float, hostname: str = "west-1") -> PeerReport:
    trips = RoundTrips()
    for time in times:
        trips.add(time)
    peer = replace(endpoint(2), hostname=hostname)
    return PeerReport(endpoint=peer, health=health, silent_for=0.25, round_trips=trips)


def samples(text: str, name: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith(f"{name}{{")]


def test_exactly_the_status_that_holds_is_one() -> None:
    for health in Health:
        found = samples(connection_metrics(LOCAL, [report(health)], {}), "submariner_connections")
        assert [line for line in found if line.endswith(" 1.0")] == [
            line for line in found if f'status="{health.value}"' in line
        ]


def test_latency_is_the_last_round_trip_and_nothing_before_the_first() -> None:
    name = "submariner_connection_latency_seconds"
    (line,) = samples(connection_metrics(LOCAL, [report(Health.CONNECTED, 0.5, 0.125)], {}), name)
    assert line.endswith("} 0.125")
    assert samples(connection_metrics(LOCAL, [report(Health.CONNECTING)], {}), name) == []


@given(st.text())
def test_a_peers_name_never_becomes_a_line_of_its_own(hostname: str) -> None:
    text = connection_metrics(LOCAL, [report(Health.CONNECTED, 0.1, hostname=hostname)], {})
    assert len(text.split("\n")) == len(connection_metrics(LOCAL, [report(Health.CONNECTED, 0.1)], {}).split("\n"))


def test_two_ip_versions_of_one_peer_are_two_series() -> None:
    both = [report(Health.CONNECTED, 0.1), replace(report(Health.LOST, 0.2), version=6)]
    found = samples(connection_metrics(LOCAL, both, {}), "submariner_connection_latency_seconds")
    assert len({line.rpartition(" ")[0] for line in found}) == len(both)


def test_traffic_is_counted_by_peer_once_whatever_its_ip_versions() -> None:
    passed = {Flow.RECEIVED: Count(packets=3, octets=300), Flow.SENT: Count(packets=4, octets=400)}
    both = [replace(report(Health.CONNECTED, 0.1), version=version) for version in (4, 6)]
    cluster = both[0].endpoint.cluster_id
    text = connection_metrics(LOCAL, both, {counter_name(cluster, flow): count for flow, count in passed.items()})
    for flow, count in passed.items():
        for unit, value in (("bytes", count.octets), ("packets", count.packets)):
            name = f"submariner_gateway_{flow.value}_{unit}"
            assert f"# TYPE {name} counter\n" in text
            (line,) = samples(text, name)
            assert line.endswith(f"}} {float(value)}")


def test_what_nobody_counts_has_no_sample() -> None:
    assert samples(connection_metrics(LOCAL, [report(Health.CONNECTED, 0.1)], {}), "submariner_gateway_rx_bytes") == []
