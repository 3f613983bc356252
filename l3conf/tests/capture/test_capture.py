"""Captures of real interfaces hold every frame between start and stop, and others' tools read them."""

from __future__ import annotations

import shutil
import socket
import subprocess
from typing import TYPE_CHECKING

import pytest

from l3conf.capture.pcap import Frame, read_pcap
from l3conf.capture.session import Capture
from l3conf.emulator.kernel.links import LOOPBACK, set_link
from l3conf.emulator.kernel.namespaces import NetworkNamespace
from l3conf.emulator.kernel.netlink import RouteSocket
from l3conf.errors import LabError
from l3conf.tests.sandbox import sandboxed

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def send(payloads: Iterable[bytes]) -> None:
    """Send each payload as one datagram over loopback, where a frame passes the interface twice."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out,
    ):
        sink.bind(("127.0.0.1", 0))
        out.connect(sink.getsockname())
        for payload in payloads:
            out.send(payload)


def frames_of(path: Path) -> list[Frame]:
    with path.open("rb") as stream:
        return list(read_pcap(stream))


def payloads_of(path: Path) -> list[bytes]:
    """Return UDP payloads in order, each once: 42 bytes of headers precede them, and loopback shows frames twice."""
    return [frame.data[42:] for frame in frames_of(path)][::2]


@sandboxed
def test_every_frame_from_start_to_stop_is_in_the_file(tmp_path: Path) -> None:
    sent = [b"%05d" % number for number in range(2000)]
    with NetworkNamespace.current() as here:
        capture = Capture(here, "lo", tmp_path / "all.pcap")
        send([b"before"])
        capture.start()
        send(sent)
        summary = capture.stop()
        send([b"after"])
    assert payloads_of(summary.path) == sent
    assert summary.complete
    assert summary.frames == 2 * len(sent)


@sandboxed
def test_starting_and_stopping_at_once_misses_nothing(tmp_path: Path) -> None:
    with NetworkNamespace.current() as here:
        for number in range(20):
            with Capture(here, "lo", tmp_path / f"{number}.pcap") as capture:
                send([b"%d" % number])
            assert payloads_of(capture.path) == [b"%d" % number]


@sandboxed
def test_a_frame_larger_than_any_packet_on_the_wire_is_kept_whole(tmp_path: Path) -> None:
    with NetworkNamespace.current() as here, Capture(here, "lo", tmp_path / "large.pcap") as capture:
        send([bytes(60_000)])
    assert [len(frame.data) for frame in frames_of(capture.path)] == [60_042, 60_042]


@sandboxed
def test_the_file_stays_below_its_limit_and_says_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "limited.pcap"
    with NetworkNamespace.current() as here:
        capture = Capture(here, "lo", path, size_limit=5000)
        capture.start()
        send(bytes(1000) for _ in range(10))
        summary = capture.stop()
    assert path.stat().st_size <= 5000
    assert summary.frames == len(frames_of(path)) == 4
    assert summary.over_limit == 16
    assert not summary.complete


@sandboxed
def test_frames_that_the_ring_cannot_hold_are_counted(tmp_path: Path) -> None:
    with NetworkNamespace.current() as here:
        capture = Capture(here, "lo", tmp_path / "flood.pcap")
        capture.start()
        send(bytes(60_000) for _ in range(600))  # 72 MB through a ring of 8 MiB
        summary = capture.stop()
    assert summary.frames + summary.dropped == 1200


@sandboxed
def test_a_capture_survives_its_interface_going_down_and_up(tmp_path: Path) -> None:
    path = tmp_path / "flap.pcap"
    with NetworkNamespace.current() as here, RouteSocket(here) as route, Capture(here, "lo", path):
        send([b"one"])
        route.execute([set_link(LOOPBACK, up=False), set_link(LOOPBACK, up=True)])
        send([b"two"])
    assert payloads_of(path) == [b"one", b"two"]


@sandboxed
def test_an_interface_that_is_missing_or_down_is_named(tmp_path: Path) -> None:
    with NetworkNamespace.create() as empty:
        for interface, reason in (("eth7", "No such device"), ("lo", "Network is down")):
            with pytest.raises(LabError, match=f"capture on {interface}: {reason}"):
                Capture(empty, interface, tmp_path / "none.pcap").start()
    assert not (tmp_path / "none.pcap").exists()


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark, the independent witness, is not installed")
@sandboxed
def test_tshark_reads_the_file_with_its_times(tmp_path: Path) -> None:
    with NetworkNamespace.current() as here, Capture(here, "lo", tmp_path / "witness.pcap") as capture:
        send([b"seen by others"])
    fields = ["-T", "fields", "-e", "frame.time_epoch", "-e", "data.text", "-o", "data.show_as_text:TRUE"]
    argv = ["tshark", "-r", str(capture.path), *fields]
    lines = subprocess.run(argv, check=True, capture_output=True, text=True).stdout.splitlines()
    times = [f"{frame.nanoseconds // 10**9}.{frame.nanoseconds % 10**9:09d}" for frame in frames_of(capture.path)]
    assert lines == [f"{time}\tseen by others" for time in times]
