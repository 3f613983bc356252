"""``L3CONF_HARDWARE=mininet pytest l3conf/tests/fabric``: the same tests of a fabric that Mininet makes."""

from __future__ import annotations

import os

import pytest

from l3conf.emulator.fabric import build
from l3conf.tests.mininet.needs import mininet_hardware


@pytest.fixture(autouse=True)
def _hardware(monkeypatch: pytest.MonkeyPatch) -> None:
    if os.environ.get("L3CONF_HARDWARE") == "mininet":
        monkeypatch.setattr(build, "KernelHardware", mininet_hardware)
