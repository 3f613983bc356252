"""The owner's routes and rules, however many: dumps whose messages are decoded once (``kernel_dump``)."""

from __future__ import annotations

import functools
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any

from reference_impl.drivers.kernel_dump import GET_ROUTE, GET_RULE, Decoded, Dumps
from reference_impl.drivers.netlink import fibmsg, rtmsg
from reference_impl.names import ROUTING_TABLE
from reference_impl.state import Direction, Route, RouteKind, Rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reference_impl.state import IPNetwork, Ownership

ROUTE_TYPES = {RouteKind.UNICAST: 1, RouteKind.UNREACHABLE: 7, RouteKind.THROW: 9}
"""``rtm_type`` (linux/rtnetlink.h)."""
_KINDS = {number: kind for kind, number in ROUTE_TYPES.items()}
UNREACHABLE = 7
"""``FR_ACT_UNREACHABLE`` (linux/fib_rules.h)."""
_EVERYWHERE = {2: "0.0.0.0", 10: "::"}  # noqa: S104 - the default routes
"""By address family."""


class KernelRoutes:
    """What one owner has in our routing table, and the rules that lead there."""

    def __init__(self, ownership: Ownership) -> None:
        self._ownership = ownership
        self._names: Mapping[int, str] = {}
        self._routes: Decoded[Route] = Decoded()
        self._rules: Decoded[Rule] = Decoded()

    @functools.cached_property
    def _dumps(self) -> Dumps:
        """Opened at first use: it belongs to the thread and namespace that opens it."""
        return Dumps()

    def close(self) -> None:
        """Close the socket."""
        self._dumps.close()

    def routes(self, names: Mapping[int, str]) -> frozenset[Route]:
        """Return the owner's routes in our table; ``names`` has all devices by index."""
        if names != self._names:  # an index may mean another device now
            self._names, self._routes = names, Decoded()
        protocol = self._ownership.protocol
        dumps = [
            self._dumps.messages(GET_ROUTE, family, table=ROUTING_TABLE, protocol=protocol) for family in _EVERYWHERE
        ]
        return self._routes.values(_all(dumps), self._route)

    def rules(self) -> frozenset[Rule]:
        """Return the owner's policy rules."""
        return self._rules.values(_all(self._dumps.messages(GET_RULE, family) for family in _EVERYWHERE), self._rule)

    def _route(self, data: bytes) -> tuple[Route, ...]:
        message: Any = rtmsg(data)
        message.decode()
        kind = _KINDS.get(message["type"])
        table = message.get_attr("RTA_TABLE") or message["table"]
        if kind is None or table != ROUTING_TABLE or message["proto"] != self._ownership.protocol:
            return ()
        other = message.get_attr("RTA_VIA")
        via = message.get_attr("RTA_GATEWAY") or (other and other["addr"])
        source = message.get_attr("RTA_PREFSRC")
        unicast = kind is RouteKind.UNICAST
        return (
            Route(
                destination=_destination(message),
                metric=message.get_attr("RTA_PRIORITY") or 0,
                kind=kind,
                device=self._names.get(message.get_attr("RTA_OIF") or 0, "") if unicast else "",
                via=ip_address(via) if via and unicast else None,
                source=ip_address(source) if source else None,
            ),
        )

    def _rule(self, data: bytes) -> tuple[Rule, ...]:
        message: Any = fibmsg(data)
        message.decode()
        if message.get_attr("FRA_PROTOCOL") != self._ownership.protocol:
            return ()
        sides = ((Direction.TO, "dst"), (Direction.FROM, "src"))
        found = (
            (direction, message.get_attr(f"FRA_{side.upper()}"), message[f"{side}_len"]) for direction, side in sides
        )
        return tuple(
            Rule(direction=direction, prefix=ip_network((address, length)), rejects=message["action"] == UNREACHABLE)
            for direction, address, length in found
            if address
        )


def _destination(message: Any) -> IPNetwork:  # noqa: ANN401 - pyroute2 is untyped
    return ip_network((message.get_attr("RTA_DST") or _EVERYWHERE[message["family"]], message["dst_len"]))


def _all(dumps: Iterable[list[bytes]]) -> Iterable[bytes]:
    return (message for dump in dumps for message in dump)
