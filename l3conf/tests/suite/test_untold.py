"""What a ground does not tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from l3conf.errors import LabIncapableError
from l3conf.plugin.untold import if_told

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def cannot() -> dict[str, int]:
    raise LabIncapableError("the existing lab cannot do: node-state")


@pytest.mark.parametrize(
    "use", [lambda m: m["a"], lambda m: m.get("a"), list, len, lambda m: "a" in m, lambda m: m == {}]
)
def test_every_use_says_why(use: Callable[[Mapping[str, int]], object]) -> None:
    with pytest.raises(LabIncapableError, match="node-state"):
        use(if_told(cannot))


def test_what_is_told_is_handed_on() -> None:
    assert if_told(lambda: {"a": 1}) == {"a": 1}
