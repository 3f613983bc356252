"""The public address of this gateway: as an operator wrote it, or as a name says, looked up again and again."""

from __future__ import annotations

import asyncio
import logging
import socket
from ipaddress import ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from reference_impl.protocols.gateway_settings import PublicAddress
    from reference_impl.state import IPAddress

_LOG = logging.getLogger(__name__)
LOOK_UP = 15.0
"""Seconds between two look-ups of a name: a new address is published well within T_recover."""
RETRY = 5.0
"""The same after one that failed."""
_PATIENCE = 5.0


class PublicAddressWatch:
    """Keeps the address of a name. A look-up that fails changes nothing: the last address that was known stays."""

    def __init__(
        self, changed: Callable[[], None], look_up: Callable[[str], Awaitable[list[IPAddress]]] | None = None
    ) -> None:
        self._changed = changed
        self._look_up = look_up or _resolve
        self._wanted: PublicAddress | None = None
        self._version = 4
        self._found: IPAddress | None = None
        self._news = asyncio.Event()
        self.problem = ""
        """Why the address is not known, or not known anew; "" if it is."""

    def want(self, setting: PublicAddress | None, version: int) -> IPAddress | None:
        """Say where the address is known from, and which IP version is meant; return what is known now."""
        if (setting, version) != (self._wanted, self._version):
            self._wanted, self._version, self._found, self.problem = setting, version, None, ""
            self._news.set()
        if setting is not None and setting.address is not None:
            return setting.address
        return self._found

    async def run(self) -> None:
        """Look names up until cancelled."""
        while True:
            name = self._wanted.name if self._wanted is not None else ""
            self._news.clear()
            if name:
                await self._refresh(name)
            try:
                async with asyncio.timeout((RETRY if self.problem else LOOK_UP) if name else None):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def _refresh(self, name: str) -> None:
        version, before = self._version, (self._found, self.problem)
        try:
            async with asyncio.timeout(_PATIENCE):
                addresses = await self._look_up(name)
            found = [each for each in addresses if each.version == version]
            problem = "" if found else f"public-ip: {name} has no IPv{version} address"
        except (OSError, UnicodeError, TimeoutError) as error:
            found, problem = [], f"public-ip: {name} cannot be resolved: {str(error) or 'no answer in time'}"
        if self._wanted is None or self._wanted.name != name:
            return
        self.problem = problem
        # Round-robin answers are no change: the address in use stays while it is among them.
        if found and self._found not in found:
            self._found = found[0]
        if (self._found, self.problem) != before:
            _LOG.info("public address: %s", self.problem or self._found)
            self._changed()


async def _resolve(name: str) -> list[IPAddress]:
    answers = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_DGRAM)
    return [ip_address(answer[4][0]) for answer in answers]
