"""What faults of an API server do to clients that know nothing of them."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import kubernetes
import kubernetes.watch
import pytest

from l3conf.model.api_faults import (
    APIDropped,
    APIExpired,
    APIRefused,
    APISlow,
    EventsDuplicated,
    EventsLate,
    EventsReordered,
    WatchesSilent,
)
from l3conf.model.faults import fault_from_json, fault_to_json
from l3conf.tests.apiserver.manifests import config_map

if TYPE_CHECKING:
    from collections.abc import Iterator

    from l3conf.model.api_faults import APIFault
    from l3conf.tests.apiserver.hosting import Hosted

OFFICIAL: Any = kubernetes
CoreV1: TypeAlias = Any
HERE = "east"
PATIENCE = 60.0


@contextmanager
def in_force(hosted: Hosted, fault: APIFault) -> Iterator[None]:
    end = hosted.call(hosted.server.disturbances.begin, fault)
    try:
        yield
    finally:
        hosted.call(end)


@pytest.fixture
def core(hosted: Hosted) -> Iterator[CoreV1]:
    with OFFICIAL.config.new_client_from_config(str(hosted.kubeconfig)) as client:
        client.configuration.retries = False
        client.rest_client.pool_manager.clear()
        yield OFFICIAL.client.CoreV1Api(client)
        client.rest_client.pool_manager.clear()


class Watching:
    """A watch on ConfigMaps of the official client, read in a thread."""

    def __init__(self, hosted: Hosted) -> None:
        self.events: queue.Queue[Any] = queue.Queue()
        self._client = OFFICIAL.config.new_client_from_config(str(hosted.kubeconfig))
        core = OFFICIAL.client.CoreV1Api(self._client)
        self.version = core.list_namespaced_config_map("default").metadata.resource_version
        self._open = threading.Event()
        threading.Thread(target=self._run, args=(core,), daemon=True).start()
        assert self._open.wait(PATIENCE)

    def _run(self, core: CoreV1) -> None:
        # A version that stays what it was: the client would watch on by itself.
        answer = core.list_namespaced_config_map(
            "default", watch=True, resource_version=self.version, _preload_content=False, _request_timeout=30
        )
        self._open.set()
        try:
            for line in OFFICIAL.watch.watch.iter_resp_lines(answer):
                event = json.loads(line)
                data = event["object"].get("data") or {}
                self.events.put((event["type"], data.get("n") or event["object"].get("code")))
            self.events.put("ended")
        except Exception as error:  # noqa: BLE001 - whatever the client makes of it
            self.events.put(type(error).__name__)

    def take(self, count: int) -> list[Any]:
        return [self.events.get(timeout=PATIENCE) for _ in range(count)]

    def nothing_for(self, seconds: float) -> bool:
        try:
            self.events.get(timeout=seconds)
        except queue.Empty:
            return True
        return False


def change(hosted: Hosted, *numbers: int) -> None:
    """Set one ConfigMap to each of these, one after the other."""

    def write() -> None:
        for number in numbers:
            hosted.server.api.update("configmaps", {**config_map("c"), "data": {"n": str(number)}})

    hosted.call(write)


@pytest.fixture
def watching(hosted: Hosted) -> Watching:
    hosted.call(hosted.server.api.create, "configmaps", {**config_map("c"), "data": {"n": "0"}})
    return Watching(hosted)


@pytest.mark.parametrize(
    "fault",
    [
        APIRefused(cluster=HERE, code=429, retry_after=3, user="u*", agent="curl/*", verbs=("get", "list"), share=0.5),
        APISlow(cluster=HERE, seconds=1.5),
        APIDropped(cluster=HERE, carried_out=True),
        APIExpired(cluster=HERE),
        EventsDuplicated(cluster=HERE, share=0.1, seed=7),
        EventsLate(cluster=HERE, seconds=0.1),
        EventsReordered(cluster=HERE, seconds=0.1),
        WatchesSilent(cluster=HERE, resource="endpoints.submariner.io"),
    ],
)
def test_faults_are_the_same_after_a_way_over_the_wire(fault: APIFault) -> None:
    assert fault_from_json(json.loads(json.dumps(fault_to_json(fault)))) == fault


@pytest.mark.parametrize("wrong", [{"code": 200}, {"code": 500, "share": 0}, {"code": 500, "share": 1.5}])
def test_impossible_faults_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"no HTTP status|a share"):
        fault_from_json({"kind": "api-refused", "cluster": HERE, **wrong})


@pytest.mark.parametrize(("code", "reason"), [(429, "TooManyRequests"), (503, "ServiceUnavailable"), (500, "Internal")])
def test_requests_are_refused_as_a_real_server_would_and_nothing_is_done(
    hosted: Hosted, core: CoreV1, code: int, reason: str
) -> None:
    with in_force(hosted, APIRefused(cluster=HERE, code=code, retry_after=7)):
        with pytest.raises(OFFICIAL.client.ApiException) as refused:
            core.create_namespaced_config_map("default", config_map("c"))
        assert refused.value.status == code
        assert refused.value.headers["Retry-After"] == "7"
        status = json.loads(refused.value.body)
        assert (status["kind"], status["status"]) == ("Status", "Failure")
        assert status["reason"].startswith(reason)
    assert [
        obj.metadata.name for obj in core.list_namespaced_config_map("default").items if obj.metadata.name == "c"
    ] == []


def test_only_writes_conflict(hosted: Hosted, core: CoreV1) -> None:
    with in_force(hosted, APIRefused(cluster=HERE, code=409)):
        core.list_namespaced_config_map("default")
        with pytest.raises(OFFICIAL.client.ApiException) as refused:
            core.create_namespaced_config_map("default", config_map("c"))
    assert (refused.value.status, json.loads(refused.value.body)["reason"]) == (409, "Conflict")


def test_a_fault_meets_those_clients_verbs_and_resources_that_it_names(hosted: Hosted, core: CoreV1) -> None:
    for other in (
        {"user": "system:serviceaccount:*"},
        {"agent": "kubectl/*"},
        {"verbs": ("watch",)},
        {"resource": "secrets"},
    ):
        with in_force(hosted, APIRefused(cluster=HERE, code=503, **other)):
            core.list_namespaced_config_map("default")
    meant = APIRefused(
        cluster=HERE, code=503, user="kubernetes-admin", agent="OpenAPI-*", verbs=("list",), resource="config*"
    )
    with in_force(hosted, meant), pytest.raises(OFFICIAL.client.ApiException):
        core.list_namespaced_config_map("default")


def test_a_share_of_requests_is_met_and_the_same_again_with_the_same_seed(hosted: Hosted, core: CoreV1) -> None:
    def fates() -> list[bool]:
        found = []
        with in_force(hosted, APIRefused(cluster=HERE, code=503, share=0.5, seed=3)):
            for _ in range(30):
                try:
                    core.read_namespace("default")
                except OFFICIAL.client.ApiException:
                    found.append(False)
                else:
                    found.append(True)
        return found

    first = fates()
    assert 5 < sum(first) < 25
    assert fates() == first


def test_answers_come_later(hosted: Hosted, core: CoreV1) -> None:
    with in_force(hosted, APISlow(cluster=HERE, seconds=0.6)):
        began = time.monotonic()
        core.read_namespace("default")
        assert time.monotonic() - began >= 0.6


@pytest.mark.parametrize("carried_out", [False, True])
def test_connections_break_before_or_after_a_request_was_carried_out(hosted: Hosted, *, carried_out: bool) -> None:
    body = json.dumps(config_map("c"))
    address = f"{hosted.url}/api/v1/namespaces/default/configmaps"
    (hosted.directory / "header").write_text(f"Authorization: Bearer {hosted.server.admin_token}\n")
    curl = ["curl", "-sk", "-H", f"@{hosted.directory}/header", "-H", "Content-Type: application/json", "-d", body]
    with in_force(hosted, APIDropped(cluster=HERE, carried_out=carried_out)):
        ended = subprocess.run([*curl, address], capture_output=True, timeout=30, check=False)
    assert ended.returncode in {52, 56}, "curl: empty reply, or a reset connection"
    found = {obj["metadata"]["name"] for obj in hosted.call(hosted.server.api.list, "configmaps", "default")}
    assert ("c" in found) is carried_out


def test_watches_that_are_open_break(hosted: Hosted, watching: Watching) -> None:
    with in_force(hosted, APIDropped(cluster=HERE, verbs=("watch",))):
        assert watching.take(1) == ["ProtocolError"]


def test_watches_and_continued_lists_expire(hosted: Hosted, watching: Watching, core: CoreV1) -> None:
    hosted.call(hosted.server.api.create, "configmaps", config_map("d"))
    watching.take(1)
    page = core.list_namespaced_config_map("default", limit=1)
    with in_force(hosted, APIExpired(cluster=HERE)):
        assert watching.take(2) == [("ERROR", 410), "ended"]
        with pytest.raises(OFFICIAL.client.ApiException) as refused:
            core.list_namespaced_config_map("default", limit=1, _continue=page.metadata._continue)
        assert refused.value.status == 410
        core.list_namespaced_config_map("default")


def test_events_come_twice(hosted: Hosted, watching: Watching) -> None:
    with in_force(hosted, EventsDuplicated(cluster=HERE)):
        change(hosted, 1, 2)
        assert watching.take(4) == [("MODIFIED", n) for n in "1122"]


def test_events_come_late_and_in_order_also_when_the_fault_has_ended(hosted: Hosted, watching: Watching) -> None:
    with in_force(hosted, EventsLate(cluster=HERE, seconds=0.7)):
        began = time.monotonic()
        change(hosted, 1)
        time.sleep(0.1)
    change(hosted, 2)
    assert watching.take(2) == [("MODIFIED", n) for n in "12"]
    assert time.monotonic() - began >= 0.7


def test_the_newest_event_comes_first(hosted: Hosted, watching: Watching) -> None:
    with in_force(hosted, EventsReordered(cluster=HERE, seconds=0.3)):
        change(hosted, 1, 2, 3)
        assert watching.take(3) == [("MODIFIED", n) for n in "321"]
    change(hosted, 4, 5)
    assert watching.take(2) == [("MODIFIED", n) for n in "45"]


def test_a_watch_that_fell_silent_stays_so_and_new_ones_speak(hosted: Hosted, watching: Watching) -> None:
    with in_force(hosted, WatchesSilent(cluster=HERE)):
        change(hosted, 1)
    change(hosted, 2)
    assert watching.nothing_for(0.5)
    later = Watching(hosted)
    change(hosted, 3)
    assert later.take(1) == [("MODIFIED", "3")]
    assert watching.nothing_for(0.3)


def test_kubectl_retries_what_it_may(kube: Hosted) -> None:
    """The unmodified witness: it waits as long as it is told, and gets through when the fault is over."""
    end = kube.call(kube.server.disturbances.begin, APIRefused(cluster=HERE, code=429, retry_after=1))
    timer = threading.Timer(1.5, kube.call, [end])
    timer.start()
    began = time.monotonic()
    assert "default" in kube.kubectl("get", "namespaces", "-o", "name")
    assert time.monotonic() - began > 1.0
    timer.join()
