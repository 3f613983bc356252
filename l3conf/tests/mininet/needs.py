"""What tests that start Mininet need."""

from __future__ import annotations

import pytest

from l3conf.labs.emulated import missing_packages
from l3conf.labs.mininet import MininetLab

_MISSING = ", ".join(missing_packages(MininetLab.required_commands))
needs_mininet = pytest.mark.skipif(bool(_MISSING), reason=f"Debian packages are not installed: {_MISSING}")
