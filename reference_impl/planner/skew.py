"""Which versions of this implementation can be connected with one another, and what a member says it can do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from reference_impl.names import IMPLEMENTATION
from reference_impl.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reference_impl.protocols.objects import Endpoint

VERSION_SKEW_UNSUPPORTED: Final = "VersionSkewUnsupported"
AGENT_VERSION: Final = "agent-version"
CAPABILITIES: Final = "capabilities"
"""Entries of ``Endpoint.spec.backend_config``: the one map that every implementation carries along unread."""
_VERSION = re.compile(r"([a-z0-9-]{1,63})/([0-9]{1,9})\.[0-9]{1,9}\.[0-9]{1,9}")


def own_parameters(version: str, backend: str) -> Mapping[str, str]:
    """Return what a member publishes of itself: implementation and version, and the words for what it can do."""
    words = ("conditions", "heartbeat", f"cable-{backend}")
    return {AGENT_VERSION: f"{IMPLEMENTATION}/{version}", CAPABILITIES: ",".join(words)}


def unsupported(endpoint: Endpoint) -> str:
    """Say why the version behind an Endpoint does not go with the one that runs here; "" if it does."""
    return skew(VERSION, endpoint.parameter(AGENT_VERSION))


def skew(own_version: str, theirs: str) -> str:
    """Say why a peer's version does not go with ours; "" if it does.

    ``theirs`` is its ``agent-version``. Within a major version everything goes with everything. Who says nothing
    or is of another implementation is taken at its Endpoint's word.
    """
    read = _VERSION.fullmatch(theirs)
    if read is None or read[1] != IMPLEMENTATION:
        return ""
    own_major = own_version.partition(".")[0]
    return "" if read[2] == own_major else f"version {theirs} there, {IMPLEMENTATION}/{own_version} here"
