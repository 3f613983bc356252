"""Runs for the gateway Lease."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from reference_impl.drivers.api import APIError, ConflictError, NotFoundError, Resource
from reference_impl.names import GATEWAY_LEASE
from reference_impl.protocols.election import Action, Election, ElectionTimings, Ground, LeaseRecord, Role

if TYPE_CHECKING:
    from collections.abc import Callable

    from reference_impl.drivers.api import API, Object

_LOG = logging.getLogger(__name__)


class Candidate:
    """Takes and renews the Lease; says which role that gives us.

    The lease is not given back at the end: a restart within its time takes it up again under the same identity,
    and no standby moves traffic for it. Whoever finds a holder gone (``ground``) takes the Lease at once. The Lease
    decides: what we take, the API has not given to anybody else since we read it.
    """

    def __init__(
        self,
        api: API,
        identity: str,
        namespace: str,
        changed: Callable[[], None],
        ground: Callable[[str], Ground] = lambda _holder: Ground.NONE,
        timings: ElectionTimings | None = None,
    ) -> None:
        """``ground``: on what ground the Lease of such a holder may be taken before its time."""
        self._api = api
        self._namespace = namespace
        self._changed = changed
        self._ground = ground
        self._hurried = asyncio.Event()
        self._election = Election(identity, timings or ElectionTimings())
        self._shown = Role.UNKNOWN
        self._held: Object | None = None
        """The Lease as we last wrote it: while nobody else writes it, it need not be read to be renewed."""
        self._relieved_at: float | None = None

    @property
    def role(self) -> Role:
        """Return the role at this moment."""
        return self._election.role(asyncio.get_running_loop().time())

    @property
    def holder(self) -> str:
        """Return who was last seen to hold the Lease; "" if nobody did."""
        return self._election.holder

    @property
    def relieving_for(self) -> float | None:
        """Return for how many seconds we have had the Lease of a gateway that was relieved and goes on forwarding.

        None if we came by it otherwise.
        """
        return None if self._relieved_at is None else asyncio.get_running_loop().time() - self._relieved_at

    def hurry(self) -> None:
        """Look at the Lease at once, if it is not ours and there is a ground to take it."""
        if self.role is not Role.ACTIVE and self._ground(self.holder) is not Ground.NONE:
            self._hurried.set()

    async def confirms(self) -> bool:
        """Ask the API whether the Lease is ours at this moment: before anything that two must not do."""
        found = await self._read()
        if found is not None and _record(found).holder == self._election.identity:
            return True
        if found is not None:
            self._held = None
            self._election.observe(_record(found), asyncio.get_running_loop().time())
            self._show()
        return False

    async def run(self) -> None:
        """Try until cancelled, every ``retry`` seconds, and every ``renew`` while all goes well."""
        timings = self._election.timings
        while True:
            try:
                await self._try()
            except ConflictError:
                _LOG.info("another candidate was faster")
            except APIError as error:
                _LOG.warning("%s", error)
            self._show()
            with suppress(TimeoutError):
                async with asyncio.timeout(timings.retry if self._held is None else timings.renew):
                    await self._hurried.wait()
            self._hurried.clear()

    def _show(self) -> None:
        if self.role is not self._shown:
            self._shown = self.role
            _LOG.info("this gateway is %s", self._shown.value)
            self._changed()

    async def _try(self) -> None:
        time = asyncio.get_running_loop().time
        # If the Lease is another one by now, the API refuses ours with a conflict, and the next try reads it.
        found, self._held = self._held, None
        if found is None:
            found = await self._read()
        record = None if found is None else _record(found)
        ground = self._ground(record.holder) if record is not None else Ground.NONE
        action = self._election.observe(record, time(), ground)
        if action is Action.WAIT:
            return
        obj = self._lease(found, record, action)
        if found is None:
            written = await self._api.create(Resource.LEASE, obj)
        else:
            written = await self._api.replace(Resource.LEASE, obj)
        self._election.written(_record(written), time())
        if action is not Action.RENEW:
            self._relieved_at = time() if ground is Ground.LEFT else None
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
