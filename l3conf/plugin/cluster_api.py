"""The suite's Kubernetes client: the one module that imports ``kubernetes``.

The official package reads users' kubeconfigs and runs their auth plug-ins; requests are plain paths and JSON, so
that the suite sees status codes and bodies as the server sent them, for built-in and custom resources alike.
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import urllib3
import websocket
from kubernetes import config as kubernetes_config
from kubernetes.stream import ws_client

from l3conf.errors import LabError, LabIncapableError
from l3conf.expectations.places import NAMESPACE
from l3conf.plugin.confinement import reads_elsewhere, writes_elsewhere
from l3conf.plugin.own_kinds import collection_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

Object = dict[str, Any]
"""A Kubernetes object as JSON."""

GROUP = "/apis/submariner.io/v1"
MERGE_PATCH = "application/merge-patch+json"
HTTP_CONFLICT, HTTP_GONE, HTTP_NOT_FOUND, HTTP_FORBIDDEN, HTTP_ERRORS = 409, 410, 404, 403, 400


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said."""

    status: int
    body: Any

    @property
    def ok(self) -> bool:
        """Whether the request was accepted."""
        return self.status < HTTP_ERRORS

    @property
    def is_not_granted(self) -> bool:
        """Whether RBAC refused it, and no admission: by its words, ``… is forbidden: User "…" cannot …``."""
        return self.status == HTTP_FORBIDDEN and 'is forbidden: User "' in self.message

    @property
    def message(self) -> str:
        """The server's own words, if it sent a Status."""
        return str(self.body.get("message", "")) if isinstance(self.body, dict) else str(self.body)[:300]


