"""The further nftables rules of an active gateway: what comes out of cables, and out of the underlay into them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reference_impl.names import CABLE_TABLE, NODE_DEVICE
from reference_impl.planner.addresses import tunnel_mac
from reference_impl.planner.rule_parts import FAMILY, PROTOCOL, host_sets, not_in, only_from, prefix_sets, versions_of
from reference_impl.state import Chain, Ruleset

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reference_impl.state import IPAddress, IPNetwork

FIRST_SOURCE_NAT = "srcnat - 20"
"""Priority of what must be settled before every node's source chain (``node_rules.BEFORE_SOURCE_NAT``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """One cable driver's side of the active gateway's filters."""

    devices: tuple[str, ...]
    port: int
    authenticates: bool
    """If it does, packets may come from any address: a peer behind NAT has none of its own."""
    prefixes: tuple[IPNetwork, ...]
    """What its peers may send from."""
    peers: tuple[IPAddress, ...]
    """Their outer addresses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diversion:
    """Packets between a port of ours and an address, which a socket at another port takes and sends."""

    own: IPAddress
    port: int
    peer: IPAddress
    to: int


def cable_ruleset(
    *,
    underlay: IPAddress,
    local: Sequence[IPNetwork],
    remote: Sequence[IPNetwork],
    carriers: Sequence[Carrier],
    transit: Sequence[tuple[Sequence[IPNetwork], Sequence[IPNetwork]]] = (),
    siblings: Sequence[IPAddress] = (),
    anchors: Mapping[str, frozenset[IPAddress]],
    diversions: Iterable[Diversion] = (),
) -> Ruleset:
    """Plan the further rules of a gateway.

    ``underlay`` is where cables arrive, ``local`` holds every own prefix a peer may address (services too), ``remote``
    those of all peers. What comes out of one driver's device may only be from that driver's peers: a weaker cable is no
    way to pose as somebody behind a stronger one. ``anchors`` holds, by device, addresses of this node that keep their
    own when they send: each sub-tunnel is asked from one of them. ``transit`` holds the prefixes from and to which this
    gateway relays between members, ``siblings`` the underlay addresses of this cluster's other gateway nodes,
    ``diversions`` whose outer packets go to another socket than the one whose port they name.
    """
    versions = versions_of(local, remote)
    named = {"remote": tuple(remote)}
    owners = ["remote"]
    if len(carriers) > 1:
        owners = [f"remote{index}" for index in range(len(carriers))]
        named |= {owner: carrier.prefixes for owner, carrier in zip(owners, carriers, strict=True)}
    open_ones = {
        "peers" if len(carriers) == 1 else f"peers{index}": carrier
        for index, carrier in enumerate(carriers)
        if not carrier.authenticates
    }
    # Only what is for us and from a member leaves the cable: no transit, and no member's packets from a node of our
    # own, whose only way for them is the cable; unless it is a gateway as well, whose cable they came out of.
    macs = ", ".join(sorted(tunnel_mac(sibling) for sibling in siblings))
    others = f" ether saddr != {{ {macs} }}" if macs else ""
    arriving = {
        NODE_DEVICE: tuple(f"{FAMILY[version]} saddr @remote_v{version}{others} counter drop" for version in versions)
    }
    for owner, carrier in zip(owners, carriers, strict=True):
        from_peers = (
            *_transit(carrier, transit),
            *(rule for version in versions for rule in _from_peers(owner, version, carrier.prefixes, local)),
        )
        arriving |= dict.fromkeys(carrier.devices, from_peers)
    doors = {f"from-{device}": device for device in arriving}
    return Ruleset(
        table=CABLE_TABLE,
        sets=(
            *prefix_sets("local", local, versions),
            *(item for name, prefixes in named.items() for item in prefix_sets(name, prefixes, versions)),
            *(item for name, carrier in open_ones.items() for item in host_sets(name, carrier.peers)),
        ),
        chains=(
            *(Chain(name=name, rules=arriving[device]) for name, device in doors.items()),
            Chain(
                name="arriving",
                hook="prerouting",
                priority="raw",
                # What came out of a tunnel ends here: port numbers in it are no cable's.
                rules=(
                    _vmap("iifname", {f'"{device}"': name for name, device in doors.items()}),
                    *_untracked(open_ones, underlay, "saddr", "daddr"),
                ),
            ),
            *_underlay(open_ones),
            *_leaving(open_ones, underlay),
            *_keeping_sources(anchors),
            *_diverted(tuple(diversions)),
        ),
    )


def _keeping_sources(anchors: Mapping[str, frozenset[IPAddress]]) -> Iterable[Chain]:
    """Settle the source of what this node sends from an anchor, before every node's chain takes it for the node's."""
    rules = tuple(
        f'oifname "{device}" {FAMILY[version]} saddr {{ {", ".join(sorted(map(str, mine)))} }} '
        f"snat {FAMILY[version]} to {FAMILY[version]} saddr"
        for device, addresses in sorted(anchors.items())
        for version in sorted(FAMILY)
        if (mine := [address for address in addresses if address.version == version])
    )
    if rules:
        yield Chain(name="anchors", kind="nat", hook="postrouting", priority=FIRST_SOURCE_NAT, rules=rules)


def _diverted(diversions: Sequence[Diversion]) -> Iterable[Chain]:
    """Rename ports of outer packets before connection tracking sees what arrives, and after it saw what is sent.

    So nothing depends on its entries: which socket a packet belongs to may change with every packet.
    """
    places = sorted({(each.own.version, str(each.own), each.port, each.to) for each in diversions})
    arriving, sent = [], []
    for version, own, port, to in places:
        peers = ", ".join(sorted(str(each.peer) for each in diversions if each.peer.version == version))
        ip = FAMILY[version]
        arriving.append(f"udp dport {port} {ip} saddr {{ {peers} }} {ip} daddr {own} udp dport set {to}")
        sent.append(f"udp sport {to} {ip} daddr {{ {peers} }} {ip} saddr {own} udp sport set {port}")
    if places:
        yield Chain(name="diverted-in", hook="prerouting", priority="raw", rules=tuple(arriving))
        yield Chain(name="diverted-out", hook="output", rules=tuple(sent))


def _underlay(carriers: Mapping[str, Carrier]) -> Iterable[Chain]:
    """Take outer packets from peers only, where the cable itself does not tell who sent them."""
    ports = {carrier.port: f"to-{carrier.port}" for carrier in carriers.values()}
    if not ports:
        return
    for name, carrier in carriers.items():
        yield Chain(name=ports[carrier.port], rules=only_from(name, carrier.peers))
    # One comparison is cheaper than a look into a map, and few gateways have more than one such port.
    yield Chain(
        name="underlay", hook="input", rules=tuple(f"udp dport {port} goto {door}" for port, door in ports.items())
    )


def _leaving(carriers: Mapping[str, Carrier], underlay: IPAddress) -> Iterable[Chain]:
    rules = tuple(_untracked(carriers, underlay, "daddr", "saddr"))
    if rules:
        yield Chain(name="leaving", hook="output", priority="raw", rules=rules)


def _untracked(carriers: Mapping[str, Carrier], underlay: IPAddress, theirs: str, ours: str) -> Iterable[str]:
    """Keep outer packets between gateways out of connection tracking, which sees each of them without any use (ADR 53).

    They come from a port that is not the one they go to, so that no entry is ever answered; a cable whose packets have
    the same port at both ends is left alone: firewalls may let its answers in by state.
    """
    ip = FAMILY[underlay.version]
    for name, carrier in carriers.items():
        if any(peer.version == underlay.version for peer in carrier.peers):
            yield (
                f"udp dport {carrier.port} udp sport != {carrier.port} "
                f"{ip} {ours} {underlay} {ip} {theirs} @{name}_v{underlay.version} notrack"
            )


def _vmap(key: str, chains: Mapping[str, str]) -> str:
    """Go to the chain that a packet's property names, by one look-up however many there are."""
    return f"{key} vmap {{ {', '.join(f'{value} : goto {chain}' for value, chain in chains.items())} }}"


def _from_peers(owner: str, version: int, prefixes: Iterable[IPNetwork], local: Iterable[IPNetwork]) -> tuple[str, ...]:
    """Drop what comes out of a device and is from none of its peers, or not for us."""
    if any(prefix.version == version for prefix in prefixes):
        return (
            f"{not_in('saddr', owner, version, prefixes)} counter drop",
            f"{not_in('daddr', 'local', version, local)} counter drop",
        )
    return (f"meta nfproto {PROTOCOL[version]} counter drop",)


def _transit(carrier: Carrier, ways: Sequence[tuple[Sequence[IPNetwork], Sequence[IPNetwork]]]) -> Iterable[str]:
    """Let pass what is relayed: out of the sender's own cable, between the prefixes of one pair."""
    for sources, destinations in ways:
        if not {*sources} <= {*carrier.prefixes}:
            continue
        for version in sorted({*versions_of(sources)} & {*versions_of(destinations)}):
            ip = FAMILY[version]
            here, there = (
                ", ".join(str(prefix) for prefix in sorted(group, key=str) if prefix.version == version)
                for group in (sources, destinations)
            )
            yield f"{ip} saddr {{ {here} }} {ip} daddr {{ {there} }} counter accept"
