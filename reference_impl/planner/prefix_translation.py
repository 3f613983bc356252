"""IPv6 clusters with the same ranges: prefixes are translated, and nothing is allocated (RFC 6296). Pure.

Every /64 inside a cluster has a /64 in its global range, and the rest of an address stays. Which one, follows from both
prefixes alone: the one that leaves checksums as they are (RFC 6296 section 3.4). So addresses are known before anybody
asks, are the same after every restart, and tell who called.
"""

from __future__ import annotations

import functools
from ipaddress import IPv6Address, IPv6Network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reference_impl.state import IPNetwork

LONGEST = 48
"""Length of a global range at most: 16 bits are needed to make up for the checksum (RFC 6296 section 3.4)."""
_SUBNET = 64
_WORD = 0xFFFF
MOST = 4096
"""Subnets of one cluster that are translated; one a node is usual."""


class AmbiguousPrefixesError(ValueError):
    """Two subnets would become the same one, or there are too many; the text names them."""


def translated(address: IPv6Address, pool: IPv6Network) -> IPv6Address:
    """Return the global address of a pod or node."""
    return _within(address, neutral_subnet(_subnet_of(address), pool))


def neutral_subnet(subnet: IPv6Network, pool: IPv6Network) -> IPv6Network:
    """Return the /64 in a global range whose words have the same one's complement sum as those of ``subnet``."""
    base = int(pool.network_address) >> _SUBNET
    word = _sum(int(subnet.network_address) >> _SUBNET) + (_WORD - _sum(base))
    word = (word & _WORD) + (word >> 16)
    # All ones is zero as well in this arithmetic; only one of them is ever written (RFC 6296 section 3.4).
    return IPv6Network(((base | (0 if word == _WORD else word)) << _SUBNET, _SUBNET))


def plan_prefixes(ranges: Iterable[IPNetwork], pool: IPv6Network) -> dict[IPNetwork, IPNetwork]:
    """Return the subnets inside by those in the global range.

    ``ranges``: what nodes give to pods; what is longer than a /64 counts as the one that it is in.
    ``AmbiguousPrefixesError`` where they cannot be told apart in the range.
    """
    if pool.prefixlen > LONGEST:
        raise AmbiguousPrefixesError(f"global range {pool} is longer than /{LONGEST}")
    found: dict[IPNetwork, IPNetwork] = {}
    for inside in sorted({subnet for each in ranges if isinstance(each, IPv6Network) for subnet in _subnets(each)}):
        outside = neutral_subnet(inside, pool)
        if outside in found:
            raise AmbiguousPrefixesError(f"{found[outside]} and {inside} would both be {outside}")
        found[outside] = inside
    return found


def plan_services(
    pods: Iterable[IPNetwork], services: Iterable[IPNetwork], pool: IPv6Network
) -> dict[IPv6Network, IPv6Network]:
    """Return the subnets in the global range for Services' subnets: none that a pod's could ever become.

    A Service's global address leads to its endpoints and never becomes its ClusterIP, so checksums do not matter here.
    """
    reach = (each for each in pods if isinstance(each, IPv6Network) and each.prefixlen >= LONGEST)
    taken = {neutral_subnet(subnet, pool) for each in reach for subnet in _all_subnets(each)}
    found: dict[IPv6Network, IPv6Network] = {}
    for inside in sorted({subnet for each in services if isinstance(each, IPv6Network) for subnet in _subnets(each)}):
        first = neutral_subnet(inside, pool)
        outside = next((each for each in _from(first, pool) if each not in taken), None)
        if outside is None:
            raise AmbiguousPrefixesError(f"pods leave no subnet of {pool} for the Services of {inside}")
        found[inside] = outside
        taken.add(outside)
    return found


def service_address(address: IPv6Address, subnets: Mapping[IPv6Network, IPv6Network]) -> IPv6Address | None:
    """Return the global address of a Service; None if its ClusterIP is in none of the subnets."""
    outside = subnets.get(_subnet_of(address))
    return None if outside is None else _within(address, outside)


def _from(first: IPv6Network, pool: IPv6Network) -> Iterable[IPv6Network]:
    """Yield the subnets that differ from ``first`` in its last word, beginning there."""
    upper = int(first.network_address) >> _SUBNET
    for step in range(_WORD):
        base, word = upper >> 16 << 16, (upper + step) & _WORD
        subnet = IPv6Network(((base | word) << _SUBNET, _SUBNET))
        if subnet.subnet_of(pool):
            yield subnet


@functools.lru_cache(maxsize=4)
def _all_subnets(prefix: IPv6Network) -> tuple[IPv6Network, ...]:
    return tuple(prefix.subnets(new_prefix=_SUBNET)) if prefix.prefixlen < _SUBNET else (_subnet_of(prefix[0]),)


def _subnet_of(address: IPv6Address) -> IPv6Network:
    return IPv6Network((int(address) >> _SUBNET << _SUBNET, _SUBNET))


def _within(address: IPv6Address, subnet: IPv6Network) -> IPv6Address:
    return IPv6Address(int(subnet.network_address) | int(address) & (1 << _SUBNET) - 1)


def _subnets(prefix: IPv6Network) -> Iterable[IPv6Network]:
    if prefix.prefixlen >= _SUBNET:
        return [prefix.supernet(new_prefix=_SUBNET)]
    if 1 << (_SUBNET - prefix.prefixlen) > MOST:
        raise AmbiguousPrefixesError(f"{prefix} has more than {MOST} subnets of /{_SUBNET}")
    return prefix.subnets(new_prefix=_SUBNET)


def _sum(upper: int) -> int:
    """Return the one's complement sum of the four words of an address's upper half."""
    total = sum(upper >> shift & _WORD for shift in (48, 32, 16, 0))
    while total > _WORD:
        total = (total & _WORD) + (total >> 16)
    return total
