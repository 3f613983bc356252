"""The kernel through rtnetlink (pyroute2) and nft.

What exists is read from the kernel, and again whenever the kernel says that something changed. Nothing is remembered
over a restart: it adopts what it finds. Ownership decides what is seen at all: routes and rules by protocol number,
entries by device, the ruleset by table.
"""

from __future__ import annotations

import errno
import functools
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from reference_impl.drivers import nftables
from reference_impl.drivers.conntrack import forget_stale_flows, forget_translated_flows
from reference_impl.drivers.firewalls import Firewalls
from reference_impl.drivers.ipsec_device import IPsecDevice, IPsecView
from reference_impl.drivers.kernel import KernelError
from reference_impl.drivers.kernel_changes import KernelChanges
from reference_impl.drivers.kernel_objects import KernelObjects
from reference_impl.drivers.kernel_routes import ROUTE_TYPES, UNREACHABLE, KernelRoutes
from reference_impl.drivers.kernel_view import FAMILIES, NUD_PERMANENT, KernelView
from reference_impl.drivers.meters import MeterTable
from reference_impl.drivers.netlink import IPRoute, NetlinkError, device_index, existing_index
from reference_impl.drivers.nft_reader import NftReader
from reference_impl.drivers.wireguard_device import WireGuardDevices
from reference_impl.names import IPSEC_DEVICE, ROUTING_TABLE, RULE_PRIORITY
from reference_impl.operations import Operation, Verb
from reference_impl.state import (
    Direction,
    ForwardingEntry,
    Guard,
    HostAddress,
    IPsecLink,
    IPsecPeer,
    KernelState,
    Link,
    Meters,
    Neighbour,
    Observed,
    Ownership,
    Passage,
    Route,
    RouteKind,
    Rule,
    Ruleset,
    WireGuardLink,
    WireGuardPeer,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reference_impl.drivers.key_file import Key
    from reference_impl.flows import Bindings, Suspects
    from reference_impl.state import Count

_NTF_SELF = 2
_RTNH_F_ONLINK = 4
_IFA_F_NODAD = 2
_FOR_EVER = 0xFFFFFFFF
_GONE = frozenset({errno.ENOENT, errno.ESRCH, errno.ENODEV, errno.EADDRNOTAVAIL})


TRUST = 60.0
"""Seconds after which everything is looked at, news or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Filters:
    """What nftables held at one number of the ruleset."""

    generation: int
    digest: str | None
    mark: str | None
    guards: tuple[Guard, ...]
    passages: frozenset[Passage]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """One look at all but the tunnels' own state, which changes without news."""

    view: KernelView
    filters: _Filters
    observed: Observed
    at: float
    """When, by the monotonic clock, in seconds."""


class LinuxKernel:
    """The running kernel, in the network namespace of this process."""

    def __init__(self, ownership: Ownership, key: Key | None = None) -> None:
        self._ownership = ownership
        self._reader = NftReader()
        self._nft = nftables.Table(ownership.table, self._reader)
        self._meters = MeterTable(ownership.meters, self._reader) if ownership.meters else None
        self._firewalls = Firewalls(ownership.table, self._reader)
        self._objects = KernelObjects()
        self._routes = KernelRoutes(ownership)
        self._changes = KernelChanges()
        self._seen: _Seen | None = None
        self._wireguard = WireGuardDevices(key, ownership.devices)
        self._ipsec = IPsecDevice(key) if IPSEC_DEVICE in ownership.devices else None

    @functools.cached_property
    def _netlink(self) -> Any:  # noqa: ANN401 - pyroute2 is untyped
        """Open the socket at first use: it belongs to the thread that opens it, and to no running event loop."""
        return IPRoute()

    def close(self) -> None:
        """Close the netlink sockets."""
        self._changes.close()
        self._reader.close()
        self._netlink.close()
        self._objects.close()
        self._routes.close()
        if self._ipsec is not None:
            self._ipsec.close()

    def observe(self) -> Observed:
        """Read links, addresses, routes, rules, neighbours and the ruleset's digest; not again what did not change."""
        try:
            seen = self._look()
            tunnel = self._wireguard.observe(seen.view)
            ipsec = self._ipsec.observe(seen.view) if self._ipsec else IPsecView()
        except (NetlinkError, OSError) as error:
            raise KernelError(f"cannot read the kernel: {error}") from error
        state = seen.observed.state
        if not (tunnel.available or ipsec.links or ipsec.peers):
            return seen.observed
        return replace(
            seen.observed,
            state=replace(
                state,
                links=state.links | tunnel.links | ipsec.links,
                peers=tunnel.peers,
                ike_peers=ipsec.peers,
            ),
            roaming=tunnel.roaming,
            wireguard_devices=tunnel.available,
            sub_tunnels=ipsec.sub_tunnels,
            located=tunnel.located | ipsec.located,
        )

    def forget(self, bindings: Bindings, suspects: Suspects | None) -> None:
        """Look through connection tracking once."""
        try:
            forget_stale_flows(bindings, suspects)
        except (NetlinkError, OSError) as error:
            raise KernelError(f"conntrack: {error}") from error

    def counts(self) -> Mapping[str, Count]:
        """Read what has passed through cables."""
        return self._meters.counts() if self._meters else {}

    def _look(self) -> _Seen:
        """Read all that the kernel reports changes of, if it reported any."""
        seen, now = self._seen, time.monotonic()
        if not self._changes.any(seen.view.own_indices if seen else ()) and seen and now - seen.at < TRUST:
            return seen
        self._seen = None  # if this look fails, the next one must not trust an older one
        view = KernelView(self._objects, self._ownership)
        filters = self._look_at_filters(seen.filters if seen else None)
        observed = Observed(
            state=KernelState(
                host_addresses=frozenset(view.host_addresses()),
                links=frozenset(view.links()),
                neighbours=frozenset(view.neighbours()),
                forwarding=frozenset(view.forwarding()),
                routes=self._routes.routes(view.names()),
                rules=self._routes.rules(),
                ruleset=None if filters.digest is None else Ruleset(table=self._ownership.table),
                passages=filters.passages,
                meters=None if filters.mark is None else Meters(table=self._ownership.meters),
            ),
            ruleset_digest=filters.digest or "",
            meters_mark=filters.mark or "",
            addresses=tuple(view.addresses()),
            guards=filters.guards,
        )
        self._seen = _Seen(view=view, filters=filters, observed=observed, at=now)
        return self._seen

    def _look_at_filters(self, before: _Filters | None) -> _Filters:
        """Read what nftables hold, unless nothing in any table has changed: most news is of routes and neighbours."""
        generation = self._reader.generation()  # asked first: what changes during the look leads to another one
        if before is not None and before.generation == generation:
            return before
        guards, passages = self._firewalls.observe() if self._ownership.passages else ((), frozenset())
        return _Filters(
            generation=generation,
            digest=self._nft.digest(),
            mark=self._meters.mark() if self._meters else None,
            guards=guards,
            passages=passages,
        )

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
        new = [step.item.prefix for step in steps if isinstance(step.item, Rule) and _leads(step)]
        if not new:
            return ()
        try:
            forget_translated_flows(frozenset(new))
        except (NetlinkError, OSError) as error:
            return (KernelError(f"conntrack: {error}"),)
        return ()

    def _step(self, operation: Operation) -> None:  # noqa: C901 - one for each kind
        remove = operation.verb is Verb.REMOVE
        try:
            match operation.item:
                case Link() as link:
                    self._remove_link(link) if remove else self._set_link(link)
                case WireGuardLink() | WireGuardPeer() | IPsecLink() | IPsecPeer() as item:
                    self._tunnel(operation.verb, item)
                case HostAddress() as address:
                    self._address("del" if remove else "replace", address)
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
                case Meters() as meters:
                    self._count(operation.verb, meters)
                case Passage() as passage:
                    self._firewalls.remove(passage) if remove else self._firewalls.add(passage)
        except NetlinkError as error:
            if not (remove and error.code in _GONE):
                raise

    def _tunnel(self, verb: Verb, item: WireGuardLink | WireGuardPeer | IPsecLink | IPsecPeer) -> None:
        match item:
            case WireGuardLink() | WireGuardPeer() if self._wireguard:
                self._wireguard.step(self._netlink, verb, item)
            case IPsecLink() | IPsecPeer() if self._ipsec is not None:
                self._ipsec.step(self._netlink, verb, item)
            case _:
                raise KernelError(f"{verb.value} {item}: no such device belongs to this agent")

    def _count(self, verb: Verb, meters: Meters) -> None:
        if self._meters is None:
            raise KernelError(f"{verb.value} {meters}: this agent has no counters")
        self._meters.remove() if verb is Verb.REMOVE else self._meters.load(meters)

    def _set_link(self, link: Link) -> None:
        common = {"address": link.mac, "mtu": link.mtu, "state": "up"}
        index = device_index(link.name)
        if index is not None:
            self._netlink.link("set", index=index, **common)
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
        self._netlink.link("del", index=existing_index(link.name))

    def _address(self, verb: str, item: HostAddress) -> None:
        # Nobody else can have it, and duplicate address detection would keep it from being a source for a second.
        own = {} if item.address.version == 4 else {"flags": _IFA_F_NODAD, **_lasting(item)}  # noqa: PLR2004
        self._netlink.addr(
            verb,
            index=existing_index(item.device),
            family=FAMILIES[item.address.version],
            address=str(item.address),
            prefixlen=item.address.max_prefixlen,
            **own,
        )

    def _neighbour(self, verb: str, item: Neighbour) -> None:
        self._netlink.neigh(
            verb,
            family=FAMILIES[item.address.version],
            ifindex=existing_index(item.device),
            dst=str(item.address),
            lladdr=item.mac,
            state=NUD_PERMANENT,
        )

    def _entry(self, verb: str, item: ForwardingEntry) -> None:
        self._netlink.fdb(
            verb,
            ifindex=existing_index(item.device),
            lladdr=item.mac,
            dst=str(item.destination),
            port=item.port,
            state=NUD_PERMANENT,
            flags=_NTF_SELF,
        )

    def _route(self, verb: str, item: Route) -> None:
        request: dict[str, Any] = {
            "family": FAMILIES[item.destination.version],
            "dst": str(item.destination),
            "table": ROUTING_TABLE,
            "priority": item.metric,
            "proto": self._ownership.protocol,
            "type": ROUTE_TYPES[item.kind],
        }
        if item.kind is RouteKind.UNICAST:
            request["oif"] = existing_index(item.device)
            if item.via is not None:
                hop = {"family": FAMILIES[item.via.version], "addr": str(item.via)}  # RFC 5549: IPv4 by an IPv6 hop
                way = {"gateway": str(item.via)} if item.via.version == item.destination.version else {"via": hop}
                request |= {**way, "flags": _RTNH_F_ONLINK}
            if item.source is not None:
                request["prefsrc"] = str(item.source)
        self._netlink.route(verb, **request)

    def _rule(self, verb: str, item: Rule) -> None:
        side = "dst" if item.direction is Direction.TO else "src"
        self._netlink.rule(
            verb,
            family=FAMILIES[item.prefix.version],
            **({"action": UNREACHABLE} if item.rejects else {"table": ROUTING_TABLE}),
            priority=RULE_PRIORITY,
            FRA_PROTOCOL=self._ownership.protocol,
            **{side: str(item.prefix.network_address), f"{side}_len": item.prefix.prefixlen},
        )


def _leads(step: Operation) -> bool:
    """Say whether a step gives packets a way that they did not have."""
    return step.verb is Verb.SET and not (isinstance(step.item, Rule) and step.item.rejects)


def _lasting(item: HostAddress) -> dict[str, int]:
    """Return the lifetimes of an address for ever, which is deprecated at once unless it is preferred."""
    return {"preferred_lft": _FOR_EVER if item.preferred else 0, "valid_lft": _FOR_EVER}
