"""Flows that began before their way existed.

Until a member was known, packets for its prefixes left by the default route, and somebody's masquerade gave
those flows another source. Conntrack remembers that as long as packets keep coming, so a client that patiently
retries from one port would never get through. Such flows are forgotten when the way appears; the next packet
starts a new one, whose source is settled by our own rules.
"""

from __future__ import annotations

import socket
from ipaddress import ip_address
from typing import TYPE_CHECKING

from reference_impl.drivers.netlink import Conntrack
from reference_impl.flows import Flow, is_stale

if TYPE_CHECKING:
    from collections.abc import Collection

    from reference_impl.flows import Bindings
    from reference_impl.state import IPNetwork

_LASTING = frozenset({socket.IPPROTO_TCP, socket.IPPROTO_SCTP})


def forget_stale_flows(bindings: Bindings) -> int:
    """Delete every flow that should go under another global address by now; return how many there were."""
    forgotten = 0
    with Conntrack() as table:
        for entry in list(table.dump_entries()):
            there, back = entry.tuple_orig, entry.tuple_reply
            flow = Flow(
                lasting=there.proto in _LASTING,
                source=ip_address(there.saddr),
                destination=ip_address(there.daddr),
                known_as=ip_address(back.daddr),
                answers_from=ip_address(back.saddr),
            )
            if is_stale(flow, bindings):
                table.entry("del", tuple_orig=there)
                forgotten += 1
    return forgotten


def forget_translated_flows(prefixes: Collection[IPNetwork]) -> int:
    """Delete every flow towards one of the prefixes whose source was rewritten; return how many there were."""
    forgotten = 0
    with Conntrack() as table:
        for entry in list(table.dump_entries()):
            destination = ip_address(entry.tuple_orig.daddr)
            translated = entry.tuple_reply.daddr != entry.tuple_orig.saddr
            if translated and any(destination in prefix for prefix in prefixes):
                table.entry("del", tuple_orig=entry.tuple_orig)
                forgotten += 1
    return forgotten
