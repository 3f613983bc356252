"""The classic pcap file format: a header, then records (draft-ietf-opsawg-pcap). Pure, but for ``GrowingPcap``.

Written with nanoseconds in the byte order of this machine; read in either precision and either byte order.
"""

from __future__ import annotations

import struct
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from l3conf.errors import InvalidFileError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LINKTYPE_ETHERNET = 1
SNAPLEN = 0x40000
"""Largest frame that is kept whole; what readers accept at most."""

_MICROSECONDS, _NANOSECONDS = 0xA1B2C3D4, 0xA1B23C4D
_VERSION = 2, 4
_FILE_HEADER = "IHHiIII"
_RECORD_HEADER = "IIII"
_RECORD = struct.Struct("=" + _RECORD_HEADER)
_PER_SECOND = 1_000_000_000


class Frame(NamedTuple):
    """One captured frame."""

    nanoseconds: int
    """Since the epoch."""
    data: bytes
    original_length: int
    """Bytes on the wire; more than ``data`` if the capture cut it off."""


def file_header() -> bytes:
    """Return the header of an Ethernet capture with nanosecond time stamps."""
    return struct.pack("=" + _FILE_HEADER, _NANOSECONDS, *_VERSION, 0, 0, SNAPLEN, LINKTYPE_ETHERNET)


def record_header(seconds: int, nanoseconds: int, captured: int, original: int) -> bytes:
    """Return what stands before a frame of ``captured`` bytes that had ``original`` ones on the wire."""
    return _RECORD.pack(seconds, nanoseconds, captured, original)


class UnfinishedPcapError(InvalidFileError):
    """A file that ends within a record, as one does that is still written to."""


class GrowingPcap:
    """A capture that may still be written to: each read returns what has come since the one before."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._format: tuple[str, int] | None = None
        self._at = 0
        """Where the first record begins that was not whole yet."""

    def read(self) -> list[Frame]:
        """Return the whole frames that are new, in file order. ``InvalidFileError`` if it is no pcap of Ethernet."""
        found: list[Frame] = []
        with self._file.open("rb") as stream:
            if self._format is None:
                if self._file.stat().st_size < struct.calcsize("=" + _FILE_HEADER):
                    return []
                self._format = _read_file_header(stream, str(self._file))
                self._at = stream.tell()
            stream.seek(self._at)
            with suppress(UnfinishedPcapError):
                found.extend(_records(stream, str(self._file), *self._format))
        self._at += sum(_RECORD.size + len(frame.data) for frame in found)
        return found


def newest(file: Path, most: int) -> bytes:
    """Return a capture of the newest whole frames of a file, in at most ``most`` octets; it may still be written to."""
    records: list[bytes] = []
    room = most - struct.calcsize("=" + _FILE_HEADER)
    for frame in reversed(GrowingPcap(file).read()):
        time = divmod(frame.nanoseconds, _PER_SECOND)
        record = record_header(*time, len(frame.data), frame.original_length) + frame.data
        if len(record) > room:
            break
        room -= len(record)
        records.append(record)
    return b"".join([file_header(), *reversed(records)])


def read_pcap(stream: BinaryIO, name: str = "pcap") -> Iterator[Frame]:
    """Yield the frames of a capture in file order.

    ``InvalidFileError`` if it is not a pcap of Ethernet, ``UnfinishedPcapError`` if it ends in the middle of a record.
    """
    yield from _records(stream, name, *_read_file_header(stream, name))


def _records(stream: BinaryIO, name: str, order: str, unit: int) -> Iterator[Frame]:
    header = struct.Struct(order + _RECORD_HEADER)
    count = 0
    while prefix := stream.read(header.size):
        count += 1
        if len(prefix) < header.size:
            raise UnfinishedPcapError(f"the file ends within the header of record {count}", where=name)
        seconds, fraction, captured, original = header.unpack(prefix)
        data = stream.read(captured)
        if len(data) < captured:
            raise UnfinishedPcapError(f"the file ends within record {count}", where=name)
        yield Frame(seconds * _PER_SECOND + fraction * unit, data, original)


def _read_file_header(stream: BinaryIO, name: str) -> tuple[str, int]:
    """Return the byte order of the file and how many nanoseconds its time fractions count."""
    data = stream.read(struct.calcsize("=" + _FILE_HEADER))
    for order in "<>":
        if len(data) < struct.calcsize(order + _FILE_HEADER):
            break
        magic, *_, link_type = struct.unpack(order + _FILE_HEADER, data)
        if magic not in (_MICROSECONDS, _NANOSECONDS):
            continue
        if link_type != LINKTYPE_ETHERNET:
            raise InvalidFileError(f"link type {link_type} is not Ethernet", where=name)
        return order, 1 if magic == _NANOSECONDS else 1000
    raise InvalidFileError("this is no classic pcap file", where=name, remedy="convert it: tshark -F pcap -r … -w …")
