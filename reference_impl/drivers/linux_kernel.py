"""The kernel through rtnetlink (pyroute2) and nft.

What exists is read once per observation and nothing is remembered between two, so a restart adopts what it
finds. Ownership decides what is seen at all: routes and rules by protocol number, entries by device, the
ruleset by table.
"""

from __future__ import annotations

import errno
import functools
import socket
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from reference_impl.drivers import nftables
from reference_impl.drivers.conntrack import forget_translated_flows
from reference_impl.drivers.kernel import KernelError
from reference_impl.names import ROUTING_TABLE, RULE_PRIORITY
from reference_impl.operations import Operation, Verb
from reference_impl.state import (
    Direction,
    ForwardingEntry,
    InterfaceAddress,
    KernelState,
    Link,
    Neighbour,
    Observed,
    Ownership,
    Route,
    RouteKind,
    Rule,
    Ruleset,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reference_impl.state import IPNetwork

_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
_NUD_PERMANENT = 0x80
_NTF_SELF = 2
_RTNH_F_ONLINK = 4
_GONE = frozenset({errno.ENOENT, errno.ESRCH, errno.ENODEV, errno.EADDRNOTAVAIL})
_RTN = {RouteKind.UNICAST: 1, RouteKind.UNREACHABLE: 7, RouteKind.THROW: 9}
_KINDS = {number: kind for kind, number in _RTN.items()}


class LinuxKernel:
    """The running kernel, in the network namespace of this process."""

    def __init__(self, ownership: Ownership) -> None:
        self._ownership = ownership
        self._nft = nftables.Table(ownership.table)

    @functools.cached_property
    def _netlink(self) -> Any:  # noqa: ANN401 - pyroute2 is untyped
        """Open the socket at first use: it belongs to the thread that opens it, and to no running event loop."""
        return IPRoute()

    def close(self) -> None:
        """Close the netlink socket."""
        self._netlink.close()

    def observe(self) -> Observed:
        """Read links, addresses, routes, rules, neighbours and the ruleset's digest."""
        try:
            links = {message["index"]: message for message in self._netlink.get_links()}
            digest = self._nft.digest()
            return Observed(
                state=KernelState(
                    links=frozenset(self._own_links(links)),
                    neighbours=frozenset(self._neighbours(links)),
                    forwarding=frozenset(self._forwarding(links)),
                    routes=frozenset(self._routes(links)),
                    rules=frozenset(self._rules()),
                    ruleset=None if digest is None else Ruleset(table=self._ownership.table),
                ),
                ruleset_digest=digest or "",
                addresses=tuple(self._addresses(links)),
            )
        except (NetlinkError, OSError) as error:
            raise KernelError(f"cannot read the kernel: {error}") from error

    def apply(self, operations: Iterable[Operation]) -> tuple[KernelError, ...]:
        """Carry out the steps; return those that the kernel refused."""
        steps = tuple(operations)
        failures = []
        for operation in steps:
            try:
                self._step(operation)
            except (NetlinkError, OSError) as error:
                failures.append(KernelError(f"{operation}: {error}"))
            except KernelError as error:
                failures.append(error)
        return (*failures, *self._forget_old_flows(steps))

    def _forget_old_flows(self, steps: Iterable[Operation]) -> Iterable[KernelError]:
        """Let flows begin anew towards prefixes that have just got a way of their own."""
        new = [step.item.prefix for step in steps if step.verb is Verb.SET and isinstance(step.item, Rule)]
        if not new:
            return ()
        try:
            forget_translated_flows(frozenset(new))
        except (NetlinkError, OSError) as error:
            return (KernelError(f"conntrack: {error}"),)
        return ()

    def _step(self, operation: Operation) -> None:
        remove = operation.verb is Verb.REMOVE
        try:
            match operation.item:
                case Link() as link:
                    self._remove_link(link) if remove else self._set_link(link)
                case Neighbour() as neighbour:
                    self._neighbour("del" if remove else "replace", neighbour)
                case ForwardingEntry() as entry:
                    self._entry("del" if remove else "replace", entry)
                case Route() as route:
                    self._route("del" if remove else "replace", route)
                case Rule() as rule:
                    self._rule("del" if remove else "add", rule)
                case Ruleset() as ruleset:
                    self._nft.remove() if remove else self._nft.load(ruleset)
        except NetlinkError as error:
            if not (remove and error.code in _GONE):
                raise

    def _index(self, device: str) -> int:
        found = self._netlink.link_lookup(ifname=device)
        if not found:
            raise NetlinkError(errno.ENODEV, f"no device {device}")
        return int(found[0])

    def _set_link(self, link: Link) -> None:
        common = {"address": link.mac, "mtu": link.mtu, "state": "up"}
        if self._netlink.link_lookup(ifname=link.name):
            self._netlink.link("set", index=self._index(link.name), **common)
            return
        self._netlink.link(
            "add",
            ifname=link.name,
            kind="vxlan",
            vxlan_id=link.vni,
            vxlan_port=link.port,
            vxlan_learning=False,
            **{"vxlan_local" if link.local.version == 4 else "vxlan_local6": str(link.local)},  # noqa: PLR2004
            **common,
        )

    def _remove_link(self, link: Link) -> None:
        self._netlink.link("del", index=self._index(link.name))

    def _neighbour(self, verb: str, item: Neighbour) -> None:
        self._netlink.neigh(
            verb,
            family=_FAMILIES[item.address.version],
            ifindex=self._index(item.device),
            dst=str(item.address),
            lladdr=item.mac,
            state=_NUD_PERMANENT,
        )

    def _entry(self, verb: str, item: ForwardingEntry) -> None:
        self._netlink.fdb(
            verb,
            ifindex=self._index(item.device),
            lladdr=item.mac,
            dst=str(item.destination),
            port=item.port,
            state=_NUD_PERMANENT,
            flags=_NTF_SELF,
        )

    def _route(self, verb: str, item: Route) -> None:
        request: dict[str, Any] = {
            "family": _FAMILIES[item.destination.version],
            "dst": str(item.destination),
            "table": ROUTING_TABLE,
            "priority": item.metric,
            "proto": self._ownership.protocol,
            "type": _RTN[item.kind],
        }
        if item.kind is RouteKind.UNICAST:
            request |= {"oif": self._index(item.device), "flags": _RTNH_F_ONLINK}
            if item.via is not None:
                request["gateway"] = str(item.via)
            if item.source is not None:
                request["prefsrc"] = str(item.source)
        self._netlink.route(verb, **request)

    def _rule(self, verb: str, item: Rule) -> None:
        side = "dst" if item.direction is Direction.TO else "src"
        self._netlink.rule(
            verb,
            family=_FAMILIES[item.prefix.version],
            table=ROUTING_TABLE,
            priority=RULE_PRIORITY,
            FRA_PROTOCOL=self._ownership.protocol,
            **{side: str(item.prefix.network_address), f"{side}_len": item.prefix.prefixlen},
        )

    def _own_links(self, links: dict[int, Any]) -> Iterable[Link]:
        for message in links.values():
            if message.get_attr("IFLA_IFNAME") != self._ownership.device:
                continue
            info = message.get_attr("IFLA_LINKINFO")
            data = info.get_attr("IFLA_INFO_DATA") if info and info.get_attr("IFLA_INFO_KIND") == "vxlan" else None
            local = data and (data.get_attr("IFLA_VXLAN_LOCAL") or data.get_attr("IFLA_VXLAN_LOCAL6"))
            up = message["flags"] & 1
            # A device that is down or of another kind under our name counts with MTU 0: it is set right again.
            yield Link(
                name=self._ownership.device,
                vni=data.get_attr("IFLA_VXLAN_ID") if data else 0,
                port=data.get_attr("IFLA_VXLAN_PORT") if data else 0,
                local=ip_address(local or "0.0.0.0"),  # noqa: S104 - no address, not a bind
                mac=message.get_attr("IFLA_ADDRESS") or "",
                mtu=message.get_attr("IFLA_MTU") if up else 0,
            )

    def _own_index(self, links: dict[int, Any]) -> int | None:
        return next((i for i, m in links.items() if m.get_attr("IFLA_IFNAME") == self._ownership.device), None)

    def _addresses(self, links: dict[int, Any]) -> Iterable[InterfaceAddress]:
        for message in self._netlink.get_addr():
            link = links.get(message["index"])
            address = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
            if link is not None and address:
                yield InterfaceAddress(
                    device=link.get_attr("IFLA_IFNAME"), address=ip_address(address), mtu=link.get_attr("IFLA_MTU")
                )

    def _neighbours(self, links: dict[int, Any]) -> Iterable[Neighbour]:
        index = self._own_index(links)
        if index is None:
            return
        for family in _FAMILIES.values():
            for message in self._netlink.get_neighbours(family, ifindex=index):
                if message["state"] & _NUD_PERMANENT:
                    yield Neighbour(
                        device=self._ownership.device,
                        address=ip_address(message.get_attr("NDA_DST")),
                        mac=message.get_attr("NDA_LLADDR") or "",
                    )

    def _forwarding(self, links: dict[int, Any]) -> Iterable[ForwardingEntry]:
        index = self._own_index(links)
        if index is None:
            return
        default = next(iter(self._own_links(links))).port
        for message in self._netlink.fdb("dump", ifindex=index):
            if message.get_attr("NDA_DST"):
                yield ForwardingEntry(
                    device=self._ownership.device,
                    mac=message.get_attr("NDA_LLADDR"),
                    destination=ip_address(message.get_attr("NDA_DST")),
                    port=message.get_attr("NDA_PORT") or default,
                )

    def _routes(self, links: dict[int, Any]) -> Iterable[Route]:
        for family in _FAMILIES.values():
            for message in self._netlink.get_routes(family=family, table=ROUTING_TABLE):
                kind = _KINDS.get(message["type"])
                if message["proto"] == self._ownership.protocol and kind is not None:
                    yield _route(message, kind, links)

    def _rules(self) -> Iterable[Rule]:
        for family in _FAMILIES.values():
            for message in self._netlink.get_rules(family=family):
                if message.get_attr("FRA_PROTOCOL") != self._ownership.protocol:
                    continue
                for direction, side in ((Direction.TO, "dst"), (Direction.FROM, "src")):
                    address = message.get_attr(f"FRA_{side.upper()}")
                    if address:
                        yield Rule(direction=direction, prefix=ip_network((address, message[f"{side}_len"])))


def _route(message: Any, kind: RouteKind, links: dict[int, Any]) -> Route:  # noqa: ANN401 - pyroute2 is untyped
    link = links.get(message.get_attr("RTA_OIF") or 0)
    via, source = message.get_attr("RTA_GATEWAY"), message.get_attr("RTA_PREFSRC")
    unicast = kind is RouteKind.UNICAST
    return Route(
        destination=_destination(message),
        metric=message.get_attr("RTA_PRIORITY") or 0,
        kind=kind,
        device=link.get_attr("IFLA_IFNAME") if link is not None and unicast else "",
        via=ip_address(via) if via and unicast else None,
        source=ip_address(source) if source else None,
    )


def _destination(message: Any) -> IPNetwork:  # noqa: ANN401 - pyroute2 is untyped
    default = "0.0.0.0" if message["family"] == socket.AF_INET else "::"  # noqa: S104 - the default route
    return ip_network((message.get_attr("RTA_DST") or default, message["dst_len"]))
