"""nftables rulesets, loaded into a namespace through libnftables: 0.2 ms, against 4 ms for a process of ``nft``.

A change to a chain that packets already pass waits for an RCU grace period (about 20 ms) inside the kernel;
the call lets go of the interpreter lock meanwhile, so an event loop hands it to a thread. So does the wait until what
was replaced is gone, which comes with closing the socket.
"""

from __future__ import annotations

import ctypes
import functools
import socket
import threading
from typing import TYPE_CHECKING

from l3conf.emulator.kernel.namespaces import CLONE_NEWNET, away, setns
from l3conf.emulator.kernel.netlink import NETLINK_NETFILTER
from l3conf.errors import LabError, MissingPrerequisiteError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from l3conf.emulator.kernel.namespaces import NetworkNamespace

_LIBRARY = "libnftables.so.1"

# libnftables keeps one list of interface names for the whole process, emptied when a command ends: commands in
# different namespaces must not overlap.
_one_at_a_time = threading.Lock()


class RulesetError(LabError):
    """nftables refused a ruleset: nothing of it was loaded."""


def load_ruleset(namespace: NetworkNamespace, text: str) -> None:
    """Carry out ``text`` (``nft -f`` syntax) in a namespace, all or nothing. Any thread may call."""
    load_rulesets([(namespace, text)])


def load_rulesets(rulesets: Iterable[tuple[NetworkNamespace, str]]) -> None:
    """Carry out texts, each in its namespace and all or nothing; end with the first that is refused."""
    library = _library()
    with away():  # one journey through all: each hand-over of the interpreter lock costs more than it allows
        for namespace, text in rulesets:
            setns(namespace.fd, CLONE_NEWNET)
            with _one_at_a_time:
                context = library.nft_ctx_new(0)  # opens its netlink socket here, in the namespace of the thread
            try:
                _load(library, context, text)
            finally:
                with _one_at_a_time:
                    library.nft_ctx_free(context)


def _load(library: _Library, context: int, text: str) -> None:
    # Whoever closes a netfilter socket waits until what was replaced is gone from the kernel (10 ms and more). The
    # context would wait while it empties the list of names, which nobody else may touch meanwhile: this waits for it.
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as first_to_close:
        first_to_close.bind((0, 0))
        with _one_at_a_time:
            library.nft_ctx_buffer_error(context)
            library.nft_ctx_buffer_output(context)
            if library.nft_run_cmd_from_buffer(context, text.encode()) == 0:
                return
            reason = library.nft_ctx_get_error_buffer(context).decode(errors="replace").strip()
    raise RulesetError(f"nftables refused a ruleset: {reason}\n{text}")


class _Library(ctypes.PyDLL):
    """libnftables. Only calls that wait for the kernel let go of the interpreter lock.

    To let go for microseconds costs more than they do: the thread would queue for the lock again each time.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        waiting = ctypes.CDLL(name)
        self.nft_run_cmd_from_buffer = waiting.nft_run_cmd_from_buffer
        self.nft_ctx_free = waiting.nft_ctx_free


def require() -> None:
    """Load the library now rather than with the first ruleset. Raises ``MissingPrerequisiteError`` without it."""
    _library()


@functools.cache
def _library() -> _Library:
    try:
        library = _Library(_LIBRARY)
    except OSError as error:
        what = f"{_LIBRARY} cannot be loaded: {error}"
        raise MissingPrerequisiteError(what, remedy="install the package nftables") from error
    context = ctypes.c_void_p
    library.nft_ctx_new.argtypes = (ctypes.c_uint32,)
    library.nft_ctx_new.restype = context
    for function in (library.nft_ctx_free, library.nft_ctx_buffer_error, library.nft_ctx_buffer_output):
        function.argtypes = (context,)
    library.nft_run_cmd_from_buffer.argtypes = (context, ctypes.c_char_p)
    library.nft_ctx_get_error_buffer.argtypes = (context,)
    library.nft_ctx_get_error_buffer.restype = ctypes.c_char_p
    return library
