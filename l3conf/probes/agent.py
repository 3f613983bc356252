"""The engine inside a real pod: the way of probes on clusters that are not a lab's own.

::

    python -m l3conf.probes.agent serve              the container's command: answers probes, ready when it says so
    python -m l3conf.probes.agent run                probes as a JSON list on stdin, observations on stdout
    python -m l3conf.probes.agent sightings          nonces as a JSON list on stdin, sightings on stdout
    python -m l3conf.probes.agent raw                complete IP packets as a JSON list of base64 strings on stdin
    python -m l3conf.probes.agent start-flows        numbered flows as a JSON list on stdin; sent if they begin here,
                                                     expected if they end here
    python -m l3conf.probes.agent flows              positions as a JSON list on stdin, records of this end on stdout
    python -m l3conf.probes.agent stop-flows         identities as a JSON list on stdin
    python -m l3conf.probes.agent forget-flows       likewise
    python -m l3conf.probes.agent relay              requests as lines on stdin, replies on stdout (``probes.relay``)

All but the first are for ``kubectl exec -i``; they reach the server through a Unix socket, so that sender and
receiver of a pod are one process with one memory, as in a lab. ``L3CONF_PROBE_SOCKET`` names the socket,
``L3CONF_PLACE`` the place (``<cluster>/<namespace>/<pod>``); shapes are those of ``probes.messages``.

Exit codes: 0 done, 1 no server or an error in it, 3 bad input.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn

from l3conf.errors import L3confError, LabError, UserError
from l3conf.probes import control, messages
from l3conf.probes.engine import Engine
from l3conf.probes.manifests import DEFAULT_SOCKET, PLACE_VARIABLE, SOCKET_VARIABLE
from l3conf.probes.poller import READ
from l3conf.probes.relay import relay
from l3conf.probes.wire import PORT

if TYPE_CHECKING:
    from collections.abc import Callable

_MARGIN = 30.0
"""Seconds beyond the longest probe that a command waits for the server."""
_EXIT_BAD_INPUT = 3
_TERMINATED = 128 + signal.SIGTERM
_FLOW_VERBS = MappingProxyType({"start-flows": "flows", "stop-flows": "ids", "forget-flows": "ids"})
"""Verbs without an answer, and what the list on stdin is."""
_VERBS = "serve, run, sightings, raw, start-flows, flows, stop-flows, forget-flows or relay"


def main(arguments: list[str]) -> int:
    """Run one command; return the exit code."""
    try:
        match arguments:
            case ["serve"]:
                serve(_place(), _socket_path())
            case ["relay"]:
                relay(_socket_path(), sys.stdin.fileno(), sys.stdout.fileno())
            case ["run"]:
                _print(run(_socket_path(), _list_on_stdin()))
            case ["sightings"]:
                _print(_ask(_socket_path(), "sightings", place=_place(), nonces=_list_on_stdin()))
            case ["raw"]:
                for packet in _list_on_stdin():
                    _ask(_socket_path(), "raw", place=_place(), packet=packet)
            case ["flows"]:
                _print(_ask(_socket_path(), "flows", positions=_list_on_stdin()))
            case [verb] if verb in _FLOW_VERBS:
                _ask(_socket_path(), verb.replace("-", "_"), _MARGIN, **{_FLOW_VERBS[verb]: _list_on_stdin()})
            case _:
                raise UserError(f"one of {_VERBS} is expected", where="python -m l3conf.probes.agent")
    except L3confError as error:
        print(error, file=sys.stderr)  # noqa: T201 - this is the command line
        return _EXIT_BAD_INPUT if isinstance(error, UserError) else 1
    return 0


def serve(place: str, path: Path) -> NoReturn:
    """Answer probes in this process's namespace, and commands on the socket, until SIGTERM (exit code 143)."""
    # As pid 1 of a container the kernel would ignore a signal that has no handler.
    signal.signal(signal.SIGTERM, _terminate)
    engine = Engine()
    try:
        engine.add_place(place, None, serve=True)
        listener = _listen(path)
        engine.poller.register(listener.fileno(), READ, _acceptor(engine, listener))
        print(f"l3conf probe: serving UDP and TCP port {PORT} as {place}", flush=True)  # noqa: T201 - the pod's log
        while True:
            engine.step()
    finally:
        path.unlink(missing_ok=True)
        engine.close()


def run(path: Path, probes: list[Any]) -> list[Any]:
    """Have the server at ``path`` run probes; return the observations, both as JSON values."""
    try:
        patience = max((messages.probe_from_json(each).timeout for each in probes), default=0.0)
    except (TypeError, ValueError) as error:
        raise UserError(str(error), where="stdin") from error
    result: list[Any] = _ask(path, "run", patience + _MARGIN, probes=probes)
    return result


def _acceptor(engine: Engine, listener: socket.socket) -> Callable[[int], None]:
    def accept(_events: int) -> None:
        try:
            sock, _ = listener.accept()
        except BlockingIOError:
            return
        control.Channel(engine, sock, lambda: None)

    return accept


def _listen(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)  # of a server that was killed; the port it had is ours, so it is gone
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    previous = os.umask(0o177)
    try:
        listener.bind(str(path))
    except OSError as error:
        listener.close()
        raise UserError(f"cannot make the socket: {error.strerror}", where=str(path), remedy=SOCKET_VARIABLE) from error
    finally:
        os.umask(previous)
    listener.listen()
    return listener


def _terminate(_number: int, _frame: object) -> NoReturn:
    sys.exit(_TERMINATED)


def _ask(path: Path, do: str, patience: float = _MARGIN, **arguments: object) -> Any:  # noqa: ANN401 - a JSON value
    """Send one request to the server at ``path``; return its result. ``LabError`` if there is none."""
    buffer = bytearray()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(patience)
        try:
            sock.connect(str(path))
            sock.sendall(control.frame({"id": 0, "do": do, **arguments}))
            while not (replies := control.cut(buffer)):
                data = sock.recv(1 << 18)
                if not data:
                    raise LabError("the probe server closed the connection", where=str(path))
                buffer += data
        except OSError as error:
            raise LabError(f"no probe server: {error}", where=str(path)) from error
    if "error" in replies[0]:
        raise control.error_from_json(replies[0]["error"])
    return replies[0]["result"]


def _place() -> str:
    place = os.environ.get(PLACE_VARIABLE, "")
    if not place:
        raise UserError("the place is not named", where=PLACE_VARIABLE, remedy="<cluster>/<namespace>/<pod>")
    return place


def _socket_path() -> Path:
    return Path(os.environ.get(SOCKET_VARIABLE, DEFAULT_SOCKET))


def _list_on_stdin() -> list[Any]:
    try:
        value = json.load(sys.stdin)
    except ValueError as error:
        raise UserError(f"not JSON: {error}", where="stdin") from error
    if not isinstance(value, list):
        raise UserError("a JSON list is expected", where="stdin")
    return value


def _print(value: object) -> None:
    print(json.dumps(value))  # noqa: T201 - this is the command line


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
