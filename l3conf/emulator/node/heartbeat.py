"""Registers a node and keeps it Ready: a Lease every ten seconds, the status where it was spoilt."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from l3conf.emulator.apiserver.errors import StatusError
from l3conf.emulator.controllers.conditions import is_true, micro_timestamp
from l3conf.emulator.node.node_object import LEASE_NAMESPACE, RENEW_SECONDS, lease_object, node_object, node_status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from l3conf.emulator.cluster_api import Object
    from l3conf.emulator.node.context import NodeContext

logger = logging.getLogger(__name__)

NOT_FOUND, CONFLICT = 404, 409
LEASES = "leases.coordination.k8s.io"


class Heartbeat:
    """One node's sign of life."""

    def __init__(self, context: NodeContext, labels: Mapping[str, str], *, renew_seconds: float) -> None:
        self._context = context
        self._labels = labels
        self._renew_seconds = renew_seconds or RENEW_SECONDS
        self._timer: asyncio.TimerHandle | None = None
        self._failure = ""

    def start(self) -> None:
        """Register the node and begin to renew. Raises ``StatusError`` if the API refuses the Node."""
        self._report(self._register())
        self._beat()

    def stop(self) -> None:
        """Fall silent, as a node does that loses power."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def report(self) -> None:
        """Write the status as it is now."""
        self._report(self._context.api.get("nodes", self._context.node))

    def _register(self) -> Object:
        """Create the Node, or complete the labels and ranges of one that is there already."""
        wanted = node_object(self._context.cluster, self._context.ground, self._labels)
        try:
            return self._context.api.create("nodes", wanted)
        except StatusError as error:
            if error.code != CONFLICT:
                raise
        return self._context.api.patch(
            "nodes", self._context.node, {"metadata": {"labels": wanted["metadata"]["labels"]}}
        )

    def _report(self, node: Object) -> None:
        conditions = (node.get("status") or {}).get("conditions") or []
        status = node_status(self._context.cluster, self._context.ground, conditions, self._context.now())
        self._context.api.patch("nodes", self._context.node, {"status": status}, subresource="status")

    def _beat(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._renew_seconds, self._beat)
        try:
            node = self._context.api.get("nodes", self._context.node)
            self._renew(node)
            if not is_true(node, "Ready"):
                self._report(node)
            self._failure = ""
        except StatusError as error:
            if str(error) != self._failure:
                self._failure = str(error)
                logger.warning("node %s: heartbeat: %s", self._context.node, error)

    def _renew(self, node: Object) -> None:
        now = self._context.now()
        renewal = {"spec": {"renewTime": micro_timestamp(now)}}
        try:
            self._context.api.patch(LEASES, self._context.node, renewal, namespace=LEASE_NAMESPACE)
        except StatusError as error:
            if error.code != NOT_FOUND:
                raise
            self._context.api.create(LEASES, lease_object(node, now))
