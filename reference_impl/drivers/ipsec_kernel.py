"""What the kernel can do for IPsec, and which TUN devices a process has."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import closing
from pathlib import Path

from reference_impl.drivers.ipsec_device import KIND
from reference_impl.drivers.kernel import KernelError
from reference_impl.drivers.netlink import IPRoute, NetlinkError, existing_index
from reference_impl.names import IPSEC_INTERFACE_ID, IPSEC_ROUTING_TABLE, IPSEC_RULE_PRIORITY

_TRIAL = "submariner-try"


def kernel_has_ipsec() -> bool:
    """Say whether the kernel can make XFRM interfaces: make one, take it away.

    A kernel that has those has ESP as well; one that has ESP alone (before 4.19) gets libipsec.
    """
    with closing(IPRoute()) as netlink:
        try:
            netlink.link("add", ifname=_TRIAL, kind=KIND, xfrm_if_id=IPSEC_INTERFACE_ID + 1)
        except NetlinkError as error:
            if error.code == errno.EEXIST:
                return True
            if error.code == errno.EOPNOTSUPP:
                return False
            raise KernelError(f"link {_TRIAL}: {os.strerror(error.code)}") from None
        netlink.link("del", index=existing_index(_TRIAL))
        return True


def remove_daemons_rules() -> None:
    """Remove the rules that a daemon which was killed left behind; its routes went with its device."""
    with closing(IPRoute()) as netlink:
        for family in (socket.AF_INET, socket.AF_INET6):
            for rule in netlink.get_rules(family=family):
                if rule.get_attr("FRA_TABLE") == IPSEC_ROUTING_TABLE:
                    netlink.rule("del", family=family, table=IPSEC_ROUTING_TABLE, priority=IPSEC_RULE_PRIORITY)


def tun_devices(pid: int) -> tuple[str, ...]:
    """Return the TUN devices that a process holds, by name (``iff`` in /proc/PID/fdinfo, tuntap driver)."""
    names = []
    for path in Path(f"/proc/{pid}/fdinfo").iterdir():
        try:
            lines = path.read_text().splitlines()
        except OSError:
            continue
        names += [line.split()[1] for line in lines if line.startswith("iff:") and len(line.split()) > 1]
    return tuple(sorted(names))
