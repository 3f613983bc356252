"""Labs: the ground a conformance run stands on, behind one protocol (``labs.base.Lab``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from l3conf.errors import UserError
from l3conf.labs.base import Capability

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from l3conf.labs.base import Lab
    from l3conf.labs.emulated import EmulatedLab
    from l3conf.labs.existing.settings import ExistingSettings
    from l3conf.model.implementation import EmulatedImage
    from l3conf.model.topology import Topology

EMULATED, MININET, EXISTING = "emulated", "mininet", "existing"
KINDS = (EMULATED, MININET, EXISTING)
"""Kinds of lab that ``--on`` takes."""
LASTING = frozenset({EXISTING})
"""Kinds whose clusters outlive the lab: one lab stands on them at a time, and leaves them as they were."""


def foreseen_capabilities(kind: str, existing: ExistingSettings) -> frozenset[Capability]:
    """Return what a lab will be able to do, so that nothing is built for a test that needs more."""
    return existing.capabilities if kind == EXISTING else frozenset(Capability)


def emulation(kind: str) -> type[EmulatedLab]:
    """Return the class of a kind of lab that this host holds all of."""
    from l3conf.labs.emulated import EmulatedLab  # noqa: PLC0415 - each kind brings its own clients
    from l3conf.labs.mininet import MininetLab  # noqa: PLC0415

    return MininetLab if kind == MININET else EmulatedLab


def open_lab(
    kind: str,
    topology: Topology,
    *,
    images: Sequence[EmulatedImage] = (),
    visible: Sequence[str] = (),
    existing: ExistingSettings | None = None,
    patience: float = 1.0,
    progress: Callable[[str], None] = lambda _stage: None,
) -> Lab:
    """Open a lab of that kind with that topology; the caller closes it.

    ``images`` (already resolved, see ``adapter``) say what the implementation's images stand for where there
    are no containers; ``visible`` are directories that its commands need to see. ``patience`` multiplies the lab's
    own times. ``existing`` says which clusters a lab of that kind stands on.
    """
    if kind not in KINDS:
        raise UserError(f"there is no lab of kind {kind!r}", where="--on", remedy=f"use one of: {', '.join(KINDS)}")
    if kind == EXISTING:
        from l3conf.labs.existing.lab import ExistingLab  # noqa: PLC0415 - each kind brings its own clients
        from l3conf.labs.existing.settings import ExistingSettings  # noqa: PLC0415

        return ExistingLab.start(topology, existing or ExistingSettings(), progress)
    return emulation(kind).start(topology, images=images, visible=visible, patience=patience, progress=progress)
