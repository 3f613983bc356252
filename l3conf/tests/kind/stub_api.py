"""Kubernetes APIs for the stub's clusters: as many of their answers as building a ground asks for.

Nodes are the running containers of the stub engine that bear kind's labels, with the addresses that it gave them.
"""

from __future__ import annotations

import contextlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from l3conf.tests.kind.stub_engine import StubEngine
    from l3conf.tests.kind.stub_values import StubContainer


@dataclass(slots=True)
class StubAPIs:
    engine: StubEngine
    not_ready: set[str] = field(default_factory=set)
    pods: list[dict[str, Any]] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    port: int = 0

    def nodes(self, cluster: str) -> list[dict[str, Any]]:
        found = [one for one in self.engine.containers.values() if one.labels.get("io.x-k8s.kind.cluster") == cluster]
        return [self._node(index, one) for index, one in enumerate(found)]

    def _node(self, index: int, container: StubContainer) -> dict[str, Any]:
        (network,) = container.networks.values() or ({},)
        addresses = [network.get("IPAddress"), network.get("GlobalIPv6Address")]
        ready = container.running and container.name not in self.not_ready
        return {
            "metadata": {"name": container.name, "labels": {}},
            "spec": {"podCIDRs": [f"10.1.{index}.0/24"]},
            "status": {
                "addresses": [{"type": "InternalIP", "address": each} for each in addresses if each],
                "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
                "nodeInfo": {"kernelVersion": "6.1.0-stub"},
            },
        }

    def kubeconfig(self, cluster: str) -> str:
        entry = {"name": f"kind-{cluster}"}
        return yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": f"kind-{cluster}",
                "clusters": [{**entry, "cluster": {"server": f"http://127.0.0.1:{self.port}/clusters/{cluster}"}}],
                "users": [{**entry, "user": {"token": "stub"}}],
                "contexts": [{**entry, "context": {"cluster": entry["name"], "user": entry["name"]}}],
            }
        )


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    apis: StubAPIs

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _serve(self) -> None:
        _, _, cluster, path = urlsplit(self.path).path.split("/", 3)
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.command == "DELETE":
            self.apis.deleted.append(f"{cluster}/{path}")
        found = {
            "api/v1/nodes": {"items": self.apis.nodes(cluster)},
            "api/v1/pods": {"items": self.apis.pods},
            "version": {"gitVersion": "v1.33.1"},
        }.get(path)
        if found is None and path.startswith("api/v1/nodes/"):
            found = next((one for one in self.apis.nodes(cluster) if one["metadata"]["name"] == path[13:]), None)
        data = json.dumps(found or {"kind": "Status", "message": "not found"}).encode()
        self.send_response(200 if found else 404)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_DELETE = do_PATCH = _serve  # noqa: N815 - the base class's names


@contextlib.contextmanager
def serving_apis(apis: StubAPIs, folder: Path) -> Iterator[None]:
    """Serve the APIs on loopback while the context is open, and keep kubeconfigs for the stub kind in ``folder``."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"apis": apis}))
    server.daemon_threads = True
    apis.port = server.server_address[1]
    folder.mkdir(parents=True, exist_ok=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
