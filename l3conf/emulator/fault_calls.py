"""Faults and injected packets behind the control socket: what a caller began ends when it hangs up."""

from __future__ import annotations

import asyncio
import base64
import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from l3conf.errors import LabError, UserError
from l3conf.model.api_faults import APIClients
from l3conf.model.faults import (
    AgentsCrashLooping,
    AgentsFrozen,
    AgentsKilled,
    NodeAdded,
    NodeAddressChange,
    NodeCrash,
    NodeRemoved,
    fault_from_json,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

    from l3conf.emulator.agent_faults import AgentFaults
    from l3conf.emulator.apiserver.server import APIServer
    from l3conf.emulator.control.server import Connection, Method
    from l3conf.emulator.fabric.inflict import Faults
    from l3conf.emulator.node_moves import NodeMoves
    from l3conf.emulator.node_power import NodePower
    from l3conf.emulator.node_set import NodeSet
    from l3conf.model.api_faults import APIFault
    from l3conf.model.faults import Fault
    from l3conf.probes.prober import Prober


@dataclass(slots=True)
class FaultCalls:
    """Methods by name, on the faults of one lab."""

    faults: Faults
    prober: Prober
    agents: AgentFaults
    nodes: NodeMoves
    power: NodePower
    members: NodeSet
    servers: Mapping[str, APIServer]
    """API servers by cluster, and ``broker``."""
    _ends: dict[int, Callable[[], Awaitable[None]]] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def methods(self) -> dict[str, Method]:
        """Return what the control server calls."""
        return {"fault.start": self.start, "fault.stop": self.stop, "inject": self.inject}

    async def start(self, connection: Connection, params: dict[str, Any], _descriptors: list[int]) -> object:
        """Begin a fault that lasts until ``stop``, or until the caller hangs up; answer its number."""
        try:
            fault = fault_from_json(params["fault"])
        except (TypeError, ValueError) as error:
            raise UserError(f"no such fault: {error}") from None
        end = await self._begin(fault)
        number = next(self._numbers)
        self._ends[number] = end
        connection.on_close.append(end)
        return {"id": number}

    async def _begin(self, fault: Fault) -> Callable[[], Awaitable[None]]:
        """Begin a fault as a whole: a caller that hangs up meanwhile leaves none of it behind."""
        match fault:
            case AgentsFrozen() | AgentsKilled() | AgentsCrashLooping():
                return await self.agents.begin(fault)
            case APIClients():
                return self._disturb(fault)
            case NodeAddressChange():
                beginning = asyncio.ensure_future(self.nodes.begin(fault))
            case NodeAdded() | NodeRemoved():
                beginning = asyncio.ensure_future(self.members.begin(fault))
            case NodeCrash():
                beginning = asyncio.ensure_future(self.power.begin(fault))
            case _:
                beginning = asyncio.ensure_future(self.faults.begin(fault))
        try:
            return await asyncio.shield(beginning)
        except asyncio.CancelledError:
            await (await beginning)()
            raise

    def _disturb(self, fault: APIFault) -> Callable[[], Awaitable[None]]:
        if fault.cluster not in self.servers:
            raise UserError(f"there is no API server {fault.cluster!r}; there is {', '.join(self.servers)}")
        end = self.servers[fault.cluster].disturbances.begin(fault)

        async def undo() -> None:
            end()

        return undo

    async def stop(self, _connection: Connection, params: dict[str, Any], _descriptors: list[int]) -> None:
        """End a fault."""
        end = self._ends.pop(int(params["id"]), None)
        if end is None:
            raise LabError(f"there is no fault {params['id']} to end")
        await end()

    async def inject(self, _connection: Connection, params: dict[str, Any], _descriptors: list[int]) -> object:
        """Emit complete IP packets from a place, in order; answer how many."""
        packets = [base64.b64decode(packet) for packet in params["packets"]]
        for packet in packets:
            await self.prober.raw(params["place"], packet)
        return {"packets": len(packets)}
