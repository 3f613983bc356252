"""Connections across clusters may be silent for as long as they like."""

from __future__ import annotations

import pytest

from l3conf.testing import IPFamily, Lab, verifies


@verifies("L3-F13", over_ipv6="L3-G1")
@pytest.mark.topology("two-clusters", "v6-only")
@pytest.mark.patient("idle_connections")
def test_a_connection_survives_silence_of_five_mapping_timers(lab: Lab, family: IPFamily) -> None:
    """Opened as soon as packets crossed, and used again now."""
    lab.idle_connections(family).still_work()
