"""Writes a pod's status to the API: at most once per turn of the event loop, and only what has changed."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from l3conf.emulator.apiserver.errors import StatusError
from l3conf.emulator.node.pod_status import pod_status

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from l3conf.emulator.cluster_api import Object
    from l3conf.emulator.node.context import NodeContext
    from l3conf.emulator.node.pod_status import PodFacts

logger = logging.getLogger(__name__)

NOT_FOUND, CONFLICT = 404, 409
RETRY_SECONDS = 1.0
_OWN_VERDICTS = frozenset({"Ready", "ContainersReady", "Initialized"})


class StatusReporter:
    """Reports for one pod until it is closed."""

    def __init__(self, context: NodeContext, facts: Callable[[], PodFacts]) -> None:
        self._context = context
        self._facts = facts
        self._written: Object = {}
        self._due: asyncio.Handle | None = None
        self._closed = False

    def changed(self) -> None:
        """Report at the end of this turn."""
        if self._due is None and not self._closed:
            self._due = asyncio.get_running_loop().call_soon(self.write)

    def seen(self, pod: Mapping[str, Any]) -> None:
        """Compare with what the API has: a node controller may have spoilt it while this kubelet was silent."""
        if self._written and _verdicts(pod.get("status") or {}) != _verdicts(self._written):
            self._written = {}
            self.changed()

    def write(self) -> None:
        """Report now."""
        self._cancel()
        facts = self._facts()
        status = pod_status(facts, self._context.now())
        if self._closed or status == self._written:
            return
        metadata = facts.pod["metadata"]
        # The uid is a precondition: a pod of the same name may have taken this one's place.
        patch = {"metadata": {"uid": metadata["uid"]}, "status": status}
        try:
            self._context.api.patch(
                "pods", metadata["name"], patch, namespace=metadata["namespace"], subresource="status"
            )
        except StatusError as error:
            if error.code not in {NOT_FOUND, CONFLICT}:
                logger.warning("pod %s: status: %s", metadata["name"], error)
                self._due = asyncio.get_running_loop().call_later(RETRY_SECONDS, self.write)
        else:
            self._written = status

    def close(self) -> None:
        """Report nothing more."""
        self._closed = True
        self._cancel()

    def _cancel(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None


def _verdicts(status: Mapping[str, Any]) -> list[tuple[str, str]]:
    conditions = status.get("conditions") or ()
    return sorted((item["type"], item["status"]) for item in conditions if item["type"] in _OWN_VERDICTS)
