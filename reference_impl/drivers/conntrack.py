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
    from collections.abc import Callable, Collection

    from reference_impl.flows import Bindings
    from reference_impl.state import IPNetwork

_LOG = logging.getLogger(__name__)
_LASTING = frozenset({socket.IPPROTO_TCP, socket.IPPROTO_SCTP})


def forget_stale_flows(bindings: Bindings) -> int:
    """Delete every flow that should go under another global address by now; return how many there were."""
    return _forget(lambda flow: is_stale(flow, bindings))


def forget_translated_flows(prefixes: Collection[IPNetwork]) -> int:
    """Delete every flow towards one of the prefixes whose source was rewritten; return how many there were."""
    return _forget(lambda flow: flow.known_as != flow.source and any(flow.destination in prefix for prefix in prefixes))


def _forget(is_meant: Callable[[Flow], bool]) -> int:
    """Delete flows; one that ends by itself meanwhile, or that cannot be deleted, keeps no other one."""
    forgotten = 0
    with Conntrack() as table:
        for message in list(table.dump()):
            there, back = (_tuple(message, name) for name in ("CTA_TUPLE_ORIG", "CTA_TUPLE_REPLY"))
            flow = Flow(
                lasting=there.proto in _LASTING,
                source=ip_address(there.saddr),
                destination=ip_address(there.daddr),
                known_as=ip_address(back.daddr),
                answers_from=ip_address(back.saddr),
            )
            if is_meant(flow):
                try:
                    table.entry("del", tuple_orig=there)
                    forgotten += 1
                except NetlinkError as error:
                    if error.code != errno.ENOENT:
                        _LOG.warning("%s cannot be forgotten: %s", flow, error)
    return forgotten


def _tuple(message: Any, name: str) -> Any:  # noqa: ANN401 - the library has no types
    """Read one direction. Its own reader has ports for TCP and UDP alone, without which SCTP is not found again."""
    said = message.get_attr(name)
    found = NFCTAttrTuple.from_netlink(message["nfgen_family"], said)
    ports = said.get_attr("CTA_TUPLE_PROTO")
    found.sport, found.dport = (ports.get_attr(f"CTA_PROTO_{end}_PORT") for end in ("SRC", "DST"))
    return found
