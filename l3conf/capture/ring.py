"""The kernel's ring of received frames, shared by memory (packet(7), TPACKET_V3).

A ring and not ``recv``: an unprivileged socket buffer holds some 200 frames, a ring as many megabytes as asked
for, and one wake-up hands over a whole block of frames.
"""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import socket
import struct
from typing import TYPE_CHECKING, NamedTuple, Protocol

from l3conf.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK_SIZE, BLOCKS = 256 * 1024, 32
"""8 MiB: half a second of 10 000 full-sized frames per second."""
RETIRE_MS = 8
"""A block that holds frames is handed over after this time even if it is not full."""

_ETH_P_ALL = 3
_SOL_PACKET, _SO_ATTACH_FILTER = 263, 26
_ADD_MEMBERSHIP, _RX_RING, _STATISTICS, _VERSION = 1, 5, 6, 10
_TPACKET_V3, _MR_PROMISC = 2, 1
_SIOCGIFINDEX = 0x8933
_FRAME_SIZE = 2048  # of no meaning to TPACKET_V3 but checked by it
_STATUS_KERNEL, _STATUS_USER = 0, 1

_STATUS_AND_COUNT = struct.Struct("=II")
_BLOCK = struct.Struct("=IIIII")
"""struct tpacket_block_desc: version, private offset, status, number of frames, offset of the first."""
_STATUS_OFFSET = 8
_FRAME = struct.Struct("=IIIIIIH")
"""struct tpacket3_hdr: next, seconds, nanoseconds, captured, original, status, offset of the frame."""


class SocketFactory(Protocol):
    """A network namespace, as far as captures care."""

    def socket(self, family: int, type: int, proto: int = 0) -> socket.socket:  # noqa: A002 - as socket.socket has it
        """Open a socket that lives there."""


class RingFrame(NamedTuple):
    """A frame in the ring; ``data`` is valid only until its block is given back."""

    seconds: int
    nanoseconds: int
    original_length: int
    data: memoryview


class PacketRing:
    """All frames that pass one interface, in both directions, promiscuously. Receives from construction on."""

    __slots__ = ("_current", "_memory", "_socket", "_view")

    def __init__(self, namespace: SocketFactory, interface: str) -> None:
        """``LabError`` if there is no such interface or it is down."""
        self._current = 0
        self._socket = namespace.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        try:
            self._socket.setsockopt(_SOL_PACKET, _VERSION, _TPACKET_V3)
            frames = BLOCKS * (BLOCK_SIZE // _FRAME_SIZE)
            ring = struct.pack("=7I", BLOCK_SIZE, BLOCKS, _FRAME_SIZE, frames, RETIRE_MS, 0, 0)
            self._socket.setsockopt(_SOL_PACKET, _RX_RING, ring)
            self._memory = mmap.mmap(self._socket.fileno(), BLOCK_SIZE * BLOCKS)
            self._attach(interface)
        except OSError as error:
            self._socket.close()
            raise LabError(f"cannot capture on {interface}: {error.strerror}") from error
        self._view = memoryview(self._memory)

    def _attach(self, interface: str) -> None:
        request = struct.pack("16si20x", interface.encode(), 0)
        index = struct.unpack_from("i", fcntl.ioctl(self._socket, _SIOCGIFINDEX, request), 16)[0]
        self._socket.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, struct.pack("=iHH8x", index, _MR_PROMISC, 0))
        self._socket.bind((interface, _ETH_P_ALL))
        failure = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if failure:
            raise OSError(failure, os.strerror(failure))

    def fileno(self) -> int:
        """Return the descriptor that polls readable when a block is ready."""
        return self._socket.fileno()

    def drain(self) -> Iterator[RingFrame]:
        """Yield the frames of all blocks that are ready, giving each block back after its last frame."""
        while self._status()[0] & _STATUS_USER:
            start = self._current * BLOCK_SIZE
            _, _, _, count, offset = _BLOCK.unpack_from(self._view, start)
            at = start + offset
            for _ in range(count):
                following, seconds, nanoseconds, captured, original, _, data = _FRAME.unpack_from(self._view, at)
                yield RingFrame(seconds, nanoseconds, original, self._view[at + data : at + data + captured])
                at += following
            struct.pack_into("=I", self._view, start + _STATUS_OFFSET, _STATUS_KERNEL)
            self._current = (self._current + 1) % BLOCKS

    def clear_error(self) -> None:
        """Take note that the interface went down, or polling would never sleep again; it may come up again."""
        self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)

    def refuse_more(self) -> None:
        """Let no further frame into the ring; what is in it stays."""
        reject_all = ctypes.create_string_buffer(struct.pack("=HBBI", 0x06, 0, 0, 0))  # BPF: return 0
        program = struct.pack("HP", 1, ctypes.addressof(reject_all))
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)

    def empty(self) -> bool:
        """Tell whether no frame is left, not even in the block that the kernel still fills."""
        status, count = self._status()
        return not status & _STATUS_USER and count == 0

    def dropped(self) -> int:
        """Return how many frames found the ring full since the last call."""
        _, drops, _ = struct.unpack("=III", self._socket.getsockopt(_SOL_PACKET, _STATISTICS, 12))
        return int(drops)

    def close(self) -> None:
        """Give the ring back."""
        self._view.release()
        self._memory.close()
        self._socket.close()

    def _status(self) -> tuple[int, int]:
        status, count = _STATUS_AND_COUNT.unpack_from(self._view, self._current * BLOCK_SIZE + _STATUS_OFFSET)
        return status, count
