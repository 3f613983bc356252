"""The nftables tables that an implementation adds to gateway nodes, taken away and put back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from l3conf.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from l3conf.bench.by_hand import End
    from l3conf.labs.emulated import EmulatedLab

_TIMEOUT = 30.0


class Filters:
    """What two gateway nodes have with the implementation and have not without."""

    def __init__(self, lab: EmulatedLab, plain: EmulatedLab, ends: tuple[End, End]) -> None:
        """Take note of all tables; ``plain`` is the same lab without the implementation."""
        self._lab = lab
        self._places = [end.place for end in ends]
        place = self._places[0]
        self._tables = sorted(_tables(lab, place) - _tables(plain, place))
        self._listings = {
            (place, table): _run(lab, place, "nft", "list", "table", *table.split())
            for place in self._places
            for table in self._tables
        }

    def choices(self) -> Mapping[str, Sequence[str]]:
        """Return what is worth a look: all tables, each of them alone, none; named for people."""
        alone = {f"only table {table}": [table] for table in self._tables}
        return {"everything in place": self._tables, **alone, "no tables": []}

    def keep(self, tables: Sequence[str]) -> None:
        """Have these tables on both nodes and none of the others, each in one transaction."""
        for place in self._places:
            away = "".join(f"table {table} {{ }}\ndelete table {table}\n" for table in self._tables)
            script = away + "".join(self._listings[place, table] for table in tables)
            _run(self._lab, place, "/bin/sh", "-ec", f"nft -f - <<'TABLES'\n{script}\nTABLES")


def read_json(lab: EmulatedLab, place: str, *argv: str) -> Any:  # noqa: ANN401 - as the program prints it
    """Run a program at a place that prints JSON."""
    return json.loads(_run(lab, place, *argv))


def _tables(lab: EmulatedLab, place: str) -> set[str]:
    """Return family and name of each table."""
    found = read_json(lab, place, "nft", "-json", "list", "tables")["nftables"]
    return {f"{entry['table']['family']} {entry['table']['name']}" for entry in found if "table" in entry}


def _run(lab: EmulatedLab, place: str, *argv: str) -> str:
    code, answer, said = lab.run(place, argv, timeout=_TIMEOUT)
    if code:
        raise LabError(f"{' '.join(argv[:2])}: {said.strip()[-300:]}", where=place)
    return answer
