"""Runs for the gateway Lease."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from typing import TYPE_CHECKING

from reference_impl.drivers.api import APIError, ConflictError, NotFoundError, Resource
from reference_impl.names import GATEWAY_LEASE
from reference_impl.protocols.election import Action, Election, ElectionTimings, LeaseRecord, Role

if TYPE_CHECKING:
    from collections.abc import Callable

    from reference_impl.drivers.api import API, Object

_LOG = logging.getLogger(__name__)


class Candidate:
    """Takes and renews the Lease; says which role that gives us.

    The lease is not given back at the end: a restart within its time takes it up again under the same identity,
    and no standby moves traffic for it.
    """

    def __init__(self, api: API, identity: str, namespace: str, changed: Callable[[], None]) -> None:
        self._api = api
        self._namespace = namespace
        self._changed = changed
        self._election = Election(identity, ElectionTimings())
        self._shown = Role.UNKNOWN
        self._held: Object | None = None
        """The Lease as we last wrote it: while nobody else writes it, it need not be read to be renewed."""

    @property
    def role(self) -> Role:
        """Return the role at this moment."""
        return self._election.role(asyncio.get_running_loop().time())

    async def run(self) -> None:
        """Try every ``retry`` seconds until cancelled."""
        while True:
            try:
                await self._try()
            except ConflictError:
                _LOG.info("another candidate was faster")
            except APIError as error:
                _LOG.warning("%s", error)
            if self.role is not self._shown:
                self._shown = self.role
                _LOG.info("this gateway is %s", self._shown.value)
                self._changed()
            await asyncio.sleep(self._election.timings.retry)

    async def _try(self) -> None:
        time = asyncio.get_running_loop().time
        # If the Lease is another one by now, the API refuses ours with a conflict, and the next try reads it.
        found, self._held = self._held, None
        if found is None:
            found = await self._read()
        record = None if found is None else _record(found)
        action = self._election.observe(record, time())
        if action is Action.WAIT:
            return
        obj = self._lease(found, record, action)
        if found is None:
            written = await self._api.create(Resource.LEASE, obj)
        else:
            written = await self._api.replace(Resource.LEASE, obj)
        self._election.written(_record(written), time())
        self._held = written

    async def _read(self) -> Object | None:
        try:
            return await self._api.get(Resource.LEASE, GATEWAY_LEASE, self._namespace)
        except NotFoundError:
            return None

    def _lease(self, found: Object | None, record: LeaseRecord | None, action: Action) -> Object:
        now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec = dict(found["spec"]) if found is not None else {}
        transitions = record.transitions if record else 0
        if action is not Action.RENEW:
            spec |= {"acquireTime": now, "leaseTransitions": transitions + (action is Action.TAKE)}
        spec |= {
            "holderIdentity": self._election.identity,
            "leaseDurationSeconds": int(self._election.timings.lease),
            "renewTime": now,
        }
        metadata = found["metadata"] if found is not None else {"name": GATEWAY_LEASE, "namespace": self._namespace}
        head = {"apiVersion": Resource.LEASE.api_version, "kind": Resource.LEASE.kind}
        return {**head, "metadata": metadata, "spec": spec}


def _record(lease: Object) -> LeaseRecord:
    spec = lease.get("spec") or {}
    return LeaseRecord(
        holder=spec.get("holderIdentity") or "",
        renewed=str(spec.get("renewTime") or ""),
        transitions=int(spec.get("leaseTransitions") or 0),
    )
