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

from reference_impl.drivers.netlink import Conntrack, NetlinkError, NFCTAttrTuple
from reference_impl.flows import Flow, is_stale

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from reference_impl.flows import Bindings, Suspects
    from reference_impl.state import IPNetwork

_LOG = logging.getLogger(__name__)
_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
_MOST_ENDS = 64
"""Above so many ends one look at everything is cheaper."""
_LASTING = frozenset({socket.IPPROTO_TCP, socket.IPPROTO_SCTP})


def forget_stale_flows(bindings: Bindings, suspects: Suspects | None = None) -> int:
    """Delete every flow that should go under another global address by now; return how many there were.

    ``suspects``: whose flows can be such; None: everybody's.
    """
    family = _FAMILIES[bindings.pool.version]
    ends: list[Any] = [None]
    if suspects is not None and len(suspects.sources) + len(suspects.destinations) <= _MOST_ENDS:
        ends = [NFCTAttrTuple(family=family, saddr=str(source)) for source in suspects.sources]
        ends += [NFCTAttrTuple(family=family, daddr=str(destination)) for destination in suspects.destinations]
    return _forget(family, lambda flow: is_stale(flow, bindings), ends) if ends else 0


def forget_translated_flows(prefixes: Collection[IPNetwork]) -> int:
    """Delete every flow towards one of the prefixes whose source was rewritten; return how many there were."""

    def is_wanted(flow: Flow) -> bool:
        return flow.known_as != flow.source and any(flow.destination in prefix for prefix in prefixes)

    return sum(_forget(_FAMILIES[version], is_wanted) for version in sorted({each.version for each in prefixes}))


def _forget(family: socket.AddressFamily, is_wanted: Callable[[Flow], bool], ends: Sequence[Any] = (None,)) -> int:
    """Delete flows of one family; one that cannot be deleted, or has just ended, keeps no other from it.

    ``ends``: filters for the kernel, one after the other; None looks at everything.
    """
    forgotten = 0
    with Conntrack(nfgen_family=family) as table:
        for message in [message for end in ends for message in table.dump(tuple_orig=end)]:
            there, back = (_tuple(message, name) for name in ("CTA_TUPLE_ORIG", "CTA_TUPLE_REPLY"))
            flow = Flow(
                lasting=there.proto in _LASTING,
                source=ip_address(there.saddr),
                destination=ip_address(there.daddr),
                known_as=ip_address(back.daddr),
                answers_from=ip_address(back.saddr),
            )
            if not is_wanted(flow):
                continue
            try:
                table.entry("del", tuple_orig=there)
            except NetlinkError as error:
                if error.code != errno.ENOENT:
                    _LOG.warning("a flow cannot be ended: %s: %s", error, flow)
                continue
            forgotten += 1
    return forgotten


def _tuple(message: Any, name: str) -> Any:  # noqa: ANN401 - pyroute2 is untyped
    """Read one direction. The library's own reader has ports of TCP and UDP alone: SCTP would not be found again."""
    said = message.get_attr(name)
    found = NFCTAttrTuple.from_netlink(message["nfgen_family"], said)
    ports = said.get_attr("CTA_TUPLE_PROTO")
    found.sport, found.dport = (ports.get_attr(f"CTA_PROTO_{end}_PORT") for end in ("SRC", "DST"))
    return found
