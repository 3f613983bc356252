"""What tests that start Mininet need."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import pytest

from l3conf.labs.emulated import missing_packages
from l3conf.labs.mininet import MininetLab

if TYPE_CHECKING:
    from l3conf.emulator.mininet.hardware import MininetHardware

_MISSING = ", ".join(missing_packages(MininetLab.required_commands))
needs_mininet = pytest.mark.skipif(bool(_MISSING), reason=f"Debian packages are not installed: {_MISSING}")


def mininet_hardware() -> MininetHardware:
    """Return new hardware, for use in a sandbox: what Python thinks of Mininet's own code is let pass from now on."""
    for words in ("The distutils package", "The 'warn' method"):
        warnings.filterwarnings("ignore", f"{words} is deprecated", DeprecationWarning)
    from l3conf.emulator.mininet.hardware import MininetHardware  # noqa: PLC0415 - tests without Mininet go on

    return MininetHardware()
