"""One rtnetlink request as a value, and what all kinds of requests share (linux/netlink.h)."""

from __future__ import annotations

from dataclasses import dataclass

CREATE = 0x600  # NLM_F_CREATE | NLM_F_EXCL
REPLACE = 0x500  # NLM_F_CREATE | NLM_F_REPLACE

FAMILY = {4: 2, 6: 10}
"""IP version to AF_INET and AF_INET6."""


@dataclass(frozen=True, slots=True)
class Request:
    """One encoded request; the sender adds the netlink header."""

    kind: int
    """RTM_*"""
    flags: int
    """NLM_F_* beyond REQUEST and ACK."""
    body: bytes
    words: str
    """The request in words, with a ``{}`` for each of ``about``."""
    about: tuple[object, ...] = ()

    @property
    def what(self) -> str:
        """The request in words, for errors. Said only when asked: printing an address costs as much as a message."""
        return self.words.format(*self.about)
