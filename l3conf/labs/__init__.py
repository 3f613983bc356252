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
    from l3conf.labs.kind.settings import KindSettings
    from l3conf.model.implementation import EmulatedImage
    from l3conf.model.topology import Topology

EMULATED, MININET, EXISTING, KIND = "emulated", "mininet", "existing", "kind"
KINDS = (EMULATED, MININET, EXISTING, KIND)
"""Kinds of lab that ``--on`` takes."""
LASTING = frozenset({EXISTING, KIND})
"""Kinds whose clusters outlive the lab, or may: one lab stands at a time, and leaves them as they were."""
CONFINED = frozenset({EXISTING})
"""Kinds whose clusters are other people's: the suite keeps to what is its own there."""


def foreseen_capabilities(kind: str, existing: ExistingSettings, of_kind: KindSettings) -> frozenset[Capability]:
    """Return what a lab will be able to do, so that nothing is built for a test that needs more."""
    if kind == EXISTING:
        return existing.capabilities
    return of_kind.capabilities if kind == KIND else frozenset(Capability)


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
    of_kind: KindSettings | None = None,
    patience: float = 1.0,
    progress: Callable[[str], None] = lambda _stage: None,
) -> Lab:
    """Open a lab of that kind with that topology; the caller closes it.

    ``images`` (already resolved, see ``adapter``) say what the implementation's images stand for where there
    are no containers; ``visible`` are directories that its commands need to see. ``patience`` multiplies the lab's
    own times. ``existing`` and ``of_kind`` say what a lab of those kinds stands on.
    """
    if kind not in KINDS:
        raise UserError(f"there is no lab of kind {kind!r}", where="--on", remedy=f"use one of: {', '.join(KINDS)}")
    if kind == EXISTING:
        from l3conf.labs.existing.lab import ExistingLab  # noqa: PLC0415 - each kind brings its own clients
        from l3conf.labs.existing.settings import ExistingSettings  # noqa: PLC0415

        return ExistingLab.start(topology, existing or ExistingSettings(), progress)
    if kind == KIND:
        from l3conf.labs.kind.lab import KindLab  # noqa: PLC0415 - likewise
        from l3conf.labs.kind.settings import KindSettings  # noqa: PLC0415

        return KindLab.start(topology, of_kind or KindSettings(), patience=patience, progress=progress)
    return emulation(kind).start(topology, images=images, visible=visible, patience=patience, progress=progress)
