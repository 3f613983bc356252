"""What is said to strongSwan's IKE daemon over vici, and what it answers, as values. No socket.

Charon does not tell everything it was told (no remote port, no secrets). What a restarted agent must know to adopt a
connection stands in the name of the pair's secret: ``<connection> <own key> <peer's key> <remote port>``, and a fifth
word where one of the two stands by. Engines of earlier releases do not know such a name, and do not call.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, replace
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any, TypeAlias

from reference_impl.names import CABLE_PORT, IPSEC_DEVICE
from reference_impl.protocols.connection_names import cluster_of
from reference_impl.state import IPsecPeer, SubTunnel

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reference_impl.state import IPAddress, Pair

Message: TypeAlias = dict[str, Any]
"""A vici message: texts, lists and sections. Answers have bytes for texts."""
_IKE_PROPOSALS = ["aes256gcm16-prfsha384-x25519", "aes128gcm16-prfsha256-x25519", "aes256gcm16-prfsha384-ecp384"]
_ESP_PROPOSALS = ["aes256gcm16-x25519", "aes128gcm16-x25519", "aes256gcm16", "aes128gcm16"]
"""AEAD only (RFC 8221, RFC 8247). The last two without a second exchange, as some other implementations have it."""
DEAD_PEER_DELAY = 2
"""Seconds of silence after which a peer is asked whether it is there (RFC 7296, 2.4). Where a NAT gave the gateway
another mapping it is this request that tells the peer, so packets are lost for as long."""
_UP = frozenset({"INSTALLED", "REKEYING", "REKEYED"})
_UNDER_WAY = frozenset({"CREATED", "CONNECTING", "INSTALLING"})
_STANDING = frozenset({"ESTABLISHED", "REKEYING", "REKEYED"})
_UNKNOWN = "%any"
_STANDS_BY = "standby"


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A connection that is loaded, as far as calling it needs."""

    peer: IPsecPeer
    under_way: bool = False
    """Whether an IKE SA is being negotiated."""
    made: bool = False
    called: bool = False
    """Whether an IKE SA stands that we made, and one that the peer made."""
    up: frozenset[Pair] = frozenset()
    held: frozenset[Pair] = frozenset()
    """Pairs that SAs of keys or addresses before these still carry."""
    predecessors: tuple[str, ...] = ()
    """Unique ids of those IKE SAs that end as soon as others carry what they do."""
    place: tuple[IPAddress, int] | None = None
    """Where the peer is, as its own messages have shown."""

    @property
    def down(self) -> tuple[Pair, ...]:
        """Return the pairs without a child SA, in a fixed order."""
        return tuple(sorted(self.peer.pairs - self.up, key=str))


def secret_name(peer: IPsecPeer) -> str:
    """Return the name under which the daemon keeps a pair's secret."""
    return f"{peer.name} {peer.own_key} {peer.public_key} {peer.remote[1]}{f' {_STANDS_BY}' if peer.stands_by else ''}"


def child_name(pair: Pair) -> str:
    """Return the name of a child SA."""
    return f"{pair[0]}={pair[1]}"


def identity(public_key: str) -> str:
    """Return a key as an IKE identity of type ID_KEY_ID, in strongSwan's notation."""
    return f"@#{base64.b64decode(public_key).hex()}"


def secret_message(peer: IPsecPeer, secret: bytes) -> Message:
    """Return ``load-shared`` for a pair."""
    return {
        "id": secret_name(peer),
        "type": "IKE",
        "data": f"0x{secret.hex()}",
        "owners": [identity(peer.own_key), identity(peer.public_key)],
    }


def connection_message(peer: IPsecPeer, interface_id: int | None) -> Message:
    """Return ``load-conn``; ``interface_id`` ties the kernel's policies to its device, None with libipsec.

    Nothing is called from here: an action of the daemon's own would be undone, SAs and all, with every change.
    Any outer source is taken, as the peer may be behind NAT: who it is, its identity and secret prove.
    """
    address, port = peer.remote
    tied = {} if interface_id is None else {"if_id_in": str(interface_id), "if_id_out": str(interface_id)}
    child = {
        "start_action": "none",
        "close_action": "none",
        "dpd_action": "clear",
        "esp_proposals": _ESP_PROPOSALS,
        "rekey_time": "1h",
        **tied,
    }
    children = {
        child_name((own, other)): {**child, "local_ts": [str(own)], "remote_ts": [str(other)]}
        for own, other in sorted(peer.pairs, key=str)
    }
    return {
        peer.name: {
            "version": "2",
            "local_addrs": [str(peer.local)],
            "remote_addrs": [str(address), "0.0.0.0/0", "::/0"],
            "local_port": str(CABLE_PORT),
            "remote_port": str(port),
            "proposals": _IKE_PROPOSALS,
            "encap": "yes",
            "mobike": "no",
            "unique": "no",
            "keyingtries": "1",
            "rekey_time": "4h",
            "dpd_delay": f"{DEAD_PEER_DELAY}s",
            "local": {"auth": "psk", "id": identity(peer.own_key)},
            "remote": {"auth": "psk", "id": identity(peer.public_key)},
            "children": children,
        }
    }


