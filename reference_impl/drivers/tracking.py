"""What connection tracking says of itself: how full it is, and what it had no place or no free port for."""

from __future__ import annotations

from pathlib import Path

from reference_impl.state import Tracking

_STATISTICS = Path("/proc/net/stat/nf_conntrack")
"""A line of names and one of hexadecimal numbers a CPU, of the reader's own network namespace."""
_LIMIT = Path("/proc/sys/net/netfilter/nf_conntrack_max")


def read_tracking(statistics: Path = _STATISTICS, limit: Path = _LIMIT) -> Tracking | None:
    """Return what the kernel says; None where it does not (CONFIG_NF_CONNTRACK_PROCFS), or says something else."""
    try:
        names, *cpus = (line.split() for line in statistics.read_text().splitlines())
        counts = [dict(zip(names, (int(number, 16) for number in cpu), strict=True)) for cpu in cpus]
        return Tracking(
            entries=counts[0]["entries"],  # the same on every CPU
            limit=int(limit.read_text()),
            refused=sum(each["insert_failed"] for each in counts),
            dropped=sum(each["drop"] for each in counts),
        )
    except (OSError, ValueError, KeyError, IndexError):
        return None
