"""What a ground does not tell: asking for it makes a test ``untestable``, not the lab useless."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NoReturn, TypeVar

from l3conf.errors import LabIncapableError

K = TypeVar("K")
T = TypeVar("T")


class Untold(Mapping[K, T]):
    """A mapping whose every use raises ``LabIncapableError`` with one reason."""

    def __init__(self, why: LabIncapableError) -> None:
        self._why = why

    def __getitem__(self, key: K) -> T:
        self._refuse()

    def __iter__(self) -> Iterator[K]:
        self._refuse()

    def __len__(self) -> int:  # noqa: PLE0303 - nor does it say how much there is
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise LabIncapableError(self._why.what, where=self._why.where, remedy=self._why.remedy)


def if_told(look: Callable[[], Mapping[K, T]]) -> Mapping[K, T]:
    """Return what ``look`` finds; an ``Untold`` where the ground cannot."""
    try:
        return look()
    except LabIncapableError as why:
        return Untold(why)
