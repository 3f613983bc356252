"""Work that is done once and whose outcome, good or bad, all who depend on it share.

A lab that never connects must fail its dependants at once and with the first one's reason, not let each of them
wait out the same budget again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Once(Generic[T]):
    """A function without arguments that runs at most once. Interrupts are not remembered."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._outcome: tuple[T] | None = None
        self._error: Exception | None = None

    def __call__(self) -> T:
        """Return what the first call returned, or raise what it raised."""
        if self._error is not None:
            raise self._error.with_traceback(None)
        if self._outcome is None:
            try:
                self._outcome = (self._work(),)
            except Exception as error:
                self._error = error
                raise
        return self._outcome[0]

    @property
    def succeeded(self) -> bool:
        """Whether it has run and did not raise."""
        return self._outcome is not None
