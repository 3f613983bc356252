"""Numbered flows behind the control socket: they end, and are forgotten, when whoever began them hangs up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from l3conf.errors import UserError
from l3conf.probes.flow_messages import flow_from_json

if TYPE_CHECKING:
    from l3conf.emulator.control.server import Connection, Method
    from l3conf.probes.prober import Prober


@dataclass(slots=True)
class FlowCalls:
    """Methods by name, on the prober of one lab."""

    prober: Prober

    def methods(self) -> dict[str, Method]:
        """Return what the control server calls."""
        return {
            "flows.start": self.start,
            "flows.stop": self.stop,
            "flows.read": self.read,
            "flows.forget": self.forget,
        }

    async def start(self, connection: Connection, params: dict[str, Any], _descriptors: list[int]) -> None:
        """Send flows until ``flows.stop``, or until the caller hangs up."""
        try:
            flows = [flow_from_json(flow) for flow in params["flows"]]
        except ValueError as error:
            raise UserError(str(error), where="flows.start") from None

        async def undo() -> None:
            await self.prober.forget_flows([flow.id for flow in flows])

        connection.on_close.append(undo)
        await self.prober.start_flows(flows)

    async def stop(self, _connection: Connection, params: dict[str, Any], _descriptors: list[int]) -> None:
        """Emit nothing more of these flows."""
        await self.prober.stop_flows(params["ids"])

    async def read(self, _connection: Connection, params: dict[str, Any], _descriptors: list[int]) -> object:
        """Answer what both ends have recorded."""
        return await self.prober.flow_records(params["positions"])

    async def forget(self, _connection: Connection, params: dict[str, Any], _descriptors: list[int]) -> None:
        """Stop flows and drop their records."""
        await self.prober.forget_flows(params["ids"])
