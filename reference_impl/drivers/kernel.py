"""The seam to a node's kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reference_impl.flows import Bindings, Suspects
    from reference_impl.operations import Operation
    from reference_impl.state import Count, Observed


class KernelError(Exception):
    """The kernel refused a step. The text names the step and the kernel's own words."""


class Kernel(Protocol):
    """What one agent owns in its node's kernel. Calls block; they belong on a worker thread."""

    def observe(self) -> Observed:
        """Read the agent's own state and the node's addresses. ``KernelError`` if the kernel cannot be read."""

    def apply(self, operations: Iterable[Operation]) -> tuple[KernelError, ...]:
        """Carry out steps in order; one that fails is returned and does not keep the others from happening."""

    def forget(self, bindings: Bindings, suspects: Suspects | None) -> None:
        """End flows, of suspects or of all, that go under global addresses which they should no longer have.

        ``KernelError`` if it cannot.
        """

    def counts(self) -> Mapping[str, Count]:
        """Read what has passed through cables, by name of the counter. ``KernelError`` if that cannot be read."""

    def close(self) -> None:
        """Give back descriptors. What was programmed stays."""