def parse_peers(connections: Iterable[Message], secrets: Iterable[str]) -> Mapping[str, IPsecPeer]:
    """Return the loaded connections of ours by name. One that we did not load, or whose secret is gone, is not ours."""
    split = [name.split(" ") for name in secrets]
    known = {words[0]: words[1:] for words in split if len(words) == 4 or words[4:] == [_STANDS_BY]}  # noqa: PLR2004
    peers: dict[str, IPsecPeer] = {}
    for listed in connections:
        for name, connection in listed.items():
            if name in known:
                own_key, public_key, port, *role = known[name]
                peer = _peer(name, connection, own_key, public_key, int(port))
                peers[name] = replace(peer, stands_by=bool(role))
    return peers


def parse_connections(peers: Mapping[str, IPsecPeer], associations: Iterable[Message]) -> tuple[Connection, ...]:
    """Return the state of every loaded connection, by name."""
    by_name: dict[str, list[Message]] = {name: [] for name in peers}
    for listed in associations:
        for name, association in listed.items():
            by_name.get(name, []).append(association)
    return tuple(_connection(peer, by_name[name]) for name, peer in sorted(peers.items()))


def _connection(peer: IPsecPeer, associations: Iterable[Message]) -> Connection:
    listed = tuple(associations)
    of_these_keys = [each for each in listed if _is_between(each, peer)]
    current = [each for each in of_these_keys if not _is_elsewhere(each, peer)]
    up = frozenset(pair for each in current for pair in _carried(each))
    older = [each for each in listed if each not in current]
    # One that goes elsewhere ends when its successor is whole, and no sooner: where we were sent may be no way for it.
    ended = [each for each in older if each not in of_these_keys or up >= peer.pairs]
    standing = [_text(each.get("initiator")) == "yes" for each in current if _text(each.get("state")) in _STANDING]
    places = [
        place for each in current or of_these_keys if _text(each.get("state")) in _STANDING and (place := _place(each))
    ]
    return Connection(
        peer=peer,
        under_way=any(_text(each.get("state")) in _UNDER_WAY for each in current),
        made=True in standing,
        called=False in standing,
        up=up,
        held=frozenset(pair for each in older for pair in _carried(each)),
        predecessors=tuple(sorted(_text(each.get("uniqueid")) for each in ended)),
        place=places[-1] if places else None,
    )


def stale_associations(associations: Iterable[Message], peers: Mapping[str, IPsecPeer]) -> Mapping[str, list[str]]:
    """Return what no loaded connection asks for: unique ids, ``ike`` of whole IKE SAs and ``child`` of child SAs.

    SAs of keys that were replaced are not among them: they carry packets until their successors do
    (``ike_caller.Retirement``).
    """
    stale: dict[str, list[str]] = {"ike": [], "child": []}
    for listed in associations:
        for name, association in listed.items():
            peer = peers.get(name)
            if peer is None:
                stale["ike"].append(_text(association.get("uniqueid")))
                continue
            for child in association.get("child-sas", {}).values():
                if _text(child.get("state")) in _UP and _pair(child) not in peer.pairs:
                    stale["child"].append(_text(child.get("uniqueid")))
    return stale


def sub_tunnels(connections: Iterable[Connection]) -> frozenset[SubTunnel]:
    """Return the wanted sub-tunnels that are up."""
    return frozenset(
        SubTunnel(peer=cluster_of(connection.peer.name), pair=pair)
        for connection in connections
        for pair in (connection.up | connection.held) & connection.peer.pairs
    )


def is_first_caller(peer: IPsecPeer) -> bool:
    """Say whether it is for us to call first: two that call at once throw away each other's half-made SAs."""
    return _raw(peer.own_key) < _raw(peer.public_key)


def _peer(name: str, connection: Message, own_key: str, public_key: str, port: int) -> IPsecPeer:
    children = connection.get("children", {}).values()
    return IPsecPeer(
        device=IPSEC_DEVICE,
        name=name,
        own_key=own_key,
        public_key=public_key,
        local=ip_address(_text(connection["local_addrs"][0])),
        remote=(ip_address(_text(connection["remote_addrs"][0])), port),
        pairs=frozenset(_pair(child) for child in children),
    )


def _pair(child: Message) -> Pair:
    return ip_network(_text(child["local-ts"][0])), ip_network(_text(child["remote-ts"][0]))


def _is_between(association: Message, peer: IPsecPeer) -> bool:
    """Say whether an IKE SA is one of these two keys. Before it is authenticated, the other end has no name yet."""
    ends = (("local-id", peer.own_key), ("remote-id", peer.public_key))
    return all(_text(association.get(field)) in ("", _UNKNOWN, _colons(key)) for field, key in ends)


def _is_elsewhere(association: Message, peer: IPsecPeer) -> bool:
    """Say whether an IKE SA of our own making goes to another address than the one found since (L3-I6).

    Of one that the peer made, the address is where a NAT may have put it: nothing follows from that.
    """
    place = _place(association)
    return _text(association.get("initiator")) == "yes" and place is not None and place[0] != peer.remote[0]


def _carried(association: Message) -> Iterable[Pair]:
    children = association.get("child-sas", {}).values()
    return [_pair(child) for child in children if _text(child.get("state")) in _UP]


def _place(association: Message) -> tuple[IPAddress, int] | None:
    try:
        return ip_address(_text(association["remote-host"])), int(_text(association["remote-port"]))
    except (KeyError, ValueError):
        return None


def _raw(public_key: str) -> bytes:
    try:
        return base64.b64decode(public_key)
    except binascii.Error:
        return b""


def _colons(public_key: str) -> str:
    """Return a key id as the daemon prints it."""
    return _raw(public_key).hex(":")


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value or "")
