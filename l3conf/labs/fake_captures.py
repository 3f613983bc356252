"""Captures of the fake lab: what a capture on the WAN of a conforming, encrypting cluster set would show."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from l3conf.capture.pcap import file_header, record_header
from l3conf.probes.packets import udp_packet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random

    from l3conf.model.topology import IPAddress

_MACS = bytes(12)
_KINDS = {4: b"\x08\x00", 6: b"\x86\xdd"}
_TUNNEL_PORT = 4500


class FakeCaptures:
    """All captures that are running, as files that grow."""

    def __init__(self, random: Random, now: Callable[[], float]) -> None:
        self.blind = False
        """Whether nothing is written any more."""
        self._random = random
        self._now = now
        self._files: list[Path] = []

    @contextmanager
    def running(self) -> Iterator[Path]:
        """Begin a capture; its file is gone afterwards."""
        with tempfile.TemporaryDirectory(prefix="l3conf-fake-") as folder:
            file = Path(folder) / "wan.pcap"
            file.write_bytes(file_header())
            self._files.append(file)
            try:
                yield file
            finally:
                self._files.remove(file)

    def saw(self, packet: bytes) -> None:
        """Add an IP packet."""
        seconds, nanoseconds = divmod(round(self._now() * 1e9), 1_000_000_000)
        frame = _MACS + _KINDS.get(packet[0] >> 4, b"\xff\xff") + packet
        for file in self._files if not self.blind else ():
            with file.open("ab") as stream:
                stream.write(record_header(seconds, nanoseconds, len(frame), len(frame)) + frame)

    def saw_tunnel(self, source: IPAddress, destination: IPAddress, inner: bytes, *, readable: bool) -> None:
        """Add a packet between gateways that holds another one, encrypted or not."""
        content = inner if readable else self._random.randbytes(len(inner))
        self.saw(_with_length(udp_packet(source, destination, _TUNNEL_PORT, content, ttl=None)))


def _with_length(packet: bytes) -> bytes:
    """Fill in what a kernel would: the length of an IPv4 packet."""
    if packet[0] >> 4 != 4:  # noqa: PLR2004 - the IP version number
        return packet
    return packet[:2] + len(packet).to_bytes(2, "big") + packet[4:]
