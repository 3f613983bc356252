"""A member reads no secret of another."""

from __future__ import annotations

import pytest

from l3conf.testing import Lab, verifies


@verifies("L3-B4")
@pytest.mark.topology("two-clusters")
def test_a_member_reads_no_secret_of_another(lab: Lab) -> None:
    """Neither as a Secret at the broker nor inside anything else that it can list there."""
    for account, other in lab.rivals:
        with account.others_secret() as word:
            confidential = {word: "a Secret of another", **lab.secrets_of(other, beside=account.member)}
            assert account.reads(confidential) == []
