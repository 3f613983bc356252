"""What the kernel says of a flow, read from bytes as it sends them (linux/netfilter/nfnetlink_conntrack.h)."""

from __future__ import annotations

import struct
from ipaddress import ip_address, ip_network

import pytest

from reference_impl.drivers import conntrack_table
from reference_impl.drivers.conntrack_table import ConntrackTable, parse_entry
from reference_impl.flows import Flow

TCP, UDP, SCTP, ICMP = 6, 17, 132, 1
NESTED = 0x8000


def attribute(kind: int, value: bytes) -> bytes:
    size = 4 + len(value)
    return struct.pack("=HH", size, kind) + value + bytes(-size % 4)


def direction(kind: int, source: str, destination: str, protocol: int) -> bytes:
    first, second = (1, 2) if ip_address(source).version == 4 else (3, 4)
    ends = attribute(first, ip_address(source).packed) + attribute(second, ip_address(destination).packed)
    ports = attribute(1, bytes([protocol])) + attribute(2, b"\x15\xb3") + attribute(3, b"\x1b\x58")
    return attribute(kind | NESTED, attribute(1 | NESTED, ends) + attribute(2 | NESTED, ports))


def message(*attributes: bytes) -> bytes:
    body = struct.pack("=BBH", 2, 0, 0) + b"".join(attributes)
    return struct.pack("=IHHII", 16 + len(body), 0x100, 2, 7, 0) + body


@pytest.mark.parametrize(("protocol", "lasting"), [(TCP, True), (SCTP, True), (UDP, False), (ICMP, False)])
def test_a_translated_flow_is_read_in_both_directions(protocol: int, lasting: bool) -> None:  # noqa: FBT001
    there = direction(1, "10.0.0.5", "100.64.0.9", protocol)
    back = direction(2, "100.64.0.9", "100.70.0.1", protocol)
    entry = parse_entry(message(there, back, attribute(3, bytes(4)), attribute(12, bytes(4))))
    assert entry is not None
    assert entry.flow == Flow(
        lasting=lasting,
        source=ip_address("10.0.0.5"),
        destination=ip_address("100.64.0.9"),
        known_as=ip_address("100.70.0.1"),
        answers_from=ip_address("100.64.0.9"),
    )
    assert entry.key == there


def test_a_flow_of_ipv6_in_a_zone_is_ended_in_that_zone() -> None:
    there, back = direction(1, "fd00::1", "fd01::2", UDP), direction(2, "fd01::2", "fd00::1", UDP)
    zone = attribute(18, b"\x00\x07")
    entry = parse_entry(message(there, back, zone))
    assert entry is not None
    assert entry.key == there + zone


@pytest.mark.parametrize("kept", [1, 2])
def test_what_lacks_a_direction_is_no_flow(kept: int) -> None:
    assert parse_entry(message(direction(kept, "10.0.0.1", "10.0.0.2", TCP))) is None


def test_a_message_cut_short_is_no_flow_and_no_loop() -> None:
    whole = message(direction(1, "10.0.0.1", "10.0.0.2", TCP), direction(2, "10.0.0.2", "10.0.0.1", TCP))
    for length in range(len(whole) - 60):
        assert parse_entry(whole[:length]) is None


class Told:
    """Stands for the kernel: says what it was given."""

    def __init__(self, *messages: bytes) -> None:
        self._messages = messages

    def dump(self, *_: object) -> tuple[bytes, ...]:
        return self._messages

    def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("prefixes", "found"),
    [
        (["10.2.0.0/16"], ["10.2.0.1", "10.2.255.255"]),
        (["10.2.0.0/24", "10.3.0.7/32"], ["10.2.0.1", "10.3.0.7"]),
        (["0.0.0.0/0"], ["10.2.0.1", "10.2.255.255", "10.3.0.7"]),
        (["fd01::/16"], ["fd01::2"]),
        (["192.0.2.0/24"], []),
    ],
)
def test_flows_into_prefixes_are_found_in_whatever_order_the_kernel_tells(
    monkeypatch: pytest.MonkeyPatch, prefixes: list[str], found: list[str]
) -> None:
    version = ip_network(prefixes[0]).version
    ends = {4: ["10.2.0.1", "10.2.255.255", "10.3.0.7"], 6: ["fd01::2", "fe80::1"]}[version]
    source = {4: "10.0.0.1", 6: "fd00::1"}[version]
    flows = [(direction(1, source, end, UDP), direction(2, end, source, UDP)) for end in ends]
    for told in ([message(*flow) for flow in flows], [message(*reversed(flow)) for flow in flows]):
        monkeypatch.setattr(conntrack_table, "RawNetlink", lambda _, told=told: Told(*told))
        with ConntrackTable(version) as table:
            entries = table.entries_into([ip_network(each) for each in prefixes])
            assert [str(entry.flow.destination) for entry in entries] == found
