"""Flows to Services are handed over to the gateways that may follow, before anybody has to follow (ADR 36).

Which backend a node's proxy chose for a connection is known to connection tracking of the gateway where it came in,
and to nobody else. The active gateway tells the others of each as it begins, and of all of them twice a minute; these
put them into their own kernels, where they wait.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from reference_impl.flows import handed_over
from reference_impl.names import HANDOVER_PORT
from reference_impl.protocols.handover import BEGUN, WHOLE, Ledger, decode, encode, key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    from reference_impl.drivers.service_flows import NewFlows, ServiceFlows
    from reference_impl.flows import ServiceFlow
    from reference_impl.mutants import Mutant
    from reference_impl.state import IPAddress, IPNetwork

_LOG = logging.getLogger(__name__)
PERIOD = 30.0
"""Seconds between two times that all flows are told."""
LIFE = 600
"""Seconds for which a flow is kept without packets: a connection that is silent for longer may not go on."""
_LARGEST = 2048
_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}


class Handover:
    """One gateway agent's part: as the active one it tells, as one that stands by it listens."""

    def __init__(
        self, open_kernel: Callable[[], ServiceFlows], services: Sequence[IPNetwork], secret: Path, mutant: Mutant
    ) -> None:
        """``open_kernel`` is called once there is another gateway; ``secret``: a file that all of them have."""
        self._open_kernel = open_kernel
        self._services = services
        self._secret = secret
        self._mutant = mutant
        self._kernel: ServiceFlows | None = None
        self._socket: socket.socket | None = None
        self._news: NewFlows | None = None
        self._key = b""
        self._own: IPAddress | None = None
        self._others: tuple[IPAddress, ...] = ()
        self._acquaintances: set[str] = set()
        """Whoever was a gateway of this cluster while this one is: who leaves may have told of flows just before."""
        self._inside: tuple[IPNetwork, ...] = ()
        self._here: tuple[IPNetwork, ...] = ()
        self._leads = False
        self._ledgers: dict[str, Ledger] = {}
        self._waiting: set[ServiceFlow] = set()
        """Flows to backends on this node: they can be taken over only when they come in here."""
        self._moment = 0
        self._due = asyncio.Event()

    def look(
        self,
        own: IPAddress,
        others: Sequence[IPAddress],
        inside: Collection[IPNetwork],
        here: Collection[IPNetwork],
        *,
        leads: bool,
    ) -> None:
        """Take note of the gateways of this cluster. ``inside``: its pods and nodes; ``here``: this node's pods."""
        self._here = tuple(here)
        self._acquaintances |= set(map(str, others))
        if leads and not self._leads:
            self._take_over()
        now = (own, tuple(others), tuple(inside), leads)
        if now != (self._own, self._others, self._inside, self._leads):
            self._own, self._others, self._inside, self._leads = now
            self._due.set()

    async def run(self) -> None:
        """Tell and listen until cancelled."""
        try:
            while True:
                self._due.clear()
                try:
                    self._arrange()
                    await self._tell_all()
                except OSError as error:
                    _LOG.warning("flows are not handed over: %s", error)
                with suppress(TimeoutError):
                    # Not wait_for: before Python 3.12 that may swallow a cancellation that comes with the event.
                    async with asyncio.timeout(PERIOD):
                        await self._due.wait()
        finally:
            self._stop_hearing()  # which tells of what has begun
            self._close_socket()
            if self._kernel is not None:
                self._kernel.close()

    def _arrange(self) -> None:
        """Open what is needed and close what is not."""
        self._key = key_of(self._secret.read_text().strip())
        if not self._acquaintances or self._own is None:
            return
        if self._kernel is None:
            self._kernel = self._open_kernel()
        self._open_socket(self._own)
        if not self._leads or not self._others:
            self._stop_hearing()
        elif self._news is None:
            self._news = self._kernel.hear()
            asyncio.get_running_loop().add_reader(self._news.fileno(), self._hear)

    def _open_socket(self, own: IPAddress) -> None:
        """Listen at this address; a socket that does is kept, with what waits in it."""
        if self._socket is not None and self._socket.getsockname()[0] == str(own):
            return
        self._close_socket()
        opened = socket.socket(_FAMILIES[own.version], socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            opened.bind((str(own), HANDOVER_PORT))
        except OSError:
            opened.close()
            raise
        self._socket = opened
        asyncio.get_running_loop().add_reader(opened, self._receive)

    def _stop_hearing(self) -> None:
        """Hear no more. What has begun until now is told: who ends, or is relieved, is followed by one who listens."""
        if self._news is not None:
            self._hear()
            asyncio.get_running_loop().remove_reader(self._news.fileno())
            self._news.close()
            self._news = None

    def _close_socket(self) -> None:
        if self._socket is not None:
            self._receive()
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None

    async def _tell_all(self) -> None:
        if self._leads and self._kernel is not None and self._others:
            moment = self._now()
            # A large table takes a while to be read; cables are watched meanwhile.
            self._tell(WHOLE, await asyncio.to_thread(self._kernel.flows), moment)

    def _hear(self) -> None:
        """Tell of what has begun; if that is more than could be read, of everything."""
        try:
            self._tell(BEGUN, self._news.read() if self._news is not None else [], self._now())
        except OSError:
            self._due.set()

    def _tell(self, kind: int, flows: Sequence[ServiceFlow], moment: int) -> None:
        wanted = self._mutant.handed(handed_over(flows, self._services, self._inside))
        for datagram in encode(kind, moment, wanted, self._key):
            for other in self._others:
                if self._socket is not None:
                    with suppress(OSError):  # the next whole makes up for it
                        self._socket.sendto(datagram, (str(other), HANDOVER_PORT))

    def _receive(self) -> None:
        with suppress(OSError):
            while self._socket is not None and self._kernel is not None:
                data, (source, *_) = self._socket.recvfrom(_LARGEST)
                part = decode(data, self._key) if source in self._acquaintances else None
                if part is None:
                    continue
                begun, ended = self._ledgers.setdefault(source, Ledger()).told(part)
                for flow in handed_over(begun, self._services, self._inside):
                    self._put(self._kernel, flow)
                for flow in ended:
                    self._waiting.discard(flow)
                    with suppress(OSError):  # it ends by itself
                        self._kernel.end(flow)

    def _put(self, kernel: ServiceFlows, flow: ServiceFlow) -> None:
        """Have the kernel know a flow; one that it does not take keeps no other from it."""
        is_here = any(flow.backend in prefix for prefix in self._here)
        try:
            if is_here and self._leads:
                kernel.take(flow, LIFE)
            elif not is_here and kernel.put(flow, LIFE):
                self._waiting.discard(flow)
            else:
                self._waiting.add(flow)
        except OSError as error:
            _LOG.debug("a flow was not taken over: %s: %s", error, flow)

    def _take_over(self) -> None:
        """Flows to backends on this node come in here from now on."""
        if self._kernel is not None:
            for flow in self._waiting:
                with suppress(OSError):
                    self._kernel.take(flow, LIFE)
        self._waiting.clear()

    def _now(self) -> int:
        """Return the wall clock in nanoseconds, never less than before."""
        self._moment = max(time.time_ns(), self._moment + 1)
        return self._moment
