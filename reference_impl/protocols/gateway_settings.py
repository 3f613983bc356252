"""What an operator says about one gateway node: labels and annotations ``gateway.submariner.io/…`` of its Node.

A label cannot hold every value (no colon), an annotation can; where both are, the annotation wins. A value that cannot
be used is reported and ignored: it must not take a working gateway down.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reference_impl.state import IPAddress

PREFIX = "gateway.submariner.io/"
_HIGHEST_PORT = 65535
_FAMILIES = {"ipv4": 4, "ipv6": 6}


@dataclass(frozen=True, slots=True)
class PublicAddress:
    """Where a gateway's public address is known from: itself, or a name that must be looked up."""

    address: IPAddress | None = None
    name: str = ""
    """A DNS name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings:
    """Settings of one gateway node; None where nothing is said."""

    udp_port: int | None = None
    """Port that cables arrive on, here and as published."""
    discovery_port: int | None = None
    """Port of NAT discovery; 0: none."""
    public_ip: PublicAddress | None = None
    preferred_server: str = ""
    """``true`` or ``false``, as published: whether this end would rather be called than call."""
    problems: tuple[str, ...] = ()
    """What cannot be used, and why."""


def parse_gateway_settings(metadata: Mapping[str, Any]) -> GatewaySettings:
    """Read the settings from a Node's metadata."""
    said = {**(metadata.get("labels") or {}), **(metadata.get("annotations") or {})}
    problems: list[str] = []

    def read(name: str) -> str:
        return str(said.get(PREFIX + name) or "").strip()

    def port(name: str, lowest: int) -> int | None:
        text = read(name)
        if not text:
            return None
        if text.isascii() and text.isdecimal() and lowest <= int(text) <= _HIGHEST_PORT:
            return int(text)
        problems.append(f"{name}: {text!r} is no port from {lowest} to {_HIGHEST_PORT}")
        return None

    preferred = read("preferred-server")
    if preferred not in ("", "true", "false"):
        problems.append(f"preferred-server: {preferred!r} is neither true nor false")
        preferred = ""
    udp_port, discovery_port = port("udp-port", 1), port("natt-discovery-port", 0)
    public_ip = _public_ip(read("public-ip"), problems)
    return GatewaySettings(
        udp_port=udp_port,
        discovery_port=discovery_port,
        public_ip=public_ip,
        preferred_server=preferred,
        problems=tuple(problems),
    )


def _public_ip(text: str, problems: list[str]) -> PublicAddress | None:
    """Read ``ipv4:192.0.2.1``, ``ipv6:2001:db8::1`` or ``dns:gateway.example.org``; the first form that is good."""
    for word in filter(None, (part.strip() for part in text.split(","))):
        form, _, value = word.partition(":")
        if form == "dns" and value:
            return PublicAddress(name=value)
        if form in _FAMILIES:
            try:
                address = ip_address(value)
            except ValueError:
                problems.append(f"public-ip: {value!r} is no address")
                continue
            if address.version == _FAMILIES[form] and not address.is_unspecified and not address.is_multicast:
                return PublicAddress(address=address)
            problems.append(f"public-ip: {value} cannot be a gateway's {form} address")
            continue
        problems.append(f"public-ip: {word!r} is neither ipv4:ADDRESS, ipv6:ADDRESS nor dns:NAME")
    return None
