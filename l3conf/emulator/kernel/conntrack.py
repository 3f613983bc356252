"""Forgetting connections: ctnetlink in as few words as needed (linux/netfilter/nfnetlink_conntrack.h)."""

from __future__ import annotations

import os
import socket
import struct
from typing import TYPE_CHECKING

from l3conf.emulator.kernel.netlink import NETLINK_NETFILTER
from l3conf.errors import LabError

if TYPE_CHECKING:
    from l3conf.emulator.kernel.namespaces import NetworkNamespace

_DELETE = 1 << 8 | 2  # NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_DELETE
_F_REQUEST, _F_ACK = 0x1, 0x4
_HEADER = struct.Struct("=IHHII")
_EVERYTHING = struct.pack("=BBH", socket.AF_UNSPEC, 0, 0)  # nfgenmsg


def forget_connections(namespace: NetworkNamespace) -> None:
    """Delete every conntrack entry of a namespace, and with it every NAT mapping."""
    with namespace.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as channel:
        length = _HEADER.size + len(_EVERYTHING)
        channel.send(_HEADER.pack(length, _DELETE, _F_REQUEST | _F_ACK, 1, 0) + _EVERYTHING)
        answer = channel.recv(1 << 12, socket.MSG_DONTWAIT)  # netlink answers within the send
        (code,) = struct.unpack_from("=i", answer, _HEADER.size)
        if code:
            raise LabError(f"the kernel does not forget connections: {os.strerror(-code)}")
