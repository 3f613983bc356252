"""Mutants of the page of metrics."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_STATUS = re.compile(r'^(submariner_connections\{.*status="([a-z]+)"\}) .*$', re.MULTILINE)
_COUNTER = re.compile(r"^(submariner_gateway_[rt]x_\w+\{.*\}) (\S+)$", re.MULTILINE)


def swap_directions(page: str) -> str:
    """Call what was sent received, and the reverse."""
    return page.replace("_gateway_rx_", "_gateway_?_").replace("_gateway_tx_", "_gateway_rx_").replace("_?_", "_tx_")


def count_once() -> Callable[[str], str]:
    """Show every counter for ever as it was first shown."""
    first: dict[str, str] = {}

    def page_of(page: str) -> str:
        return _COUNTER.sub(lambda found: f"{found[1]} {first.setdefault(found[1], found[2])}", page)

    return page_of


def call_everybody_connected(page: str) -> str:
    """Show every connection as connected."""
    return _STATUS.sub(lambda found: f"{found[1]} {float(found[2] == 'connected')!r}", page)


def hide_tracking(page: str) -> str:
    """Say nothing of how connection tracking fares."""
    return "".join(f"{line}\n" for line in page.splitlines() if "nf_conntrack" not in line)
