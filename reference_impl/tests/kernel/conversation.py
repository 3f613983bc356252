"""Connections that stay open, word by word, while something happens to who carries them."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path

_PATIENCE = 20
"""Seconds."""


def converse(folder: str, port: int, *, first: bool) -> None:
    """Answer everybody, over either family; ``first``: speak first once ``go`` appears in the folder."""

    def serve(connection: socket.socket) -> None:
        with connection:
            connection.sendall(connection.recv(1))
            if first:
                appear(Path(folder, "go"))
                connection.sendall(b"!")
            while word := connection.recv(1):
                connection.sendall(word)

    with socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True) as server:
        while True:
            threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()


def appear(*paths: Path) -> None:
    """Wait until all of these files are there; ``AssertionError`` if that takes too long."""
    deadline = time.monotonic() + _PATIENCE
    while not all(path.exists() for path in paths):
        assert time.monotonic() < deadline, paths
        time.sleep(0.01)
