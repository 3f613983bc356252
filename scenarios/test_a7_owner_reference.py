"""Whose an object at the broker is cannot be forged, and ids are compared whole."""

from __future__ import annotations

import pytest

from l3conf.testing import Lab, verifies


@verifies("L3-A7")
@pytest.mark.topology("dash-prefixes")
def test_an_id_that_begins_like_another_owns_nothing_of_it(lab: Lab) -> None:
    """``east`` writes nothing of ``east-1``, nor the reverse, and both are connected under names of their own."""
    for account, other in lab.rivals:
        assert account.writes(account.member) != []
        assert account.writes(other) == []
    assert lab.not_learnt() == []
