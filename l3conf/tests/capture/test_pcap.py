"""The pcap reader and writer agree with each other and with other writers' files."""

from __future__ import annotations

import io
import struct
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l3conf.capture.pcap import Frame, GrowingPcap, file_header, newest, read_pcap, record_header
from l3conf.errors import InvalidFileError

frames = st.lists(
    st.builds(
        lambda seconds, nanoseconds, data, cut: Frame(seconds * 10**9 + nanoseconds, data, len(data) + cut),
        st.integers(0, 2**32 - 1),
        st.integers(0, 10**9 - 1),
        st.binary(max_size=200),
        st.integers(0, 1000),
    ),
    max_size=5,
)


def written(captured: list[Frame]) -> bytes:
    parts = [file_header()]
    for frame in captured:
        seconds, nanoseconds = divmod(frame.nanoseconds, 10**9)
        parts += [record_header(seconds, nanoseconds, len(frame.data), frame.original_length), frame.data]
    return b"".join(parts)


@given(frames)
def test_what_is_written_is_read_back(captured: list[Frame]) -> None:
    assert list(read_pcap(io.BytesIO(written(captured)))) == captured


@pytest.mark.parametrize("order", ["<", ">"])
def test_microsecond_files_of_either_byte_order_are_read(order: str) -> None:
    header = struct.pack(order + "IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    record = struct.pack(order + "IIII", 7, 250, 3, 60) + b"abc"
    assert list(read_pcap(io.BytesIO(header + record))) == [Frame(7_000_250_000, b"abc", 60)]


@given(frames.filter(bool), st.data())
def test_a_file_that_ends_within_a_record_is_refused(captured: list[Frame], data: st.DataObject) -> None:
    whole = written(captured)
    last = 16 + len(captured[-1].data)
    cut = data.draw(st.integers(1, last - 1))
    with pytest.raises(InvalidFileError, match="ends within"):
        list(read_pcap(io.BytesIO(whole[:-cut])))


@pytest.mark.parametrize("content", [b"", b"\x0a\x0d\x0d\x0a" + b"\0" * 40], ids=["empty", "pcapng"])
def test_other_formats_are_refused_with_a_remedy(content: bytes) -> None:
    with pytest.raises(InvalidFileError, match="tshark -F pcap"):
        list(read_pcap(io.BytesIO(content)))


def test_another_link_type_is_refused() -> None:
    with pytest.raises(InvalidFileError, match="link type 113"):
        list(read_pcap(io.BytesIO(struct.pack("=IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 113))))


@given(frames, st.lists(st.integers(0, 400)))
def test_a_growing_file_is_read_on_from_where_its_last_whole_record_ended(
    captured: list[Frame], cuts: list[int]
) -> None:
    whole, read = written(captured), []
    with tempfile.NamedTemporaryFile() as file:
        growing = GrowingPcap(Path(file.name))
        for end in [*sorted(cuts), len(whole)]:
            file.write(whole[file.tell() : end])
            file.flush()
            read.append(growing.read())
    assert [frame for frames_of_a_look in read for frame in frames_of_a_look] == captured


def test_a_growing_file_of_another_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\x0a\x0d\x0d\x0a" + b"\0" * 40)
    with pytest.raises(InvalidFileError, match="tshark -F pcap"):
        GrowingPcap(tmp_path / "x").read()


@given(frames, st.integers(24, 700))
def test_of_a_long_capture_the_newest_frames_are_kept_whole(captured: list[Frame], most: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "wan.pcap")
        file.write_bytes(written(captured))
        kept = newest(file, most)
    found = list(read_pcap(io.BytesIO(kept)))
    left_out = captured[: len(captured) - len(found)]
    assert len(kept) <= most
    assert found == captured[len(left_out) :]
    assert not left_out or len(written([left_out[-1], *found])) > most
