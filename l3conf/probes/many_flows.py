"""UDP flows from many source ports to one server, as a program: ``python -m l3conf.probes.many_flows``.

A flow is asked once it is its turn, repeated until it is answered or its time is over, twice, and forgotten by the
socket layer at once: that it goes on is up to the translators on its way. So many more flows can be open than files.
The answer is a JSON object on standard output (``Asked``).
"""

from __future__ import annotations

import base64
import errno
import json
import os
import select
import socket
import sys
import time
from array import array
from collections import deque
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING

from l3conf.probes import wire

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from l3conf.model.topology import IPAddress

_AT_ONCE = 200
"""Flows that wait for an answer at the same time: their answers fit into any receiver's buffer."""
_REPEAT = 0.1
"""Seconds until a question that was not answered is asked again. Not before: two datagrams that a translator handles at
the same moment, before it knows their flow, may get a port each (Linux keeps the second one for a second)."""
_ENOUGH = 1000
"""Flows without an answer after which no more are begun: the rest would only cost time."""
_PASSING = frozenset({errno.EPERM, errno.ECONNREFUSED, errno.ENOBUFS, errno.EAGAIN})
"""What sending may say of a packet that was dropped here, or of an earlier one."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of a range of source ports."""

    seen: Mapping[int, tuple[IPAddress, int]]
    """The address and port that the server saw, by source port, of those that were answered."""
    unanswered: frozenset[int]
    """Source ports of which nothing came back, or not each time."""
    changed: frozenset[int] = frozenset()
    """Source ports that were seen as somebody else the second time."""


def to_json(asked: Asked) -> dict[str, object]:
    """Return an answer as a JSON object: addresses once, ports as packed numbers."""
    addresses = sorted({address for address, _ in asked.seen.values()}, key=int)
    place = {address: index for index, address in enumerate(addresses)}
    numbers = array("H", [n for port, (one, seen) in asked.seen.items() for n in (port, place[one], seen)])
    packed = base64.b64encode(numbers.tobytes()).decode()
    lists = {"unanswered": sorted(asked.unanswered), "changed": sorted(asked.changed)}
    return {"addresses": list(map(str, addresses)), "seen": packed, **lists}


def from_json(value: Mapping[str, object]) -> Asked:
    """Return the answer that a JSON object of this machine tells. ``KeyError``, ``TypeError`` if it is none."""
    texts, unanswered, changed = value["addresses"], value["unanswered"], value["changed"]
    if not (isinstance(texts, list) and isinstance(unanswered, list) and isinstance(changed, list)):
        raise TypeError("no answer of many flows")
    addresses = [ip_address(text) for text in texts]
    numbers = array("H", base64.b64decode(str(value["seen"])))
    triples = zip(numbers[::3], numbers[1::3], numbers[2::3], strict=True)
    return Asked(
        {port: (addresses[place], seen) for port, place, seen in triples}, frozenset(unanswered), frozenset(changed)
    )


@dataclass(slots=True)
class Question:
    """What was asked from one port and has no answer yet."""

    sock: socket.socket
    port: int
    query: bytes
    until: float
    """The moment at which it is given up."""
    again: float
    """The moment at which it is asked again."""

    def ask(self, now: float) -> None:
        """Send it. What sending says of a packet that was dropped, or of an earlier one, is no answer."""
        self.again = now + _REPEAT
        try:
            self.sock.send(self.query)
        except OSError as error:
            if error.errno not in _PASSING:
                raise


class _Round:
    """Asks from one port after the other, ``_AT_ONCE`` of them at a time."""

    def __init__(self, destination: tuple[str, int], patience: float, pause: float) -> None:
        self._destination = destination
        self._patience = patience
        self._pause = pause
        self._family = socket.AF_INET6 if ":" in destination[0] else socket.AF_INET
        self._poll = select.epoll()
        self._waiting: dict[int, Question] = {}
        """By file."""
        self._looked = 0.0
        self._begun: deque[tuple[int, float]] = deque()
        """Ports that are to be asked from once more, and when."""
        self._late: set[int] = set()
        """Ports whose time was over once: a machine that was busy is no translator that refuses."""
        self.seen: dict[int, tuple[IPAddress, int]] = {}
        self.unanswered: set[int] = set()
        self.changed: set[int] = set()

    def ask(self, ports: Iterable[int], count: int) -> None:
        """Ask from the first ``count`` ports that nobody else here uses."""
        left: Iterator[int] = iter(ports)
        while True:
            while len(self._waiting) < _AT_ONCE and self._begun and self._begun[0][1] <= time.monotonic():
                self._open(self._begun.popleft()[0])
            if len(self.unanswered) >= _ENOUGH:
                count = 0
            while count and len(self._waiting) < _AT_ONCE and (port := next(left, None)) is not None:
                count -= self._open(port)
            if not self._waiting and not self._begun:
                return
            for file, _ in self._poll.poll(_REPEAT / 2):
                self._hear(file)
            if time.monotonic() >= self._looked + _REPEAT / 2:
                self._repeat()

    def _open(self, port: int) -> bool:
        sock = socket.socket(self._family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            sock.bind(("", port))
            sock.connect(self._destination)
        except OSError as error:
            sock.close()
            if error.errno == errno.EADDRINUSE:
                return False
            raise
        query = wire.encode_query(os.urandom(wire.NONCE_SIZE), wire.MIN_SIZE)
        now = time.monotonic()
        question = self._waiting[sock.fileno()] = Question(sock, port, query, now + self._patience, now)
        self._poll.register(sock.fileno(), select.EPOLLIN)
        question.ask(now)
        return True

    def _hear(self, file: int) -> None:
        question = self._waiting[file]
        port = question.port
        try:
            answer = wire.decode(question.sock.recv(1 << 16))
        except OSError:
            return  # an ICMP error, or nothing after all: asked again until its time is over
        if answer is None or not answer.intact or answer.nonce != question.query[8 : 8 + wire.NONCE_SIZE]:
            return
        if answer.source is None:
            return
        seen = answer.source, answer.port
        if port not in self.seen:
            self.seen[port] = seen
            if self._pause:
                self._begun.append((port, time.monotonic() + self._pause))
        elif self.seen[port] != seen:
            self.changed.add(port)
        self._close(file)

    def _repeat(self) -> None:
        now = self._looked = time.monotonic()
        for file, question in list(self._waiting.items()):
            if now >= question.until and question.port in self._late:
                self.unanswered.add(question.port)
                self._close(file)
            elif now >= question.until:
                self._late.add(question.port)
                self._begun.append((question.port, now + self._pause))
                self._close(file)
            elif now >= question.again:
                question.ask(now)

    def _close(self, file: int) -> None:
        self._poll.unregister(file)
        self._waiting.pop(file).sock.close()


def ask(
    destination: tuple[str, int], ports: Iterable[int], count: int, *, patience: float, pause: float = 0.0
) -> Asked:
    """Ask from the first ``count`` free ones of these source ports, or from all if there are fewer.

    ``patience``: seconds that each flow has to be answered. With a ``pause`` each is asked once more that many seconds
    later: many translators keep what goes on for longer than what was one question and one answer.
    """
    each = _Round(destination, patience, pause)
    each.ask(ports, count)
    return Asked(each.seen, frozenset(each.unanswered), frozenset(each.changed))


if __name__ == "__main__":
    _address, _port, _first, _step, _count, _patience, _pause = sys.argv[1:]
    _ports = range(int(_first), 1 << 16, int(_step))
    _asked = ask((_address, int(_port)), _ports, int(_count), patience=float(_patience), pause=float(_pause))
    json.dump(to_json(_asked), sys.stdout)
