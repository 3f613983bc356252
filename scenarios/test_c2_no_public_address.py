"""A gateway without a public address is a valid peer."""

from __future__ import annotations

import pytest

from l3conf.testing import Lab, sample, verifies


@verifies("L3-C2")
@pytest.mark.topology("two-clusters")
@pytest.mark.parametrize("spelling", [None, ""])
def test_an_endpoint_without_public_address_is_accepted(installed_lab: Lab, spelling: str | None) -> None:
    """Left out or empty, as implementations write it."""
    endpoint = sample("Endpoint")
    endpoint["spec"] |= {"public_ip": spelling} if spelling is not None else {}
    if spelling is None:
        del endpoint["spec"]["public_ip"]
    for resources in installed_lab.resources:
        answer = resources.try_to_create(endpoint)
        assert answer.ok, f"{answer.status} {answer.message}"
