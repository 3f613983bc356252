"""What a request asks for besides the object: the query parameters and DeleteOptions of meta/v1, as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

NO_EXTRA: Mapping[str, tuple[str, ...]] = {}


@dataclass(frozen=True, slots=True)
class User:
    """Who asks, once authenticated."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: NO_EXTRA)


SYSTEM = User("system:apiserver", ("system:masters", "system:authenticated"))
"""Components in this process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteOptions:
    """CreateOptions, UpdateOptions and PatchOptions."""

    user: User = SYSTEM
    dry_run: bool = False
    field_manager: str = ""
    """Who is credited in managedFields; empty: nobody."""
    field_validation: str = "Warn"
    """What becomes of unknown fields: ``Strict`` refuses, ``Warn`` warns, ``Ignore`` drops silently."""
    force: bool = False
    """Server-side apply takes fields over from other managers."""
    applied: bool = False
    """Server-side apply has already settled who owns what."""
    trusted: bool = False
    """Asked by a control-plane component in this process: not subject to escalation checks."""
    warnings: list[str] = field(default_factory=list)
    """Filled with what the client should be told in ``Warning`` headers."""


INTERNAL = WriteOptions(trusted=True, field_validation="Ignore")
"""For the control plane's own writes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteOptions:
    """DeleteOptions of meta/v1."""

    grace_seconds: int | None = None
    """None: the object's own."""
    propagation: str = ""
    """``Background``, ``Foreground``, ``Orphan``; empty: as the object's finalizers say."""
    uid: str | None = None
    resource_version: str | None = None
    dry_run: bool = False
    user: User = SYSTEM


AS_USUAL = DeleteOptions()
"""With the object's own grace period and finalizers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuery:
    """What of a collection is wanted."""

    label_selector: str = ""
    field_selector: str = ""
    limit: int = 0
    """Objects per page; 0: all."""
    token: str = ""
    """``continue`` of the page before."""
    version: str = ""
    version_match: str = ""
    """``Exact``, ``NotOlderThan`` or empty."""
