"""Beats for this member at the broker, and looks how others do (docs/adr/0016, 0066)."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import random
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

from reference_impl.agents.cache import Cache
from reference_impl.agents.last import Last
from reference_impl.agents.lease import read_beat, read_told
from reference_impl.drivers.api import APIError, ConflictError, NotFoundError, Resource
from reference_impl.names import BROKER_NAMESPACE, CLUSTER_ID_LABEL, CONTESTED, GATEWAY_LEASE, HEARTBEATS
from reference_impl.planner.conditions import IDENTITY_CONFLICT
from reference_impl.planner.membership import Refusal
from reference_impl.protocols.election import Role
from reference_impl.protocols.heartbeat import BEATS, Heartbeats, OwnHeartbeat, Standing, interval

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from reference_impl.drivers.api import API, Object
    from reference_impl.protocols.heartbeat import Beat, Life

_LOG = logging.getLogger(__name__)
_REFUSED = frozenset({403, 404})
"""HTTP statuses of a broker that keeps no heartbeats, or gives no rights to: members join again to get them."""
_LOOK = 2.0
"""Seconds until a gateway that is not active looks again whether it is, if nobody tells."""
_JITTER = 0.25
"""Share by which beats vary, so that two holders of one identity cannot stay in step unseen."""


class Heartbeat:
    """One gateway agent's part; only the active gateway beats."""

    def __init__(
        self,
        cluster_id: str,
        node: str,
        namespaces: tuple[str, str],
        *,
        member: API,
        broker: API,
        role: Callable[[], Role],
        changed: Callable[[], None],
        confirms: Callable[[], Awaitable[bool]],
    ) -> None:
        """``namespaces``: the member's, and the broker's; ``confirms`` asks the API whether we still are active."""
        self._cluster_id = cluster_id
        self._node = node
        self._here, self._there = namespaces
        self._member = member
        self._broker = broker
        self._role = role
        self._changed = changed
        self._confirms = confirms
        self._own: OwnHeartbeat | None = None
        self._kept: Object | None = None
        """Our Lease as we wrote it, where no other one is to be looked at: in a mailbox."""
        self._others = Heartbeats()
        self._mailbox: Cache | None = None
        """What a mailbox says of others; None where there is none."""
        if self._there != BROKER_NAMESPACE:
            self._mailbox = Cache(broker, Resource.CONFIG_MAP, self._there, lambda: None, name=HEARTBEATS)
        self._read: Last[object, dict[str, Beat]] = Last()
        self._shown: object = None
        self._unheard = False
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Look at our role at once: it may have changed."""
        self._woken.set()

    @property
    def may_speak(self) -> bool:
        """Say whether this gateway may write its member's objects at the broker."""
        return self._unheard or (self._own is not None and self._own.standing is Standing.HOLDING)

    @property
    def lives(self) -> Mapping[str, Life]:
        """Return what is known of each member that beats, by cluster id."""
        return self._others.lives

    @property
    def silent(self) -> frozenset[str]:
        """Return the members that have not beaten for so long that they may be given up."""
        return self._others.silent - {self._cluster_id}

    @property
    def conflicts(self) -> tuple[Refusal, ...]:
        """Return the members, us included, whose identity is presented twice."""
        rival = self._own.rival if self._own is not None else ""
        own = [_conflict(self._cluster_id, f"here and by {rival}")] if rival else []
        others = sorted(self._others.contested - {self._cluster_id})
        return (*own, *(_conflict(member, "by two gateways at once") for member in others))

    async def run(self) -> None:
        """Beat until cancelled. A broker that does not answer changes nothing: what was last known counts."""
        async with asyncio.TaskGroup() as tasks:
            if self._mailbox is not None:
                tasks.create_task(self._mailbox.run())
            tasks.create_task(self._beat_on())

    async def _beat_on(self) -> None:
        while True:
            if self._role() is not Role.ACTIVE:
                self._own, self._kept, self._others = None, None, Heartbeats()
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK):
                        await self._woken.wait()
                self._woken.clear()
                continue
            try:
                await self._beat()
            except ConflictError:
                _LOG.info("somebody else beats for %s", self._cluster_id)
            except APIError as error:
                self._unheard = self._unheard or error.code in _REFUSED
                _LOG.warning("%s", error)
            self._tell()
            pause = interval(len(self.lives))
            await asyncio.sleep(pause * random.uniform(1 - _JITTER, 1 + _JITTER))  # noqa: S311 - no secret

    async def _beat(self) -> None:
        try:
            await self._renew(self._kept)
        except (ConflictError, NotFoundError):
            if self._kept is None:
                raise
            # Somebody wrote our Lease since we did, or deleted it: look who.
            self._kept = None
            await self._renew(None)

    async def _renew(self, kept: Object | None) -> None:
        """Renew our Lease, which is as ``kept`` unless somebody else wrote it (None: look)."""
        leases = (await self._broker.list(Resource.LEASE, self._there))[0] if kept is None else [kept]
        found = {str(lease["metadata"]["name"]): lease for lease in leases}
        now = asyncio.get_running_loop().time()
        beats = await self._told() | {name: read_beat(lease) for name, lease in found.items()}
        self._others.observe(beats, now)
        own = self._own or await self._introduce()
        lease = found.get(self._cluster_id)
        taken = lease is not None and own.standing is Standing.HOLDING and read_beat(lease).holder != own.holder
        # Who else beats for us: a clone, or the gateway that has just followed this one?
        if taken and not await self._confirms():
            return
        duration = BEATS * interval(len(beats))
        wanted = own.next(read_beat(lease) if lease is not None else None, now, duration)
        obj = self._lease(lease, wanted, renewed=own.standing is Standing.HOLDING)
        write = self._broker.create if lease is None else self._broker.replace
        written = await write(Resource.LEASE, obj)
        self._own, self._unheard = own, False
        self._kept = written if self._there != BROKER_NAMESPACE else None

    async def _told(self) -> dict[str, Beat]:
        """Return the beats of others that stand in this member's mailbox, if it has one."""
        if self._mailbox is None:
            return {}
        told = self._mailbox.get(HEARTBEATS)
        if self._mailbox.refused or not self._mailbox.synced.is_set():
            # It was not listed yet, or we joined when members had the right to read it and no more.
            try:
                told = await self._broker.get(Resource.CONFIG_MAP, HEARTBEATS, self._there)
            except NotFoundError:
                told = None
        data = (told or {}).get("data") or {}
        return self._read.answer((data,), lambda: {name: read_told(text) for name, text in data.items()})

    async def _introduce(self) -> OwnHeartbeat:
        """Say who we are: the gateway Lease in our own API has a UID that no other cluster's has."""
        lock = await self._member.get(Resource.LEASE, GATEWAY_LEASE, self._here)
        instance = str(lock["metadata"].get("uid") or "")
        return OwnHeartbeat(instance=instance, holder=f"{instance}/{self._node}/{secrets.token_hex(4)}")

    def _lease(self, found: Object | None, wanted: Beat, *, renewed: bool) -> Object:
        new: Object = {"name": self._cluster_id, "namespace": self._there}
        metadata: Object = found["metadata"] if found is not None else new
        annotations = {name: text for name, text in (metadata.get("annotations") or {}).items() if name != CONTESTED}
        if wanted.contested:
            annotations[CONTESTED] = wanted.contested
        spec = dict(found["spec"]) if found is not None else {}
        if renewed:
            now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            taken = {"acquireTime": now} if spec.get("holderIdentity") != wanted.holder else {}
            spec |= {"holderIdentity": wanted.holder, "leaseDurationSeconds": round(wanted.duration), "renewTime": now}
            spec |= taken
        head = {"apiVersion": Resource.LEASE.api_version, "kind": Resource.LEASE.kind}
        labels = {**(metadata.get("labels") or {}), CLUSTER_ID_LABEL: self._cluster_id}
        return {**head, "metadata": {**metadata, "labels": labels, "annotations": annotations}, "spec": spec}

    def _tell(self) -> None:
        shown = (self.may_speak, dict(self.lives), self.silent, [conflict.cluster_id for conflict in self.conflicts])
        if shown != self._shown:
            for conflict in self.conflicts:
                _LOG.error("%s: %s", conflict.cluster_id, conflict.message)
            self._shown = shown
            self._changed()


def _conflict(member: str, where: str) -> Refusal:
    message = f"the identity of {member} is presented twice: {where}"
    return Refusal(cluster_id=member, reason=IDENTITY_CONFLICT, message=message)
