"""Tells mailboxes who beats, on the broker's side (docs/adr/0066)."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from reference_impl.agents.lease import read_beat, read_told, told
from reference_impl.agents.writing import about_one_object
from reference_impl.drivers.api import Resource
from reference_impl.names import CLUSTER_ID_LABEL, HEARTBEATS
from reference_impl.protocols.heartbeat import Heartbeats

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reference_impl.drivers.api import API
    from reference_impl.protocols.heartbeat import Beat, Life
    from reference_impl.protocols.policy import Decision

BEAT = 1.0
"""Seconds between two looks at members' Leases."""


class Beats:
    """Times the Leases of all members, and writes into each mailbox what has become of those that it may see.

    At rest nothing is written: as long as a member beats, the same is true of it. A look is a list, so that nobody
    grows old of an API that does not answer.
    """

    def __init__(self, api: API, opened: Callable[[], None], clock: Callable[[], float] = time.monotonic) -> None:
        """Prepare; ``opened`` is called when a mailbox can be written for the first time; ``clock``: seconds."""
        self._clock = clock
        self._api = api
        self._opened = opened
        self._lives = Heartbeats(step=2 * BEAT)
        self._told: dict[str, Mapping[str, str]] = {}
        self._said: dict[str, str] = {}
        """What was said last of each member, in whatever mailbox."""

    async def step(self, mailboxes: Mapping[str, str], decisions: Mapping[str, Mapping[str, Decision]]) -> None:
        """Look once. ``mailboxes``: namespaces by cluster id; ``decisions``: about others, by the id of the reader."""
        self._told = {namespace: said for namespace, said in self._told.items() if namespace in mailboxes.values()}
        for namespace in mailboxes.values():
            if namespace not in self._told:
                with about_one_object():
                    await self._open(namespace)
        beats = await self._look(mailboxes)
        for reader, namespace in mailboxes.items():
            refused = decisions.get(reader, {})
            seen = {
                name: text
                for name, text in beats.items()
                if name != reader and (name not in refused or refused[name].connects)
            }
            before = self._told.get(namespace)
            if before is not None and before != seen:
                with about_one_object():
                    gone = dict.fromkeys(before.keys() - seen.keys())
                    await self._api.merge(Resource.CONFIG_MAP, HEARTBEATS, namespace, {"data": {**gone, **seen}})
                    self._told[namespace] = seen

    async def _open(self, namespace: str) -> None:
        """Learn what a mailbox says, which an agent before us may have written."""
        found = await self._api.get(Resource.CONFIG_MAP, HEARTBEATS, namespace)
        said = dict(found.get("data") or {})
        beats = {name: read_told(text) for name, text in said.items()}
        self._lives.recall(beats, self._clock())
        self._said = {**said, **self._said}
        self._told[namespace] = said
        self._opened()  # our rights here may have come after the namespace did

    async def _look(self, mailboxes: Mapping[str, str]) -> dict[str, str]:
        """Return what is to be told of each member, by cluster id."""
        leases, _ = await self._api.list(Resource.LEASE, "", labels=CLUSTER_ID_LABEL)
        beats = {
            name: read_beat(lease)
            for lease in leases
            if mailboxes.get(name := lease["metadata"]["name"]) == lease["metadata"].get("namespace")
        }
        self._lives.observe(beats, self._clock())
        lives = self._lives.lives
        self._said = {name: self._say(name, beat, lives[name]) for name, beat in beats.items()}
        return self._said

    def _say(self, name: str, beat: Beat, life: Life) -> str:
        """Return the same words as before where but the time of the last beat has changed."""
        before = self._said.get(name)
        if before is not None and replace(read_told(before), renewed=beat.renewed) == replace(beat, life=life):
            return before
        return told(beat, life)
