"""The channel over which an engine in another process is told what to do.

A frame is four bytes of length, big-endian, and that much JSON. A request is ``{"id", "do", …}``; its reply is
``{"id", "result"}`` or ``{"id", "error": {"what", "where", "remedy"}}``. Replies come in the order in which the
work ends: a long batch holds up nothing that was asked after it.

============ ================================== ===============
do           with                               result
============ ================================== ===============
hello                                           {"pid", "time"}
add_place    place, namespace (a path), serve   null
rm_place     place                              null
run          probes                             observations
sightings    place, nonces                      sightings
raw          place, packet (base64)             null
start_flows  flows (``flow_messages``)          null
stop_flows   ids                                null
flows        positions                          records
forget_flows ids                                null
============ ================================== ===============
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import struct
import time
from typing import TYPE_CHECKING, Any

from l3conf.emulator.kernel.namespaces import NetworkNamespace
from l3conf.errors import L3confError, LabError
from l3conf.probes import flow_messages, messages
from l3conf.probes.poller import READ, WRITE

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping

    from l3conf.observation import Observation
    from l3conf.probes.engine import Engine

HEAD = struct.Struct("!I")
MAX_FRAME = 1 << 26
_READ_SIZE = 1 << 18


def frame(value: object) -> bytes:
    """Return a JSON value as a frame."""
    text = json.dumps(value, separators=(",", ":")).encode()
    return HEAD.pack(len(text)) + text


def cut(buffer: bytearray) -> list[Any]:
    """Take the whole frames off the front of ``buffer``; return their values. ``ValueError`` if it holds others."""
    values = []
    start = 0
    while len(buffer) - start >= HEAD.size:
        (size,) = HEAD.unpack_from(buffer, start)
        if size > MAX_FRAME:
            raise ValueError(f"a frame of {size} bytes")
        end = start + HEAD.size + size
        if len(buffer) < end:
            break
        values.append(json.loads(buffer[start + HEAD.size : end]))
        start = end
    del buffer[:start]
    return values


def error_to_json(error: Exception) -> dict[str, str]:
    """Return an error as a reply tells it."""
    if isinstance(error, L3confError):
        return {"what": error.what, "where": error.where, "remedy": error.remedy}
    return {"what": f"{type(error).__name__}: {error}", "where": "", "remedy": ""}


def error_from_json(value: Mapping[str, str]) -> LabError:
    """Return the error that a reply tells."""
    return LabError(value["what"], where=value["where"], remedy=value["remedy"])


class Channel:
    """One client of an engine: reads its requests, does them, writes the replies."""

    def __init__(self, engine: Engine, sock: socket.socket, closed: Callable[[], None]) -> None:
        """Take over ``sock``; ``closed`` is called once the client is gone."""
        self._engine = engine
        self._socket = sock
        self._closed = closed
        self._incoming = bytearray()
        self._outgoing = bytearray()
        sock.setblocking(False)  # noqa: FBT003 - the socket module's signature
        engine.poller.register(sock.fileno(), READ, self._ready)

    def close(self) -> None:
        """Close the channel. Idempotent."""
        if self._socket.fileno() >= 0:
            self._engine.poller.unregister(self._socket.fileno())
            self._socket.close()
            self._closed()

    def _ready(self, events: int) -> None:
        try:
            if events & WRITE:
                self._write()
            if events & ~WRITE:
                self._read()
        except BlockingIOError:
            return
        except (OSError, ValueError, KeyError, TypeError):  # gone, or it does not speak this protocol
            self.close()

    def _read(self) -> None:
        data = self._socket.recv(_READ_SIZE)
        if not data:
            self.close()
            return
        self._incoming += data
        for request in cut(self._incoming):
            self._handle(request)

    def _handle(self, request: dict[str, Any]) -> None:
        number = request["id"]
        try:
            if request["do"] == "run":
                probes = [messages.probe_from_json(each) for each in request["probes"]]
                self._engine.run(probes, lambda seen: self._reply({"id": number, "result": _observations(seen)}))
            else:
                self._reply({"id": number, "result": perform(self._engine, request)})
        except (L3confError, ValueError, KeyError, TypeError, OSError) as error:
            self._reply({"id": number, "error": error_to_json(error)})

    def _reply(self, value: object) -> None:
        if self._socket.fileno() < 0:
            return
        self._outgoing += frame(value)
        try:
            self._write()
        except BlockingIOError:
            self._engine.poller.modify(self._socket.fileno(), READ | WRITE)
        except OSError:
            self.close()

    def _write(self) -> None:
        while self._outgoing:
            sent = self._socket.send(self._outgoing)
            del self._outgoing[:sent]
        self._engine.poller.modify(self._socket.fileno(), READ)


def perform(engine: Engine, request: Mapping[str, Any]) -> object:
    """Do what can be done at once; return the result. Raises ``L3confError``, and ``ValueError`` for bad requests."""
    match request["do"]:
        case "hello":
            return {"pid": os.getpid(), "time": time.monotonic()}
        case "add_place":
            engine.add_place(request["place"], _open(request["namespace"]), serve=request["serve"])
        case "rm_place":
            engine.remove_place(request["place"])
        case "sightings":
            seen = engine.sightings(request["place"], request["nonces"])
            return [messages.sighting_to_json(each) for each in seen]
        case "raw":
            engine.raw(request["place"], _packet(request["packet"]))
        case "start_flows":
            engine.flows.start([flow_messages.flow_from_json(each) for each in request["flows"]])
        case "stop_flows":
            engine.flows.stop(request["ids"])
        case "flows":
            positions = flow_messages.positions_from_json(request["positions"])
            return [flow_messages.record_to_json(each) for each in engine.flows.records(positions)]
        case "forget_flows":
            engine.flows.forget(request["ids"])
        case unknown:
            raise ValueError(f"there is nothing like {unknown!r} to do")
    return None


def _observations(seen: list[Observation]) -> list[dict[str, Any]]:
    return [messages.observation_to_json(each) for each in seen]


def _packet(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"a packet that is not base64: {error}") from error


def _open(path: str) -> NetworkNamespace:
    try:
        return NetworkNamespace(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        raise LabError(f"cannot open the network namespace: {error.strerror}", where=path) from error
