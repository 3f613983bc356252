"""Flows that began before their way existed.

Until a member was known, packets for its prefixes left by the default route, and somebody's masquerade gave
those flows another source. Conntrack remembers that as long as packets keep coming, so a client that patiently
retries from one port would never get through. Such flows are forgotten when the way appears; the next packet
starts a new one, whose source is settled by our own rules.
"""

from __future__ import annotations

import errno
import logging
import socket
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from reference_impl.drivers.netlink import Conntrack, NetlinkError
from reference_impl.flows import Flow, is_stale

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from reference_impl.flows import Bindings
    from reference_impl.state import IPNetwork

_LOG = logging.getLogger(__name__)
_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
_LASTING = frozenset({socket.IPPROTO_TCP, socket.IPPROTO_SCTP})


def forget_stale_flows(bindings: Bindings) -> int:
    """Delete every flow that should go under another global address by now; return how many there were."""

    def is_wanted(entry: Any) -> bool:  # noqa: ANN401 - pyroute2 is untyped
        there, back = entry.tuple_orig, entry.tuple_reply
        flow = Flow(
            lasting=there.proto in _LASTING,
            source=ip_address(there.saddr),
            destination=ip_address(there.daddr),
            known_as=ip_address(back.daddr),
            answers_from=ip_address(back.saddr),
        )
        return is_stale(flow, bindings)

    return _forget(_FAMILIES[bindings.pool.version], is_wanted)


def forget_translated_flows(prefixes: Collection[IPNetwork]) -> int:
    """Delete every flow towards one of the prefixes whose source was rewritten; return how many there were."""

    def is_wanted(entry: Any) -> bool:  # noqa: ANN401 - likewise
        destination = ip_address(entry.tuple_orig.daddr)
        translated = entry.tuple_reply.daddr != entry.tuple_orig.saddr
        return translated and any(destination in prefix for prefix in prefixes)

    return sum(_forget(_FAMILIES[version], is_wanted) for version in sorted({each.version for each in prefixes}))


def _forget(family: socket.AddressFamily, is_wanted: Callable[[Any], bool]) -> int:
    """Delete flows of one family; one that cannot be deleted, or has just ended, keeps no other from it."""
    forgotten = 0
    with Conntrack(nfgen_family=family) as table:
        for entry in list(table.dump_entries()):
            if not is_wanted(entry):
                continue
            try:
                table.entry("del", tuple_orig=entry.tuple_orig)
            except NetlinkError as error:
                if error.code != errno.ENOENT:
                    _LOG.warning("a flow cannot be ended: %s: %s", error, entry)
                continue
            forgotten += 1
    return forgotten
