"""Where the processor's time went: CPU seconds of a lab by kind of process.

On a machine that others use as well, wall time says how busy they are. What a process and the programs that it ran
have used says what our work costs.
"""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TICKS = os.sysconf("SC_CLK_TCK")
_WORDS = 2
"""Words of a command that tell its kind: the module and what it is to be."""


class CPUMeter:
    """CPU seconds, user and system, from its making on: of a lab's processes, of hooks, and of this process."""

    def __init__(self, root: int) -> None:
        """``root``: pid of the lab's first process."""
        self._root = root
        self._before = self._read()

    def used(self) -> dict[str, float]:
        """Return the seconds by kind of process, the greatest first.

        A program that a process has run and waited for counts as its own. What ran in a container that has ended
        counts as the lab's: the process that forks containers waited for it.
        """
        now = self._read()
        spent = {kind: round(seconds - self._before.get(kind, 0.0), 2) for kind, seconds in now.items()}
        return dict(sorted(spent.items(), key=lambda item: -item[1]))

    def _read(self) -> Mapping[str, float]:
        hooks, own = resource.getrusage(resource.RUSAGE_CHILDREN), resource.getrusage(resource.RUSAGE_SELF)
        seconds = {"hooks": hooks.ru_utime + hooks.ru_stime, "benchmark": own.ru_utime + own.ru_stime}
        for pid in _tree(self._root):
            try:
                kind, used = kind_of(Path(f"/proc/{pid}/cmdline").read_bytes()), _seconds(pid)
            except (FileNotFoundError, ProcessLookupError):
                continue  # it has just ended; its parent has what it used
            seconds[kind] = seconds.get(kind, 0.0) + used
        return seconds


def kind_of(command_line: bytes) -> str:
    """Return what a process is, by its command line: ``reference_impl gateway``; the program alone if it says no more.

    Pure. ``command_line``: as ``/proc/PID/cmdline`` has it, words that end in NUL.
    """
    words = [word.decode(errors="replace") for word in command_line.split(b"\0") if word]
    if "-m" in words[:-1]:
        after = words[words.index("-m") + 1 :]
        return " ".join(word for word in after[:_WORDS] if word[0].isalpha())
    return Path(words[0]).name if words else "kernel"


def _tree(root: int) -> Iterator[int]:
    yield root
    try:
        threads = [*Path(f"/proc/{root}/task").iterdir()]
        children = [pid for thread in threads for pid in (thread / "children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return
    for child in children:
        yield from _tree(int(child))


def _seconds(pid: int) -> float:
    """Return what a process and the children that it has waited for have used (``proc_pid_stat(5)``, 14 to 17)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICKS
