"""String formats that CustomResourceDefinitions may name, accepted as Go's parsers accept them.

kube-apiserver ignores formats it does not know; so does :func:`check`. Hyphens in a format's name mean nothing
(``date-time`` is ``datetime``). Left out on purpose, and so not checked: ISBN, credit card, SSN and colours.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import ipaddress
import re
from email.utils import parseaddr
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

_UUID = r"(?i)[0-9a-f]{8}-?[0-9a-f]{4}-?%s-?%s-?[0-9a-f]{12}"
_ANY_HEX, _VARIANT = "[0-9a-f]{4}", "[89ab][0-9a-f]{3}"
_LABEL = r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_NAME = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_DURATION = r"[-+]?(0|((\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))+)"  # both signs for micro, as in Go
_LONG_DURATION = r"\d+\s*(ns|nano|us|micro|ms|milli|s|sec|second|m|min|minute|h|hr|hour|d|day|w|wk|week)s?"
_DATE_TIME = re.compile(r"(\d{4}-\d{2}-\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(\.\d+)?([Zz]|[+-]\d{2}:?\d{2})", re.ASCII)


def check(format_name: str, value: str) -> bool:
    """Tell whether ``value`` has the format; True for formats that nobody checks."""
    checker = _CHECKERS.get(format_name.replace("-", ""))
    return checker is None or checker(value)


def is_cidr(value: str) -> bool:
    """Accept what Go's ``net.ParseCIDR`` accepts: host bits may be set, a netmask may not be dotted."""
    address, slash, bits = value.partition("/")
    if not slash or not (bits.isascii() and bits.isdigit()) or not is_ip(address):
        return False
    return int(bits) <= ipaddress.ip_address(address).max_prefixlen


def is_ip(value: str) -> bool:
    """Accept what Go's ``net.ParseIP`` accepts: no zone, no leading zeros."""
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return "%" not in value


def _is_date(value: str) -> bool:
    try:
        dt.date.fromisoformat(value)
    except ValueError:
        return False
    return len(value) == len("2006-01-02")


def _is_date_time(value: str) -> bool:
    match = _DATE_TIME.fullmatch(value)
    if match is None or not _is_date(match[1]):
        return False
    return int(match[2]) < 24 and int(match[3]) < 60 and int(match[4]) < 60  # noqa: PLR2004  # the clock's own limits


def _is_base64(value: str) -> bool:
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _is_uri(value: str) -> bool:
    """Accept what ``url.ParseRequestURI`` accepts: an absolute URI or an absolute path."""
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return " " not in value and (bool(parts.scheme) or value.startswith("/"))


def _is_hostname(value: str) -> bool:
    labels = value.split(".")
    if len(value) > 255 or not all(re.fullmatch(_LABEL, label) for label in labels):  # noqa: PLR2004  # RFC 1035, 2.3.4
        return False
    return len(labels) == 1 or re.fullmatch("[a-zA-Z]{2,63}", labels[-1]) is not None


def _matching(pattern: str, longest: int | None = None) -> Callable[[str], bool]:
    compiled = re.compile(pattern, re.ASCII)
    return lambda value: compiled.fullmatch(value) is not None and (longest is None or len(value) <= longest)


_CHECKERS: dict[str, Callable[[str], bool]] = {
    "byte": _is_base64,
    "cidr": is_cidr,
    "date": _is_date,
    "datetime": _is_date_time,
    "duration": _matching(f"{_DURATION}|{_LONG_DURATION}"),
    "email": lambda value: re.fullmatch(r"[^@\s]+@[^@\s]+", parseaddr(value)[1]) is not None,
    "hostname": _is_hostname,
    "ipv4": lambda value: "." in value and is_ip(value),
    "ipv6": lambda value: ":" in value and is_ip(value),
    "k8slongname": _matching(rf"{_NAME}(\.{_NAME})*", 253),
    "k8sshortname": _matching(_NAME, 63),
    "mac": _matching(r"[0-9a-fA-F]{2}(([:-])[0-9a-fA-F]{2}){5,19}|[0-9a-fA-F]{4}(\.[0-9a-fA-F]{4}){2,9}"),
    "uri": _is_uri,
    "uuid": _matching(_UUID % (_ANY_HEX, _ANY_HEX)),
    "uuid3": _matching(_UUID % ("3[0-9a-f]{3}", _ANY_HEX)),
    "uuid4": _matching(_UUID % ("4[0-9a-f]{3}", _VARIANT)),
    "uuid5": _matching(_UUID % ("5[0-9a-f]{3}", _VARIANT)),
}
"""By name without hyphens. ``password`` and unknown formats are absent: any string will do."""
