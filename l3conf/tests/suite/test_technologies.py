"""Packets are recognised by what the specification of their tunnel puts in front, and by nothing else."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from l3conf.capture.packets import UDP, Packet
from l3conf.expectations.carriage import strange
from l3conf.expectations.technologies import technology_of

ETHERNET = bytes(12)
VXLAN = b"\x08\0\0\0\0\0\x64\0" + ETHERNET + b"\x08\0" + b"an IP packet"
WIREGUARD = b"\x04\0\0\0" + bytes(28)
SPI = b"\xc1\x02\x03\x04"


def packet(payload: bytes, *, port: int = 4500, protocol: int = UDP) -> Packet:
    return Packet(
        time=0.0,
        source=ip_address("192.0.2.10"),
        destination=ip_address("192.0.2.11"),
        protocol=protocol,
        traffic_class=0,
        source_port=port,
        destination_port=port,
        payload=payload,
        data=payload,
    )


@pytest.mark.parametrize(
    ("payload", "port", "name"),
    [
        (VXLAN, 4500, "vxlan"),
        (VXLAN, 4789, "vxlan"),
        (VXLAN.replace(b"\x08\0an", b"\x86\xddan"), 4789, "vxlan"),
        (WIREGUARD, 4500, "wireguard"),
        (WIREGUARD, 51820, "wireguard"),
        (SPI + bytes(60), 4500, "libreswan"),
    ],
)
def test_a_tunnel_is_recognised_on_any_port_that_its_specification_leaves_open(
    payload: bytes, port: int, name: str
) -> None:
    assert technology_of(packet(payload, port=port)) == name


@pytest.mark.parametrize(
    ("payload", "port"),
    [
        (b"\x08\0\0\0\0\0\x64\0" + ETHERNET + b"\x08\x06" + b"an ARP packet", 4789),
        (b"\x0c\0\0\0" + VXLAN[4:], 4789),
        (b"\x01\0\0\0" + bytes(144), 51820),
        (WIREGUARD + b"\0", 51820),
        (b"\x04\0\0\0" + bytes(12), 51820),
        (bytes(4) + b"an IKE message", 4500),
        (SPI + bytes(60), 4501),
        (b"", 51820),
    ],
)
def test_what_is_only_like_a_tunnel_is_none(payload: bytes, port: int) -> None:
    assert technology_of(packet(payload, port=port)) == ""


def test_esp_is_a_protocol_of_its_own() -> None:
    assert technology_of(packet(SPI, port=0, protocol=50)) == "libreswan"
    assert technology_of(replace(packet(VXLAN), protocol=6)) == ""


def test_a_pair_is_carried_by_one_technology_or_what_else_passed_is_said() -> None:
    seen = {
        ("a", "b"): [packet(WIREGUARD), packet(WIREGUARD)],
        ("a", "c"): [packet(VXLAN), packet(WIREGUARD), packet(b"in clear", port=9)],
        ("c", "a"): [],
    }
    assert strange(seen, "wireguard") == [
        "a -> c: 1 unknown, 1 vxlan, 1 wireguard, not wireguard",
        "c -> a: no packet, not wireguard",
    ]
