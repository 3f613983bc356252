"""Events as ``kubectl describe`` shows them; repeated ones are counted, not repeated."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from l3conf.emulator.apiserver.errors import StatusError
from l3conf.emulator.controllers.conditions import timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from l3conf.emulator.cluster_api import ClusterAPI, Object

logger = logging.getLogger(__name__)

REMEMBERED = 512
"""Events that can still be counted up; older ones are written anew."""


class EventRecorder:
    """Writes Events for one component. An Event that cannot be written is logged and never an error."""

    def __init__(self, api: ClusterAPI, component: str, *, host: str = "", now: Callable[[], datetime]) -> None:
        self._api = api
        self._source = {"component": component} | ({"host": host} if host else {})
        self._now = now
        self._last = 0
        self._written: OrderedDict[tuple[str, str, str, str], tuple[str, int]] = OrderedDict()

    def record(
        self, about: Mapping[str, Any], reason: str, message: str, *, warning: bool = False, field: str = ""
    ) -> None:
        """Say that something happened to ``about``; ``field`` as in ``spec.containers{name}``."""
        key = (about["metadata"].get("uid", ""), reason, message, field)
        try:
            if key in self._written:
                self._count_up(about, key)
            else:
                self._write(about, key, warning=warning)
        except StatusError as error:
            logger.debug("event %s for %s: %s", reason, about["metadata"]["name"], error)

    def _write(self, about: Mapping[str, Any], key: tuple[str, str, str, str], *, warning: bool) -> None:
        uid, reason, message, field = key
        metadata = about["metadata"]
        namespace, moment = metadata.get("namespace") or "default", timestamp(self._now())
        event: Object = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{metadata['name']}.{self._tick():x}", "namespace": namespace},
            "involvedObject": {
                "apiVersion": about.get("apiVersion", "v1"),
                "kind": about.get("kind", "Pod"),
                "name": metadata["name"],
                "namespace": metadata.get("namespace", ""),
                "uid": uid,
            },
            "reason": reason,
            "message": message,
            "type": "Warning" if warning else "Normal",
            "count": 1,
            "firstTimestamp": moment,
            "lastTimestamp": moment,
            "source": self._source,
            "reportingComponent": self._source["component"],
            "reportingInstance": self._source.get("host", ""),
        }
        if field:
            event["involvedObject"]["fieldPath"] = field
        self._api.create("events", event)
        self._written[key] = (event["metadata"]["name"], 1)
        if len(self._written) > REMEMBERED:
            self._written.popitem(last=False)

    def _tick(self) -> int:
        """Return a number that grows: lists are ordered by name, and times have whole seconds only."""
        self._last = max(time.time_ns(), self._last + 1)
        return self._last

    def _count_up(self, about: Mapping[str, Any], key: tuple[str, str, str, str]) -> None:
        name, count = self._written.pop(key)
        namespace = about["metadata"].get("namespace") or "default"
        self._api.patch(
            "events", name, {"count": count + 1, "lastTimestamp": timestamp(self._now())}, namespace=namespace
        )
        self._written[key] = (name, count + 1)