class ClusterAPI:
    """One cluster's API server, reached by a kubeconfig. Use from one thread; close when done."""

    def __init__(
        self,
        name: str,
        kubeconfig: Path,
        *,
        timeout: float,
        namespace: str = NAMESPACE,
        under_test: bool = False,
        confined: bool = False,
    ) -> None:
        """``namespace`` is where the suite's own objects are in this cluster; ``confined``: it keeps to these.

        What RBAC refuses to the suite's own credential raises ``LabIncapableError``: the ground's operator did not
        grant it, whoever is tested. Of a credential ``under_test`` it is an answer like any other.
        """
        self._under_test = under_test
        self._confined = confined
        self.name = name
        self.namespace = namespace
        self.timeout = timeout
        self._kubeconfig = kubeconfig
        try:
            load: Any = kubernetes_config.new_client_from_config
            self._client = load(config_file=str(kubeconfig))
        except kubernetes_config.ConfigException as error:
            raise LabError(f"kubeconfig cannot be used: {error}", where=str(kubeconfig)) from error

    def close(self) -> None:
        """Close connections."""
        self._client.rest_client.pool_manager.clear()
        self._client.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        content_type: str = "application/json",
        **query: str,
    ) -> Answer:
        """Make one request and return what the server answered.

        ``LabError`` if it did not answer at all, ``LabIncapableError`` if the suite has not been granted this, or is
        confined to what is its own.
        """
        response = self._send(method, path, body, content_type, query, stream=False)
        try:
            answer = Answer(response.status, json.loads(response.data) if response.data else None)
        except ValueError:
            answer = Answer(response.status, response.data.decode(errors="replace"))
        if answer.is_not_granted and not self._under_test:
            raise LabIncapableError(f"not granted: {answer.message}", where=self.name)
        return answer

    def get(self, path: str, **query: str) -> Any:  # noqa: ANN401 - JSON
        """Return the JSON at a path; ``LookupError`` if there is none, ``LabError`` for other refusals."""
        answer = self.request("GET", path, **query)
        if answer.status == HTTP_NOT_FOUND:
            raise LookupError(f"{self.name}: {path} does not exist")
        if not answer.ok:
            raise LabError(f"GET {path} was answered {answer.status}: {answer.message}", where=self.name)
        return answer.body

    def text(self, path: str, **query: str) -> str:
        """Return the text at a path, a pod's log for instance; raises as ``get`` does."""
        response = self._send("GET", path, None, "application/json", query, stream=False)
        if response.status >= HTTP_ERRORS:
            self.get(path, **query)
        return response.data.decode(errors="replace")

    def items(self, path: str, **query: str) -> list[Object]:
        """Return the objects of a collection; none if the server does not know the resource."""
        try:
            return list(self.get(path, **query)["items"])
        except LookupError:
            return []

    def apply(self, obj: Mapping[str, Any]) -> None:
        """Create an object of the suite's own, or merge it into the one that exists."""
        path, name = collection_path(obj), obj["metadata"]["name"]
        answer = self.request("POST", path, body=obj)
        if answer.status == HTTP_CONFLICT:
            answer = self.request("PATCH", f"{path}/{name}", body=obj, content_type=MERGE_PATCH)
        if not answer.ok:
            raise LabError(f"{obj['kind']} {name} was refused ({answer.status}): {answer.message}", where=self.name)

    def open_exec(self, namespace: str, pod: str, argv: Sequence[str]) -> websocket.WebSocket:
        """Start a command in a pod's only container, with stdin, and return its WebSocket (``k8s.io`` channels).

        ``LabError`` if the API server does not open it.
        """
        query = [("stdin", "1"), ("stdout", "1"), ("stderr", "1"), *(("command", word) for word in argv)]
        url = f"{self._client.configuration.host}/api/v1/namespaces/{namespace}/pods/{pod}/exec"
        headers = {"authorization": self._token()} if self._token() else {}
        connect: Any = ws_client.create_websocket
        address: Any = ws_client.get_websocket_url
        try:
            stream: websocket.WebSocket = connect(self._client.configuration, address(url, query), headers)
        except (websocket.WebSocketException, OSError) as error:
            raise LabError(f"no exec into pod {namespace}/{pod}: {error}", where=self.name) from error
        return stream

    def watch(self, path: str, stop: threading.Event, *, lap: int = 1) -> Iterator[tuple[float, str, Object]]:
        """Yield ``(monotonic time, event type, object)``: first all that exists, then changes, until ``stop``.

        Watches are renewed every ``lap`` seconds, so that stopping takes no longer than that.
        """
        version = ""
        while not stop.is_set():
            if not version:
                listed = self.get(path)
                version = listed["metadata"]["resourceVersion"]
                yield from ((time.monotonic(), "ADDED", item) for item in listed["items"])
            query = {"watch": "true", "resourceVersion": version, "timeoutSeconds": str(lap)}
            for event in self._events(path, query):
                if event["type"] == "ERROR":
                    version = ""
                    break
                version = event["object"]["metadata"]["resourceVersion"]
                if event["type"] != "BOOKMARK":
                    yield time.monotonic(), event["type"], event["object"]

    def first_events(self, path: str, *, seconds: str) -> Iterator[Object]:
        """Yield the objects that a watch of so many seconds shows, all that exist first; none if it is refused."""
        try:
            for event in self._events(path, {"watch": "true", "timeoutSeconds": seconds}):
                if event["type"] in ("ADDED", "MODIFIED"):
                    yield event["object"]
        except LabError:
            return

    def _events(self, path: str, query: Mapping[str, str]) -> Iterator[Object]:
        response = self._send("GET", path, None, "application/json", query, stream=True)
        try:
            if response.status == HTTP_GONE:
                yield {"type": "ERROR"}
                return
            if response.status >= HTTP_ERRORS:
                raise LabError(f"watch of {path} was answered {response.status}", where=self.name)
            rest = b""
            for chunk in response.stream(65536):
                *lines, rest = (rest + chunk).split(b"\n")
                yield from (json.loads(line) for line in lines if line.strip())
        except urllib3.exceptions.HTTPError:
            return
        finally:
            response.release_conn()

    def _send(
        self, method: str, path: str, body: object, content_type: str, query: Mapping[str, str], *, stream: bool
    ) -> urllib3.BaseHTTPResponse:
        if self._confined and writes_elsewhere(method, path, body, query, self.namespace):
            raise LabIncapableError(f"{method} {path} would write into what is not this run's own", where=self.name)
        if self._confined and reads_elsewhere(method, path, self.namespace):
            raise LabIncapableError(f"{method} {path} would read what is not this run's own", where=self.name)
        configuration = self._client.configuration
        headers = {"Accept": "application/json", "Content-Type": content_type}
        if token := self._token():
            headers["Authorization"] = token
        url = f"{configuration.host}{path}{'?' if query else ''}{urlencode(query)}"
        try:
            response: urllib3.BaseHTTPResponse = self._client.rest_client.pool_manager.request(
                method,
                url,
                body=None if body is None else json.dumps(body),
                headers=headers,
                timeout=self.timeout,
                retries=urllib3.Retry(connect=2, read=False, redirect=0, other=0),
                preload_content=not stream,
            )
        except urllib3.exceptions.HTTPError as error:
            raise LabError(f"the API server does not answer {method} {path}: {error}", where=self.name) from error
        return response

    def _token(self) -> str:
        configuration = self._client.configuration
        token = configuration.get_api_key_with_prefix("BearerToken")
        return token or configuration.get_api_key_with_prefix("authorization") or ""


def follow(
    api: ClusterAPI, path: str, seen: Callable[[float, str, Object], None], stop: threading.Event
) -> threading.Thread:
    """Watch a collection in a thread of its own until ``stop``; errors end it quietly, with what was seen kept."""

    def work() -> None:
        try:
            for moment, kind, obj in api.watch(path, stop):
                seen(moment, kind, obj)
        except (LabError, LookupError):
            return

    thread = threading.Thread(target=work, name=f"watch {api.name} {path}", daemon=True)
    thread.start()
    return thread
