"""What an implementation file (``impl.yaml``) says, as values."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Verb(enum.Enum):
    """What an implementation can be asked to do (``spec/adapter-protocol.md``)."""

    DEPLOY = "deploy"
    """Install into the broker and every cluster; nothing is connected yet."""
    JOIN = "join"
    """Make one cluster a member of the cluster set."""
    LEAVE = "leave"
    """Take one cluster out; the others forget it."""
    UPGRADE = "upgrade"
    """Bring one component or cluster to another version."""
    ROTATE = "rotate"
    """Have one member use new keys."""
    REVOKE = "revoke"
    """Expel one member without its help: it is cut off by all others."""
    REMOVE = "remove"
    """Take everything out of every cluster and the broker."""
    GATHER = "gather"
    """Write logs and state for people into the working directory."""


REQUIRED_VERBS = frozenset({Verb.DEPLOY, Verb.JOIN, Verb.LEAVE, Verb.REMOVE})


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatedImage:
    """What an image of this implementation stands for on a host without containers."""

    name: str
    """Image reference as the manifests have it; a trailing ``*`` matches any tag."""
    command: tuple[str, ...]
    """Entry point. ``{python}`` is the running interpreter, ``{directory}`` the folder of the file."""
    env: Mapping[str, str] = field(default_factory=dict)
    build: tuple[str, ...] = ()
    """Command that makes what the entry point needs; only labs that begin at an earlier version ask for such images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Implementation:
    """An implementation under test."""

    name: str
    version: str
    path: Path
    """The file itself, absolute."""
    command: tuple[str, ...]
    """Hook command; the verb is appended. Runs in the file's folder. ``{python}`` and ``{directory}`` are filled in."""
    verbs: frozenset[Verb]
    """Hooks that exist; a superset of ``REQUIRED_VERBS``."""
    hook_timeout: float = 120.0
    """Seconds after which a hook is ended (SIGTERM, then SIGKILL)."""
    hook_env: Mapping[str, str] = field(default_factory=dict)
    """Variables set for hooks besides PATH, HOME, LANG and TMPDIR, the only ones inherited."""
    organization: str = ""
    url: str = ""
    profiles: frozenset[str] = frozenset({"core"})
    """Profiles claimed; ``core`` is always among them."""
    features: frozenset[str] = frozenset()
    """Extended features declared."""
    cable_drivers: tuple[str, ...] = ()
    """Cable drivers that a cluster can be told to use, by ``Endpoint.spec.backend``."""
    previous_versions: tuple[str, ...] = ()
    """Versions from which, and back to which, this one is promised to go without an interruption, newest first."""
    images: tuple[EmulatedImage, ...] = ()
    """Used by the emulated and Mininet labs only."""
    residue: tuple[str, ...] = ()
    """Documented leftovers that ``remove`` may leave: regular expressions over node-state paths (L3-M1)."""
