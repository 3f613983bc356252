"""Serves a stub engine on a Unix socket, as HTTP with connections that are hijacked for what runs in containers."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import socketserver
import threading
import time
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from l3conf.tests.kind.stub_engine import API_VERSION, VERSION
from l3conf.tests.kind.stub_values import Command, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from l3conf.tests.kind.stub_engine import StubEngine
    from l3conf.tests.kind.stub_values import StubContainer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    engine: StubEngine

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def address_string(self) -> str:
        return "stub"

    def _serve(self) -> None:
        split = urlsplit(self.path)
        path = re.sub(r"^/v[0-9.]+", "", unquote(split.path))
        query = {key: values[0] for key, values in parse_qs(split.query).items()}
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        engine = self.engine
        with engine.lock:
            engine.requests.append(f"{self.command} {path}")
        if pause := engine.delay(self.command, path):
            time.sleep(pause)
        if path in engine.raw:
            self.wfile.write(engine.raw[path])
            self.close_connection = True
            return
        try:
            if refusal := engine.refuse(self.command, path):
                raise refusal
            self._answer(path, query, body)
        except Refusal as refusal:
            self._reply(refusal.status, {"message": refusal.message})

    do_GET = do_POST = do_DELETE = do_HEAD = _serve  # noqa: N815 - the base class's names

    def _answer(self, path: str, query: dict[str, str], body: dict[str, Any]) -> None:
        first, *rest = path.strip("/").split("/")
        answers = {
            "containers": self._containers,
            "exec": self._execs,
            "images": self._images,
            "networks": self._networks,
        }
        if first in answers:
            answers[first](rest, query, body)
        elif first == "_ping":
            self._reply(200, "OK")
        elif first == "version":
            self._reply(200, {"Version": VERSION, "ApiVersion": API_VERSION, "MinAPIVersion": "1.12", "Os": "linux"})
        elif first == "info":
            self._reply(200, self.engine.described())
        else:
            raise Refusal(404, "page not found")

    def _containers(self, rest: list[str], query: dict[str, str], body: dict[str, Any]) -> None:
        engine = self.engine
        match self.command, rest:
            case "GET", ["json"]:
                self._reply(200, [engine.listed(one) for one in self._filtered(engine.containers, query)])
            case "POST", ["create"]:
                self._reply(201, {"Id": engine.create(query["name"], body).id, "Warnings": []})
            case "GET", [name, "json"]:
                self._reply(200, engine.inspected(engine.container(name)))
            case "DELETE", [name]:
                engine.remove(name)
                self._reply(204)
            case "POST", [name, "start"]:
                engine.container(name).running = True
                self._reply(204)
            case "POST", [name, "kill"]:
                self._kill(engine.container(name))
            case "POST", [name, "attach"]:
                self._upgrade(lambda stream: self._attach(name, stream))
            case "POST", [name, "exec"]:
                if not engine.container(name).running:
                    raise Refusal(409, f"Container {name} is not running")
                self._reply(201, {"Id": engine.start_exec(name, body["Cmd"])})

    def _execs(self, rest: list[str], _query: dict[str, str], _body: dict[str, Any]) -> None:
        number, action = rest
        if action == "start":
            self._upgrade(lambda stream: self.engine.run_exec(number, stream))
        else:
            self._reply(200, {"ID": number, "ExitCode": self.engine.exit_code(number), "Running": False})

    def _images(self, rest: list[str], _query: dict[str, str], _body: dict[str, Any]) -> None:
        name = "/".join(rest[:-1])
        if name not in self.engine.images:
            raise Refusal(404, f"No such image: {name}")
        self._reply(200, {"Id": "sha256:" + "0" * 64, "RepoTags": [name]})

    def _networks(self, rest: list[str], query: dict[str, str], body: dict[str, Any]) -> None:
        engine = self.engine
        match self.command, rest:
            case "POST", ["create"]:
                self._reply(201, {"Id": engine.create_network(body).id, "Warning": ""})
            case "GET", []:
                found = self._filtered(engine.networks, query)
                self._reply(200, [{"Id": one.id, "Name": one.name, "Labels": one.labels} for one in found])
            case "GET", [name]:
                network = engine.network(name)
                self._reply(200, {"Id": network.id, "Name": network.name, "Labels": network.labels})
            case "DELETE", [name]:
                engine.remove_network(name)
                self._reply(204)
            case "POST", [name, "connect"]:
                engine.join(engine.container(body["Container"]), name, body.get("EndpointConfig") or {})
                self._reply(200)
            case "POST", [name, "disconnect"]:
                engine.leave(engine.container(body["Container"]), name)
                self._reply(200)

    def _kill(self, container: StubContainer) -> None:
        if not container.running:
            raise Refusal(409, f"Cannot kill container: {container.name}: Container {container.id} is not running")
        container.running = False
        self._reply(204)
        self.engine.killed(container.name)

    def _attach(self, name: str, stream: socket.socket) -> None:
        container = self.engine.container(name)
        command = Command(
            container.name, [*(container.config.get("Entrypoint") or ()), *(container.config.get("Cmd") or ())], stream
        )
        self.engine.on_exec(command)

    @staticmethod
    def _filtered(found: dict[str, Any], query: dict[str, str]) -> list[Any]:
        wanted = json.loads(query.get("filters") or "{}").get("label") or []
        pairs = [label.partition("=") for label in wanted]
        return [
            one
            for one in found.values()
            if all(name in one.labels and value in {"", one.labels[name]} for name, _, value in pairs)
        ]

    def _reply(self, status: int, value: object = None) -> None:
        data = b"" if value is None else value.encode() if isinstance(value, str) else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Api-Version", API_VERSION)
        self.send_header("Content-Type", "text/plain" if isinstance(value, str) else "application/json")
        if status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _upgrade(self, serve: Callable[[socket.socket], None]) -> None:
        """Hijack the connection, as the daemon does for what runs in containers."""
        self.send_response(101, "UPGRADED")
        self.send_header("Content-Type", "application/vnd.docker.raw-stream")
        self.send_header("Connection", "Upgrade")
        self.send_header("Upgrade", "tcp")
        self.end_headers()
        self.wfile.flush()
        self.close_connection = True
        with contextlib.suppress(OSError):
            serve(self.connection)
            self.connection.shutdown(socket.SHUT_WR)


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, *_: object) -> None:
        """Clients that hang up are no news."""


@contextlib.contextmanager
def serving(engine: StubEngine, path: Path) -> Iterator[str]:
    """Serve an engine on a Unix socket while the context is open; yield its ``DOCKER_HOST``."""
    handler = type("Handler", (_Handler,), {"engine": engine})
    server = _Server(str(path), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"unix://{path}"
    finally:
        server.shutdown()
        server.server_close()
