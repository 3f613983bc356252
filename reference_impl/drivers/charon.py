"""strongSwan's IKE daemon over vici: the seam and the daemon."""

from __future__ import annotations

import socket
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import vici

from reference_impl.drivers.kernel import KernelError
from reference_impl.protocols.ike import (
    Connection,
    child_name,
    connection_message,
    parse_connections,
    parse_peers,
    secret_message,
    secret_name,
    stale_associations,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reference_impl.protocols.ike import Message
    from reference_impl.state import IPsecPeer, Pair

CHARON_DIRECTORY = Path("/run/charon")
"""Where the engine and the agent both see the daemon's socket."""
SOCKET = "charon.vici"
MARK = "loaded"
"""A file beside the socket. Its time of change is when an agent last loaded or unloaded something; the daemon itself
does not tell (``charon_news``)."""
_TIMEOUT = 5.0
_LIBIPSEC = b"kernel-libipsec"
_NO_WAITING = "-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonState:
    """What the daemon knows."""

    connections: tuple[Connection, ...]
    libipsec: bool
    """Whether it carries the packets itself, through a TUN device; otherwise the kernel does."""


class IKEControl(Protocol):
    """An IKE daemon. Every method may raise ``KernelError``."""

    def read(self) -> DaemonState | None:
        """Return what it knows; None while there is none."""

    def load(self, peer: IPsecPeer, secret: bytes, interface_id: int | None) -> None:
        """Add or change a connection. SAs of pairs that it does not ask for end; those of earlier keys stay for now."""

    def unload(self, name: str) -> None:
        """Remove a connection, its secret and its SAs; no error if it is gone."""

    def call(self, name: str, pair: Pair) -> None:
        """Begin to make a child SA; returns at once."""

    def begin(self, name: str) -> None:
        """Begin to make an IKE SA without child SAs (RFC 6023); returns at once."""

    def end(self, unique: str) -> None:
        """End an IKE SA with all its child SAs; no error if it is gone."""


class Charon:
    """The daemon behind a socket. A connection a call: it may have been replaced between two."""

    def __init__(self, directory: Path = CHARON_DIRECTORY) -> None:
        self._path = directory / SOCKET

    def read(self) -> DaemonState | None:
        """Return what it knows."""
        try:
            with self._session() as session:
                plugins = session.stats()["plugins"]
                peers = _peers(session)
                connections = parse_connections(peers, session.list_sas())
        except _NoDaemonError:
            return None
        return DaemonState(connections=connections, libipsec=_LIBIPSEC in plugins)

    def load(self, peer: IPsecPeer, secret: bytes, interface_id: int | None) -> None:
        """Add or change a connection, the secret first: a call may come in at once."""
        with self._session() as session:
            session.load_shared(secret_message(peer, secret))
            session.load_conn(connection_message(peer, interface_id))
            self._forget_secrets(session, peer.name, keep=secret_name(peer))
            self._end_stale(session)
        self._leave_mark()

    def unload(self, name: str) -> None:
        """Remove a connection."""
        with self._session() as session:
            if any(name in listed for listed in session.list_conns()):
                session.unload_conn({"name": name})
            self._forget_secrets(session, name)
            self._end_stale(session)
        self._leave_mark()

    def call(self, name: str, pair: Pair) -> None:
        """Begin to make a child SA."""
        with self._session() as session:
            request = {"ike": name, "child": child_name(pair), "timeout": _NO_WAITING, "init-limits": "yes"}
            list(session.initiate(request))

    def begin(self, name: str) -> None:
        """Begin to make an IKE SA."""
        with self._session() as session:
            list(session.initiate({"ike": name, "timeout": _NO_WAITING, "init-limits": "yes"}))

    def end(self, unique: str) -> None:
        """End an IKE SA."""
        with self._session() as session:
            self._terminate(session, _ike(unique))

    def _leave_mark(self) -> None:
        """Tell the engine, which finds out later by itself."""
        with suppress(OSError):
            self._path.with_name(MARK).touch(mode=0o600)

    @staticmethod
    def _forget_secrets(session: vici.Session, name: str, keep: str = "") -> None:
        for known in (key.decode() for key in session.get_shared().get("keys", [])):
            if known.split(" ")[0] == name and known != keep:
                session.unload_shared({"id": known})

    def _end_stale(self, session: vici.Session) -> None:
        """End SAs that nothing asks for."""
        stale = stale_associations(session.list_sas(), _peers(session))
        self._terminate(session, *map(_ike, stale["ike"]))
        self._terminate(session, *({"child-id": unique, "timeout": _NO_WAITING} for unique in stale["child"]))

    @staticmethod
    def _terminate(session: vici.Session, *requests: Message) -> None:
        """End SAs. One that ended by itself in the meantime is an error to the daemon, and none to us."""
        for request in requests:
            with suppress(vici.exception.CommandException):
                list(session.terminate(request))

    @contextmanager
    def _session(self) -> Iterator[vici.Session]:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_TIMEOUT)
            try:
                connection.connect(str(self._path))
            except (FileNotFoundError, ConnectionRefusedError):
                raise _NoDaemonError("no IKE daemon: is the pod of submariner-ipsec running on this node?") from None
            except OSError as error:
                raise KernelError(f"IKE daemon: {error.strerror or error}") from None
            try:
                yield vici.Session(connection)
            except (vici.exception.CommandException, vici.exception.SessionException) as error:
                raise KernelError(f"IKE daemon: {error}") from None
            except OSError as error:
                raise KernelError(f"IKE daemon: {error.strerror or error}") from None


def _ike(unique: str) -> Message:
    """Return what ends an IKE SA. ``force``: a peer that is gone must not be waited for."""
    return {"ike-id": unique, "timeout": _NO_WAITING, "force": "yes"}


class _NoDaemonError(KernelError):
    """Nobody listens."""


def _peers(session: vici.Session) -> dict[str, IPsecPeer]:
    secrets = [key.decode() for key in session.get_shared().get("keys", [])]
    return dict(parse_peers(session.list_conns(), secrets))
