"""Captures: a container beside what is captured writes pcap to its output, which is copied to a file here as it comes.

The WAN is one bridge of the engine's host; who listens there, promiscuously, sees each frame that passes between
sites once. It writes nothing and has no right but to listen.
"""

from __future__ import annotations

import itertools
import threading
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from l3conf.capture.pcap import file_header
from l3conf.errors import LabError, LabIncapableError
from l3conf.labs.kind.containers import capture_plan

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from l3conf.labs.kind.ground import Ground

WAN = "wan"
_BEGIN_SECONDS, _END_SECONDS = 20.0, 10.0
_LOOK = 0.05
_LONGEST = 300


@dataclass(slots=True)
class Captures:
    """The captures of one lab."""

    ground: Ground
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @contextmanager
    def at(self, where: str) -> Iterator[Path]:
        """Capture at the WAN or a node while the context is open. The file is complete when it is left."""
        names, number = self.ground.names, next(self._numbers)
        if where == WAN:
            shared, interface = "host", self.ground.engine.bridge_of(names.wan)
        elif "@" in where and where.partition("@")[2]:
            shared, interface = where.partition("@")[2], "eth0"
        else:
            raise LabIncapableError("the kind lab captures on the WAN and on nodes", where=where)
        image = self.ground.settings.probe_image
        plan = capture_plan(names, image, number, shares_network_of=shared, interface=interface)
        file = self.ground.folder / f"capture{number}.pcap"
        self.ground.engine.run(plan)
        try:
            with closing(_Copying(self.ground, plan.name, file)) as copying:
                copying.await_beginning()
                yield file
                copying.end()
        finally:
            self.ground.engine.remove(plan.name)


class _Copying:
    """Copies what a container prints into a file, in a thread."""

    def __init__(self, ground: Ground, container: str, file: Path) -> None:
        self._ground, self._container, self._file = ground, container, file
        self._said = bytearray()
        file.write_bytes(b"")
        self._stream = ground.engine.follow(container)
        self._thread = threading.Thread(target=self._copy, name=f"copy of {container}", daemon=True)
        self._thread.start()

    def await_beginning(self) -> None:
        """Wait for the file's header. ``LabIncapableError`` if the image has nothing that captures."""
        deadline = time.monotonic() + _BEGIN_SECONDS
        while self._file.stat().st_size < len(file_header()):
            if not self._thread.is_alive() and self._file.stat().st_size < len(file_header()):
                said = self._said.decode(errors="replace").strip()[-_LONGEST:]
                remedy = "take a probe image with l3conf.capture"
                raise LabIncapableError(f"nothing captures: {said}", where=self._container, remedy=remedy)
            if time.monotonic() > deadline:
                raise LabError(f"the capture has not begun after {_BEGIN_SECONDS:g} s", where=self._container)
            time.sleep(_LOOK)

    def end(self) -> None:
        """Have it end by itself, with everything written. ``LabError`` if it lost frames or does not end."""
        self._ground.engine.terminate(self._container)
        self._thread.join(_END_SECONDS)
        said = self._said.decode(errors="replace").strip()[-_LONGEST:]
        if self._thread.is_alive():
            raise LabError(f"the capture has not ended after {_END_SECONDS:g} s", where=self._container)
        if said:
            raise LabError(f"the capture is not whole: {said}", where=self._container)

    def close(self) -> None:
        """Copy no more. Idempotent."""
        self._stream.close()
        self._thread.join(_END_SECONDS)

    def _copy(self) -> None:
        try:
            with self._file.open("wb", buffering=0) as file:
                while message := self._stream.recv():
                    if message[0] == 1:
                        file.write(message[1:])
                    else:
                        self._said += message[1:]
        except (OSError, LabError) as error:
            self._said += str(error).encode()
