"""A run that a command started ends with that command, however the command ends.

The command removes the scratch directory; where it was killed, the orphaned run does both: it interrupts itself,
so that labs are closed and the report says so, and removes the directory when it is done.
"""

from __future__ import annotations

import os
import shutil
import signal

from l3conf.plugin.run import SCRATCH

CALLER = "L3CONF_CALLER"
"""Environment variable with the pid of the command; pytest started by hand has none."""


def follow_caller() -> None:
    """Have the kernel interrupt this process when the command dies."""
    if CALLER in os.environ:
        from l3conf.emulator.kernel.syscalls import prctl_pdeathsig  # noqa: PLC0415 - not in other people's runs

        prctl_pdeathsig(signal.SIGINT)
        if orphaned():  # it died before the line above
            signal.raise_signal(signal.SIGINT)


def tidy_up_for_caller() -> None:
    """Remove the scratch directory if nobody else is left to do it."""
    if CALLER in os.environ and orphaned() and SCRATCH in os.environ:
        shutil.rmtree(os.environ[SCRATCH], ignore_errors=True)


def orphaned() -> bool:
    """Return whether the command that started this run is gone."""
    return os.getppid() != int(os.environ[CALLER])
