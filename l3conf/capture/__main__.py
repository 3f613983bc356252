"""``python -m l3conf.capture INTERFACE``: write the frames of an interface to stdout as pcap, until SIGTERM.

What cannot be read back as a whole capture is said on stderr, and ends with exit code 1.
"""

from __future__ import annotations

import signal
import socket
import sys
from pathlib import Path

from l3conf.capture.session import Capture
from l3conf.errors import L3confError


class _Here:
    """The network namespace that this process is in."""

    def socket(self, family: int, type: int, proto: int = 0) -> socket.socket:  # noqa: A002 - as socket.socket has it
        return socket.socket(family, type, proto)


def main(argv: list[str]) -> int:
    """Capture until SIGTERM or SIGINT; return the exit code."""
    signals = {signal.SIGTERM, signal.SIGINT}
    # Blocked before a thread is made: whoever ends us is waited for here, and nowhere else.
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        (interface,) = argv
        capture = Capture(_Here(), interface, Path("/dev/stdout"))
        capture.start()
        signal.sigwait(signals)
        summary = capture.stop()
    except ValueError:
        print("usage: python -m l3conf.capture INTERFACE", file=sys.stderr)  # noqa: T201 - this is the command line
        return 3
    except L3confError as error:
        print(error, file=sys.stderr)  # noqa: T201 - likewise
        return 1
    if not summary.complete:
        print(f"{summary.dropped} frames lost, {summary.over_limit} left out", file=sys.stderr)  # noqa: T201 - likewise
    return 0 if summary.complete else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
