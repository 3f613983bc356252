"""What a network card does for its host, and a veth only when told to (linux/ethtool.h)."""

from __future__ import annotations

import array
import errno
import fcntl
import socket
import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from l3conf.emulator.kernel.namespaces import NetworkNamespace

_SIOCETHTOOL = 0x8946
_SET_SEGMENTATION, _SET_GATHERING = 0x1F, 0x2C
"""``ETHTOOL_STSO``, ``ETHTOOL_SGRO``."""
_REQUEST = struct.Struct("@16sP")  # ifreq: the link's name, and where the command is


def send_as_on_a_wire(namespace: NetworkNamespace, link: str) -> None:
    """Have a link send packets that fit it, none that somebody else is to cut up. ``OSError`` if refused."""
    _set(namespace, link, _SET_SEGMENTATION, 0)


def gather_received(namespace: NetworkNamespace, link: str) -> None:
    """Have packets of one flow that arrive together be handled as one (GRO). ``OSError`` if refused.

    A veth does so only for what a peer sends that cuts packets up itself.
    """
    _set(namespace, link, _SET_GATHERING, 1)


@contextmanager
def _where_known() -> Iterator[None]:
    """Do without where veth cannot do it (Linux before 5.13): the lab is slower then, and no worse."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise


def _set(namespace: NetworkNamespace, link: str, what: int, value: int) -> None:
    command = array.array("I", [what, value])  # ethtool_value
    with namespace.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket, _where_known():
        fcntl.ioctl(any_socket, _SIOCETHTOOL, _REQUEST.pack(link.encode(), command.buffer_info()[0]))
