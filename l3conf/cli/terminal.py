"""A process in the lab on this terminal: raw mode, window size, bytes both ways."""

from __future__ import annotations

import fcntl
import os
import pty
import selectors
import signal
import sys
import termios
import threading
import tty
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_CHUNK = 65536


def run_on_terminal(start: Callable[[tuple[int, int, int]], int]) -> int:
    """Run ``start(descriptors)``, which blocks until the process ends, with this terminal at its descriptors.

    The process gets a pseudo-terminal of its own as controlling terminal, so that Ctrl-C reaches it and not us.
    """
    master, slave = pty.openpty()
    _copy_window_size(master)
    results: list[int | BaseException] = []

    def work() -> None:
        try:
            results.append(start((slave, slave, slave)))
        except BaseException as error:  # noqa: BLE001 - re-raised in the main thread
            results.append(error)
        finally:
            os.close(slave)

    worker = threading.Thread(target=work, daemon=True)
    with _raw_mode():
        previous = signal.signal(signal.SIGWINCH, lambda _number, _frame: _copy_window_size(master))
        worker.start()
        _shovel(master)
        signal.signal(signal.SIGWINCH, previous)
    worker.join()
    os.close(master)
    result = results[0]
    if isinstance(result, BaseException):
        raise result
    return result


def _shovel(master: int) -> None:
    """Copy both ways until the last process with the pseudo-terminal open is gone (EIO)."""
    standard_input = sys.stdin.fileno()
    with selectors.DefaultSelector() as selector, suppress(OSError):
        selector.register(master, selectors.EVENT_READ)
        selector.register(standard_input, selectors.EVENT_READ)
        while True:
            for key, _events in selector.select():
                data = os.read(key.fd, _CHUNK)
                if not data:
                    selector.unregister(key.fd)
                os.write(sys.stdout.fileno() if key.fd == master else master, data)


def _copy_window_size(master: int) -> None:
    with suppress(OSError):
        size = fcntl.ioctl(sys.stdin.fileno(), termios.TIOCGWINSZ, b"\0" * 8)
        fcntl.ioctl(master, termios.TIOCSWINSZ, size)


@contextmanager
def _raw_mode() -> Iterator[None]:
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    tty.setraw(descriptor)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
