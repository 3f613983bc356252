"""Requests as lines: how a probe server in a pod is spoken to through one long ``kubectl exec -i``.

A line of stdin is a request of ``probes.control`` as JSON, a line of stdout its reply, in the order in which the work
ends. One process and one stream last for a whole run, where a process for every batch would cost a container start
each, and no port of the pod has to be open to whoever asks.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
from typing import TYPE_CHECKING

from l3conf.errors import LabError, UserError
from l3conf.probes import control

if TYPE_CHECKING:
    from pathlib import Path

_READ_SIZE = 1 << 18


def relay(path: Path, source: int, target: int) -> None:
    """Carry requests from a descriptor to the server at ``path``, and its replies to another, until the first ends.

    ``LabError`` if there is no server or it goes, ``UserError`` for a line that is no JSON.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock, selectors.DefaultSelector() as selector:
        try:
            sock.connect(str(path))
        except OSError as error:
            raise LabError(f"no probe server: {error}", where=str(path)) from error
        selector.register(source, selectors.EVENT_READ)
        selector.register(sock, selectors.EVENT_READ)
        lines, replies = bytearray(), bytearray()
        while True:
            for key, _ in selector.select():
                if key.fileobj is sock:
                    replies += _received(sock, path)
                    _write(target, b"".join(json.dumps(value).encode() + b"\n" for value in control.cut(replies)))
                    continue
                data = os.read(source, _READ_SIZE)
                if not data:
                    return
                lines += data
                *whole, rest = lines.split(b"\n")
                lines = bytearray(rest)
                for line in whole:
                    sock.sendall(control.frame(_request(line)))


def _received(sock: socket.socket, path: Path) -> bytes:
    data = sock.recv(_READ_SIZE)
    if not data:
        raise LabError("the probe server closed the connection", where=str(path))
    return data


def _request(line: bytes | bytearray) -> object:
    try:
        return json.loads(line)
    except ValueError as error:
        raise UserError(f"not JSON: {error}", where="stdin") from error


def _write(target: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(target, view) :]
