"""What is reported of paths and round trips is judged by packets, and never by what was not seen."""

from __future__ import annotations

import math
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l3conf.capture.packets import UDP, Packet
from l3conf.plugin.paths import FORMATS, associations, fragments, misreported, mtu_of
from l3conf.plugin.round_trips import Samples, order_faults, seconds
from l3conf.probes.packets import udp_packet

WEST = ip_address("172.16.2.10")
PRIVATE = [ip_network("172.16.2.0/24")]
VXLAN = b"\x08\0\0\0\0\x03\xe8\0" + bytes(12) + b"\x08\x00" + bytes(1100)
WIREGUARD = b"\x04\0\0\0" + bytes(1100)
ESP_IN_UDP = b"\xc0\xff\xee\x01" + bytes(1100)
PAYLOADS = {"vxlan": VXLAN, "wireguard": WIREGUARD, "libreswan": ESP_IN_UDP}


def packet(payload: bytes, to: str = str(WEST), *, flags: int = 0) -> Packet:
    data = bytearray(udp_packet(ip_address("172.16.1.10"), ip_address(to), 4500, payload, ttl=None))
    data[6:8] = flags.to_bytes(2, "big")
    return Packet(
        time=0.0,
        source=ip_address("172.16.1.10"),
        destination=ip_address(to),
        protocol=UDP,
        traffic_class=0,
        source_port=4500,
        destination_port=4500,
        payload=payload,
        data=bytes(data),
    )


def entry(**changes: object) -> dict[str, Any]:
    said = {"usingIP": str(WEST), "usingNAT": False, "endpoint": {"backend": "vxlan", "private_ip": str(WEST)}}
    return said | changes


def test_a_path_that_is_reported_as_it_is_has_no_faults() -> None:
    assert misreported(entry(), [packet(VXLAN)] * 3, size=1000, private=PRIVATE) == []


@pytest.mark.parametrize("backend", PAYLOADS)
def test_each_format_is_its_own_driver_s_alone(backend: str) -> None:
    assert [name for name, fits in FORMATS.items() if fits(packet(PAYLOADS[backend]))] == [backend]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"usingIP": "192.0.2.10"}, "packets go to 172.16.2.10"),
        ({"usingNAT": True}, "usingNAT is True"),
        ({"usingNAT": None}, "usingNAT is None"),
        ({"endpoint": {"backend": "wireguard"}}, "no packet has that format"),
        ({"endpoint": {}}, "names no cable driver"),
    ],
)
def test_whatever_is_reported_otherwise_is_named(said: dict[str, Any], words: str) -> None:
    (line,) = misreported(entry(**said), [packet(VXLAN)] * 3, size=1000, private=PRIVATE)
    assert words in line


def test_an_address_that_is_nobody_s_own_is_a_translated_one() -> None:
    sent = [packet(VXLAN, "192.0.2.10")]
    assert misreported(entry(usingIP="192.0.2.10", usingNAT=True), sent, size=1000, private=PRIVATE) == []
    assert misreported(entry(usingIP="192.0.2.10"), sent, size=1000, private=PRIVATE) != []


def test_a_driver_that_nobody_here_knows_is_not_judged() -> None:
    said = entry(endpoint={"backend": "geneve"})
    assert misreported(said, [packet(bytes(1100))], size=1000, private=PRIVATE) == []


def test_a_path_without_packets_is_never_a_true_one() -> None:
    assert misreported(entry(), [packet(b"small")], size=1000, private=PRIVATE) != []


def test_only_esp_has_associations_and_only_large_packets_count() -> None:
    sent = [packet(ESP_IN_UDP), packet(ESP_IN_UDP[:200].replace(b"\xc0", b"\xc1")), packet(VXLAN), packet(WIREGUARD)]
    assert associations(sent, size=1000) == {0xC0FFEE01}


@pytest.mark.parametrize("mtu", [None, 0, "1450"])
def test_an_mtu_that_is_not_reported_is_a_finding(mtu: object) -> None:
    with pytest.raises(AssertionError, match="reports no MTU"):
        mtu_of({"mtu": mtu})


def test_fragments_are_told_by_their_header_and_df_is_none() -> None:
    sent = [packet(VXLAN), packet(VXLAN, flags=0x4000), packet(VXLAN, flags=0x2000), packet(VXLAN, flags=0x00B9)]
    assert len(fragments(sent)) == len(sent[2:])


@pytest.mark.parametrize(
    ("text", "value"), [("612.5µs", 612.5e-6), ("1m3.5s", 63.5), ("0s", 0.0), ("40ms", 0.04), ("1h0m1s", 3601.0)]
)
def test_durations_are_read_as_go_writes_them(text: str, value: float) -> None:
    assert math.isclose(seconds(text), value)


@pytest.mark.parametrize("text", ["", "5", "ms", "-1ms", "1 ms", None])
def test_what_is_no_duration_is_a_finding(text: object) -> None:
    with pytest.raises(AssertionError, match="no duration"):
        seconds(text)


def test_times_out_of_order_are_a_finding() -> None:
    good = {"last": "2ms", "min": "1ms", "average": "2ms", "max": "3ms", "stdDev": "1ms"}
    assert order_faults(good) == []
    assert order_faults({**good, "last": "4ms"}) == ["last 4ms is outside of 1ms to 3ms"]


def test_who_is_late_now_and_then_is_right_all_the_same() -> None:
    assert Samples({1: 0.081, 6: 0.051}, [0.05, 0.3, 0.05, 0.05, 0.05]).difference() == ""
    assert Samples({1: 0.081, 6: 0.071}, [0.05, 0.3, 0.05, 0.05, 0.05]).difference() != ""


def test_too_few_samples_agree_on_nothing() -> None:
    assert Samples({1: 0.05}, [0.05] * 9).difference() != ""
    assert Samples({1: 0.05, 6: 0.05}, [0.05]).difference() != ""


@given(st.floats(1e-5, 1), st.floats(0.3, 3))
def test_a_report_may_be_off_by_a_fifth_or_by_what_nobody_can_measure(measured: float, factor: float) -> None:
    samples = Samples({1: measured * factor, 6: measured * factor}, [measured] * 5)
    assert (samples.difference() == "") == (abs(measured * factor - measured) <= max(0.2 * measured, 0.0002))
