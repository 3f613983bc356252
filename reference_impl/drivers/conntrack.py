"""Flows that began before their way existed.

Until a member was known, packets for its prefixes left by the default route, and somebody's masquerade gave
those flows another source. Conntrack remembers that as long as packets keep coming, so a client that patiently
retries from one port would never get through. Such flows are forgotten when the way appears; the next packet
starts a new one, whose source is settled by our own rules.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from reference_impl.drivers.netlink import Conntrack

if TYPE_CHECKING:
    from collections.abc import Collection

    from reference_impl.state import IPNetwork


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
