"""Objects outlive the version of the API that they were stored in."""

from __future__ import annotations

import pytest

from l3conf.testing import Capability, Lab, needs, verifies


@verifies("L3-L6")
@pytest.mark.topology("two-clusters")
def test_an_object_is_the_same_at_every_version(fresh_lab: Lab) -> None:
    """Written at one, written back at another as it was read there, and read again at the first."""
    assert fresh_lab.stored_objects.respelt() == []


@verifies("L3-L6")
@needs(Capability.API_FAULTS)
@pytest.mark.topology("two-clusters")
def test_a_migration_that_was_killed_midway_is_completed_by_the_next(fresh_lab: Lab) -> None:
    """Then nothing is left in the old version, and nobody misses anything when it goes."""
    pairs = fresh_lab.pods.workers_across(fresh_lab.families[0])
    with fresh_lab.stream(pairs) as stream, fresh_lab.stored_objects.in_old_version() as old:
        old.migration_interrupted("W_midway")
        assert old.changed() == []
        fresh_lab.members.deploy()
        fresh_lab.eventually_none("something is stored in old versions", old.not_migrated, within="T_upgrade")
        with old.old_versions_gone():
            assert old.changed() == []
    stream.loses_nothing()
