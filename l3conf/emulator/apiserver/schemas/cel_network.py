"""Kubernetes' CEL libraries ``ip`` and ``cidr`` (k8s.io/apiserver/pkg/cel/library, from release 1.30).

An address inside an expression is a map with the one key ``ip``, a prefix one with the one key ``cidr``: the evaluator
takes no objects of ours, and maps compare as the values do. Functions raise ValueError where CEL has an error.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from l3conf.emulator.apiserver.schemas import formats

if TYPE_CHECKING:
    from collections.abc import Callable

    from l3conf.emulator.apiserver.schemas.json_value import JSON

_IP, _CIDR = "ip", "cidr"


def _address(value: JSON) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    text = value.get(_IP) if isinstance(value, dict) else value
    if not isinstance(text, str) or not _is_ip(text):
        raise ValueError(f"IP Address {text!r} parse error during conversion from string")
    return ipaddress.ip_address(text)


def _interface(value: JSON) -> ipaddress.IPv4Interface | ipaddress.IPv6Interface:
    text = value.get(_CIDR) if isinstance(value, dict) else value
    if not isinstance(text, str) or not _is_cidr(text):
        raise ValueError(f"CIDR {text!r} parse error during conversion from string")
    return ipaddress.ip_interface(text)


def _is_ip(text: str) -> bool:
    """Refuse, as Go's netip users here do, zones and IPv4 in IPv6 clothes."""
    return formats.is_ip(text) and getattr(ipaddress.ip_address(text), "ipv4_mapped", None) is None


def _is_cidr(text: str) -> bool:
    return formats.is_cidr(text) and _is_ip(text.partition("/")[0])


def _ip(value: JSON) -> JSON:
    """Parse an address, or return the address of a prefix, host bits and all."""
    if isinstance(value, dict) and _CIDR in value:
        return {_IP: str(_interface(value).ip)}
    return {_IP: str(_address(value))}


def _is_canonical(library: JSON, text: str) -> bool:
    if library != LIBRARIES[_IP]:
        raise ValueError("no such overload")
    return str(_address(text)) == text


def _contains_ip(prefix: JSON, address: JSON) -> bool:
    return _address(address) in _interface(prefix).network


def _contains_cidr(outer: JSON, inner: JSON) -> bool:
    wide, narrow = _interface(outer).network, _interface(inner).network
    if isinstance(wide, ipaddress.IPv4Network):
        return isinstance(narrow, ipaddress.IPv4Network) and narrow.subnet_of(wide)
    return isinstance(narrow, ipaddress.IPv6Network) and narrow.subnet_of(wide)


def _is_global_unicast(value: JSON) -> bool:
    address = _address(value)
    broadcast = int(address) == 2**32 - 1 and address.version == 4  # noqa: PLR2004  # Go's IsGlobalUnicast
    return not (
        address.is_unspecified or address.is_loopback or address.is_multicast or address.is_link_local or broadcast
    )


def _is_link_local_multicast(value: JSON) -> bool:
    address = _address(value)
    scope = "224.0.0.0/24" if address.version == 4 else "ff02::/16"  # noqa: PLR2004  # IP version
    return address in ipaddress.ip_network(scope)


def as_string(value: JSON) -> str | None:
    """Return the text of an address or prefix; None for other values."""
    if isinstance(value, dict) and len(value) == 1:
        return value.get(_IP) or value.get(_CIDR)
    return None


LIBRARIES: dict[str, JSON] = {_IP: {"library": _IP}}
"""Variables that stand for namespaces, so that ``ip.isCanonical(x)`` is a call on one."""

FUNCTIONS: dict[str, Callable[..., JSON]] = {
    "cidr": lambda text: {_CIDR: str(_interface(text))},
    "containsCIDR": _contains_cidr,
    "containsIP": _contains_ip,
    "family": lambda value: _address(value).version,
    "ip": _ip,
    "isCIDR": _is_cidr,
    "isCanonical": _is_canonical,
    "isGlobalUnicast": _is_global_unicast,
    "isIP": _is_ip,
    "isLinkLocalMulticast": _is_link_local_multicast,
    "isLinkLocalUnicast": lambda value: _address(value).is_link_local,
    "isLoopback": lambda value: _address(value).is_loopback,
    "isUnspecified": lambda value: _address(value).is_unspecified,
    "masked": lambda prefix: {_CIDR: str(_interface(prefix).network)},
    "prefixLength": lambda prefix: _interface(prefix).network.prefixlen,
}
"""Callable as functions or on a receiver, as CEL does it: ``cidr(x).masked()``."""
