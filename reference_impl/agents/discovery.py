"""NAT discovery on a gateway node: asks peers where they can be reached, and answers theirs.

Decisions are in ``protocols.discovery``; here are the socket, the clock and the keys. Only peers whose cable driver
publishes a key are asked: without a secret of the pair an answer proves nothing (docs/adr/0011).
"""

from __future__ import annotations

import asyncio
import logging
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reference_impl.drivers.discovery_socket import UDPDiscoverySocket
from reference_impl.drivers.kernel import KernelError
from reference_impl.drivers.pair_secret import DISCOVERY, pair_secret
from reference_impl.planner.ways import candidates, located
from reference_impl.protocols.discovery import DiscoveryTimings, PeerDiscovery
from reference_impl.protocols.discovery_messages import (
    NONCE_LENGTH,
    Kind,
    Message,
    claimed_nonce,
    decode,
    encode,
    parties,
    tag,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reference_impl.drivers.discovery_socket import Datagram, DiscoverySocket, DiscoverySockets
    from reference_impl.drivers.key_file import Key
    from reference_impl.protocols.discovery import Candidate
    from reference_impl.protocols.objects import Endpoint
    from reference_impl.state import IPAddress, IPNetwork

_LOG = logging.getLogger(__name__)
_IDLE = 0.5
"""Seconds between two looks while nobody is to be asked."""
_BURST = 64
"""Datagrams taken at once: a flood must not keep the agent from its other work."""


@dataclass(slots=True)
class _Peer:
    key: str
    own: str
    secret: bytes
    state: PeerDiscovery
    shown: Candidate | None = None
    claimed: tuple[IPAddress, int] | None = None
    """Where the last datagram came from that claims to be this peer's, proved or not. For diagnosis only."""
    proved: tuple[IPAddress, int] | None = None
    """Where the last reply came from that was this peer's and awaited: a recorded message moves nothing."""


class Discovery:
    """The discovery of all peers, on one socket."""

    def __init__(
        self,
        key: Key,
        changed: Callable[[], None],
        *,
        sockets: DiscoverySockets = UDPDiscoverySocket,
        timings: DiscoveryTimings | None = None,
    ) -> None:
        self._key = key
        self._changed = changed
        self._open = sockets
        self._timings = timings or DiscoveryTimings()
        self._peers: dict[str, _Peer] = {}
        self._place: tuple[IPAddress, int] | None = None
        self._socket: DiscoverySocket | None = None
        self.problem = ""
        """Why nothing is discovered now; "" if that is not so."""

    def watch(
        self,
        own: Sequence[IPNetwork],
        local: tuple[IPAddress, int],
        peers: Sequence[Endpoint],
        key_of: Callable[[Endpoint], str],
    ) -> None:
        """Look for exactly these peers, from this address and port (0: for nobody).

        History is kept by cluster: a new key, its or ours, is no reason to believe it somewhere else.
        """
        self._move(local)
        kept, self._peers = self._peers, {}
        for peer in peers if local[1] else ():
            key = key_of(peer)
            known = kept.get(peer.cluster_id)
            if known is None or (known.key, known.own) != (key, self._key.public):
                try:
                    secret = pair_secret(self._key, key, DISCOVERY)
                except KernelError:
                    continue
                state = known.state if known is not None else PeerDiscovery(self._timings, _now())
                state.rekeyed()
                known = _Peer(key, self._key.public, secret, state)
            known.state.update(candidates(own, local[0], peers, peer), _now())
            self._peers[peer.cluster_id] = known

    @property
    def _tag(self) -> bytes:
        return tag(self._key.public)

    def located(self, peers: Sequence[Endpoint]) -> tuple[Endpoint, ...]:
        """Return peers with the ways found so far. Never waits."""
        now, found = _now(), []
        for peer in peers:
            known = self._peers.get(peer.cluster_id)
            asked = known is not None and known.state.candidates
            found.append(located(peer, known.state.conclude(now) if known and asked else None))
        return tuple(found)

    @property
    def answering(self) -> frozenset[str]:
        """Cluster ids of the peers that answered lately."""
        now = _now()
        return frozenset(cluster for cluster, peer in self._peers.items() if peer.state.conclude(now).answered)

    @property
    def answered(self) -> dict[str, float]:
        """By cluster id: when the address that was found answered last, on the event loop's clock."""
        return {cluster: at for cluster, peer in self._peers.items() if (at := peer.state.answered_at) is not None}

    @property
    def impostors(self) -> dict[str, str]:
        """By cluster id: how it is known that whoever answers for a peer does not have the key that it published."""
        now = _now()
        found = {cluster: peer.state.impostor(now) for cluster, peer in self._peers.items()}
        return {
            cluster: f"whoever answers discovery at {at.address} port {at.port} does not have the key that it published"
            for cluster, at in found.items()
            if at is not None
        }

    @property
    def claimed(self) -> dict[str, tuple[IPAddress, int]]:
        """By cluster id: where somebody spoke from last who claimed to be that peer."""
        return {cluster: peer.claimed for cluster, peer in self._peers.items() if peer.claimed is not None}

    async def run(self) -> None:
        """Ask and listen until cancelled."""
        try:
            while True:
                self._ask()
                self._compare()
                due = min((at for peer in self._peers.values() if (at := peer.state.due()) is not None), default=None)
                await asyncio.sleep(_IDLE if due is None else max(0.02, min(_IDLE, due - _now())))
        finally:
            self._close()

    def _ask(self) -> None:
        if self._socket is None:
            return
        for peer in self._peers.values():
            for candidate, nonce in peer.state.requests(_now(), lambda: os.urandom(NONCE_LENGTH)):
                message = Message(kind=Kind.REQUEST, sender=self._tag, receiver=tag(peer.key), nonce=nonce)
                self._socket.send(encode(message, peer.secret), candidate.address, candidate.port)

    def _receive(self) -> None:
        for _ in range(_BURST):
            datagram = self._socket.receive() if self._socket else None
            if datagram is None:
                break
            self._take(datagram)
        self._compare()

    def _take(self, datagram: Datagram) -> None:
        names = parties(datagram.data)
        peer = next((each for each in self._peers.values() if names == (tag(each.key), self._tag)), None)
        source = (datagram.address, datagram.port)
        if peer is None:
            self._take_from_another_key(datagram.data, source)
            return
        peer.claimed = source
        message = decode(datagram.data, peer.secret)
        if message is None or self._socket is None:
            self._take_unproved(datagram.data, source)
            return
        if message.kind is Kind.REPLY:
            if peer.state.replied(message.nonce, source, message.seen, _now()):
                peer.proved = source
            return
        # Whoever repeats a recorded request gets an answer that nobody awaits, of the same length.
        reply = Message(kind=Kind.REPLY, sender=self._tag, receiver=message.sender, nonce=message.nonce, seen=source)
        self._socket.send(encode(reply, peer.secret), *source)

    def _take_from_another_key(self, data: bytes, source: tuple[IPAddress, int]) -> None:
        """Take what names a key that is not ours, or not a peer's.

        A peer that asks for another key than ours is told whose this address is: only at a place where it was proved
        to be, so that nobody can have us send to somebody else.
        """
        sender, receiver = parties(data) or (b"", b"")
        if receiver == self._tag:
            self._take_unproved(data, source)
            return
        asking = next((each for each in self._peers.values() if tag(each.key) == sender), None)
        nonce = claimed_nonce(data, Kind.REQUEST)
        if asking is None or asking.proved != source or nonce is None or self._socket is None:
            return
        reply = Message(kind=Kind.REPLY, sender=self._tag, receiver=sender, nonce=nonce, seen=source)
        self._socket.send(encode(reply, asking.secret), *source)

    def _take_unproved(self, data: bytes, source: tuple[IPAddress, int]) -> None:
        nonce, now = claimed_nonce(data, Kind.REPLY), _now()
        if nonce is None:
            return
        for cluster, peer in self._peers.items():
            known = peer.state.impostor(now) is not None
            if peer.state.replied_unproved(nonce, source, now) and not known:
                _LOG.warning("discovery: who answers for %s at %s does not have its key", cluster, source[0])
                self._changed()

    def _compare(self) -> None:
        now, changed = _now(), False
        for cluster, peer in self._peers.items():
            found = peer.state.conclude(now).candidate
            if found != peer.shown:
                _LOG.info("discovery: %s is at %s", cluster, found.address if found else "no address that answers")
                peer.shown, changed = found, True
        if changed:
            self._changed()

    def _move(self, local: tuple[IPAddress, int]) -> None:
        """Open the socket at another place; a place that cannot be had is tried again at the next look."""
        if local == self._place and (self._socket is not None or not local[1]):
            return
        self._close()
        self._place, self.problem = local, ""
        if not local[1]:
            return
        try:
            self._socket = self._open(*local)
        except OSError as error:
            self.problem = f"NAT discovery: {local[0]} port {local[1]}: {error.strerror or error}"
            _LOG.warning("%s", self.problem)
            return
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._receive)

    def _close(self) -> None:
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None


def _now() -> float:
    return asyncio.get_running_loop().time()
