"""What was written can be done again; what is no journal is refused by its line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from l3conf.errors import UserError
from l3conf.soak.changes import Change, Kind
from l3conf.soak.journal import Journal, changes_of

if TYPE_CHECKING:
    from pathlib import Path

CHANGES = [
    Change(kind=Kind.CRASH, cluster="east", node="east-1", seconds=3.5),
    Change(kind=Kind.ISOLATE, cluster="east", other="west"),
]


def test_a_journal_gives_back_its_changes(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with path.open("w") as file:
        journal = Journal(file)
        journal.write({"benchmark": "soak", "seed": 3})
        for number, change in enumerate(CHANGES, start=1):
            journal.write({"number": number, "change": change.to_json(), "violations": []})
            # Each line is there as soon as it was written: a run may be killed.
            assert len(path.read_text().splitlines()) == number + 1
    assert changes_of(path) == CHANGES


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no change"),
        ('{"seed": 1}\n', "no change"),
        ("{\n", "no line of a journal"),
        ("[]\n3\n", "no line of a journal"),
        ('{"change": {"kind": "gateway-crashed"}}\n', "no change"),
        ('{"change": 3}\n', "no line of a journal"),
    ],
)
def test_what_is_no_journal_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "journal"
    path.write_text(text)
    with pytest.raises(UserError, match=said):
        changes_of(path)


def test_a_journal_that_is_not_there_is_a_mistake_of_the_user(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        changes_of(tmp_path / "nowhere")
