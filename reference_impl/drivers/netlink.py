"""The parts of pyroute2 that the drivers use: the only module that imports that library.

``import pyroute2`` executes the whole of it, databases and SQLite included: 50 ms and 6 MB for every agent on every
node. Its package is therefore executed when somebody asks it for a name, and not because one of its modules is used.
"""

from __future__ import annotations

import errno
import socket
import sys
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType


def _execute_late(package: str) -> None:
    """Import a package, but execute its own code at the first request for a name that it would define."""
    spec = None if package in sys.modules else find_spec(package)
    if spec is None or spec.loader is None:
        return  # somebody has imported it, or the import statement says best that it is missing
    module: ModuleType = module_from_spec(spec)
    loader = spec.loader

    def execute(name: str) -> object:
        if find_spec(f"{package}.{name}") is not None:
            return import_module(f"{package}.{name}")
        vars(module).pop("__getattr__", None)
        loader.exec_module(module)
        return getattr(module, name)

    vars(module)["__getattr__"] = execute  # PEP 562
    sys.modules[package] = module


_execute_late("pyroute2")

from pyroute2.iproute.linux import IPRoute  # noqa: E402 - the package goes first
from pyroute2.netlink.exceptions import NetlinkError  # noqa: E402
from pyroute2.netlink.generic.wireguard import WireGuard  # noqa: E402
from pyroute2.netlink.rtnl.fibmsg import fibmsg  # noqa: E402
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg  # noqa: E402
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg  # noqa: E402
from pyroute2.netlink.rtnl.rtmsg import rtmsg  # noqa: E402

__all__ = [
    "IPRoute",
    "NetlinkError",
    "WireGuard",
    "device_index",
    "existing_index",
    "fibmsg",
    "ifaddrmsg",
    "ifinfmsg",
    "rtmsg",
]


def device_index(name: str) -> int | None:
    """Return the index of a device in the calling thread's namespace; None if there is none.

    One system call. ``IPRoute.link_lookup`` decodes all that the kernel knows of a link, and takes longer than the
    change that the index is for.
    """
    try:
        return socket.if_nametoindex(name)
    except OSError:
        return None


def existing_index(name: str) -> int:
    """Return the same. ``NetlinkError`` (``ENODEV``) if there is none."""
    index = device_index(name)
    if index is None:
        raise NetlinkError(errno.ENODEV, f"no device {name}")
    return index
