"""A run's claim on its namespaces, and their removal: at its end, or by somebody later if it was killed."""

from __future__ import annotations

import datetime as dt
import threading
import time
from typing import TYPE_CHECKING

from l3conf.errors import LabError, LabIncapableError
from l3conf.labs.existing.objects import LEASE, LEASE_SECONDS, MANAGED, RUN_LABEL, micro_time
from l3conf.labs.existing.remains import Remnant, remnant
from l3conf.plugin.cluster_api import HTTP_NOT_FOUND, MERGE_PATCH

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from l3conf.plugin.cluster_api import ClusterAPI, Object

_NAMESPACES = "/api/v1/namespaces"
_RENEWALS = 4
"""A period."""
_LOOK = 0.5


class Claim:
    """Renews the Leases of a run's namespaces in a thread, until it is closed.

    A renewal that fails is tried again with the next: what others conclude from a stale claim is theirs.
    """

    def __init__(self, open_apis: Callable[[], Sequence[ClusterAPI]], namespaces: Sequence[str]) -> None:
        self._open_apis = open_apis
        self._namespaces = namespaces
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="claim on namespaces", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Renew no more. Idempotent."""
        self._over.set()
        self._thread.join()

    def _work(self) -> None:
        apis = self._open_apis()
        while not self._over.wait(LEASE_SECONDS / _RENEWALS):
            for api in apis:
                for namespace in self._namespaces:
                    self._renew(api, namespace)
        for api in apis:
            api.close()

    @staticmethod
    def _renew(api: ClusterAPI, namespace: str) -> None:
        path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{LEASE}"
        renewed = {"spec": {"renewTime": micro_time(dt.datetime.now(dt.UTC))}}
        try:
            api.request("PATCH", path, body=renewed, content_type=MERGE_PATCH)
        except LabError:
            return


def remnants(api: ClusterAPI) -> list[Remnant]:
    """Return the namespaces of runs in a cluster, living ones included."""
    label, value = next(iter(MANAGED.items()))
    listed = api.items(_NAMESPACES, labelSelector=f"{label}={value},{RUN_LABEL}")
    found = [remnant(namespace, _lease(api, namespace["metadata"]["name"])) for namespace in listed]
    return [one for one in found if one is not None]


def _lease(api: ClusterAPI, namespace: str) -> Object | None:
    """Return the claim on a namespace, an empty one if there is none; None if it is not ours to read."""
    try:
        answer = api.request("GET", f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{LEASE}")
    except LabIncapableError:
        return None
    return answer.body if answer.ok else {}


def remove(api: ClusterAPI, namespaces: Sequence[str], *, seconds: float) -> None:
    """Delete namespaces and wait until they are gone. ``LabError`` names those that are not, after ``seconds``."""
    for name in namespaces:
        answer = api.request("DELETE", f"{_NAMESPACES}/{name}")
        if not answer.ok and answer.status != HTTP_NOT_FOUND:
            raise LabError(f"namespace {name} is not removed ({answer.status}): {answer.message}", where=api.name)
    deadline = time.monotonic() + seconds
    left = list(namespaces)
    while left := [name for name in left if api.request("GET", f"{_NAMESPACES}/{name}").status != HTTP_NOT_FOUND]:
        if time.monotonic() > deadline:
            raise LabError(
                f"still being removed after {seconds:g} s: namespace {', '.join(left)}",
                where=api.name,
                remedy="kubectl get namespace NAME -o yaml says what it waits for",
            )
        time.sleep(_LOOK)


def clean(api: ClusterAPI, now: dt.datetime, *, force: str = "", seconds: float = 120.0) -> list[str]:
    """Remove what dead runs left in a cluster, and the run ``force`` if it is named; return a line about each found."""
    lines = []
    found = remnants(api)
    gone = [one for one in found if one.is_dead(now) or one.run == force]
    remove(api, [one.name for one in gone], seconds=seconds)
    for one in found:
        word = "removed" if one in gone else f"kept: {one.doubt}"
        age = (now - one.renewed).total_seconds()
        held = f" of {one.holder}" if one.holder else ""
        lines.append(f"{api.name}: namespace {one.name}{held}, last heard of {age:.0f} s ago: {word}")
    return lines
