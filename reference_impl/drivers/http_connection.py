"""One HTTP/1.1 connection: h11 for the protocol, asyncio for the bytes."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import h11

from reference_impl.drivers.http import SOCKET_OPTIONS

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncGenerator, Iterable

_CHUNK = 1 << 16


class Connection:
    """A connection that carries one request after the other. Whatever goes wrong on it is an ``OSError``."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.CLIENT)
        self.idle_since = 0.0
        """When its last request ended, by the event loop's clock."""

    @classmethod
    async def open(cls, host: str, port: int, tls: ssl.SSLContext | None) -> Connection:
        """Connect."""
        reader, writer = await asyncio.open_connection(host, port, ssl=tls)
        opened = writer.get_extra_info("socket")
        for level, option, value in SOCKET_OPTIONS:
            opened.setsockopt(level, option, value)
        return cls(reader, writer)

    @property
    def is_usable(self) -> bool:
        """Say whether another request can go here, as far as is known."""
        return self._http.our_state is h11.IDLE and not (self._reader.at_eof() or self._writer.is_closing())

    async def send(self, method: str, target: str, headers: Iterable[tuple[str, str]], body: bytes) -> int:
        """Send a request and return the status of its answer, whose body is to be read next."""
        try:
            parts = [self._http.send(h11.Request(method=method, target=target, headers=list(headers)))]
            parts += [self._http.send(h11.Data(data=body))] if body else []
            parts += [self._http.send(h11.EndOfMessage())]
            self._writer.write(b"".join(part for part in parts if part))
            await self._writer.drain()
            while not isinstance(event := await self._event(), h11.Response):
                if not isinstance(event, h11.InformationalResponse):
                    raise ConnectionResetError("the server closed the connection")
        except h11.ProtocolError as error:
            raise ConnectionError(str(error)) from None
        return event.status_code

    async def body(self) -> AsyncGenerator[bytes, None]:
        """Yield the answer's body as it comes; at its end the connection is ready for another request, if it can be."""
        try:
            while isinstance(event := await self._event(), h11.Data):
                yield bytes(event.data)
            if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
                self._http.start_next_cycle()
        except h11.ProtocolError as error:
            raise ConnectionError(str(error)) from None

    async def _event(self) -> object:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            self._http.receive_data(await self._reader.read(_CHUNK))
        return event

    def drop(self) -> None:
        """Close without a farewell: what is under way is of no interest."""
        transport = self._writer.transport
        transport.abort()

    async def close(self) -> None:
        """Close in order."""
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()
