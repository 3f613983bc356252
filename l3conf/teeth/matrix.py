"""The kill matrix: what rows said of mutants, and what that says of the suite. Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from l3conf.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from l3conf.teeth.catalogue import Mutant

CONTROL = "control"
"""Name of the trial without any switch."""
CONTROL_PLANE_SECTIONS = frozenset({"A", "C"})
"""Sections whose rows read APIs only: an implementation without a data plane may honestly pass them."""


class Bite(enum.Enum):
    """What became of one mutant at one row."""

    KILLED = "killed"
    SURVIVED = "survived"
    """The row passed: it does not notice."""
    WRONG = "wrong verdict"
    """Neither pass nor fail: the lab broke, or the row was not judged, so nothing was noticed."""
    UNTESTABLE = "untestable here"
    """A prerequisite of the row is missing on this machine, with and without the switch: nothing could be noticed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialResult:
    """What one trial showed."""

    name: str
    verdicts: Mapping[str, Verdict]
    """By row; a row that was to be tried and is missing was not run."""
    messages: Mapping[str, str]
    """First line of what a row said, by row."""
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """All trials, judged."""

    mutants: tuple[Mutant, ...]
    bites: Mapping[tuple[str, str], Bite]
    """By mutant and row."""
    control: TrialResult
    nulls: tuple[TrialResult, ...]
    results: Mapping[str, TrialResult]

    @property
    def findings(self) -> list[str]:
        """What is wrong with the suite (or with a mutant); empty if it has teeth."""
        return [*self._control_findings(), *self._mutant_findings(), *self._null_findings()]

    def _control_findings(self) -> list[str]:
        return [
            f"without any switch {row} was {verdict.value}: {self.control.messages.get(row, '')}"
            for row, verdict in sorted(self.control.verdicts.items())
            if verdict is not Verdict.PASS and not self._beyond_this_machine(row)
        ]

    def _beyond_this_machine(self, row: str) -> bool:
        """Say whether a row is untestable with every mutant as well as without."""
        return {bite for (_, tried), bite in self.bites.items() if tried == row} == {Bite.UNTESTABLE}

    def _mutant_findings(self) -> list[str]:
        return [
            f"{mutant} {bite.value} at {row}: {self.results[mutant].messages.get(row, '')}".rstrip(": ")
            for (mutant, row), bite in self.bites.items()
            if bite not in {Bite.KILLED, Bite.UNTESTABLE}
        ]

    def _null_findings(self) -> list[str]:
        return [
            f"{null.name} passed {row}"
            for null in self.nulls
            for row, verdict in sorted(null.verdicts.items())
            if verdict is Verdict.PASS and not is_control_plane(row)
        ]

    def to_json(self) -> dict[str, Any]:
        """Return the matrix for ``--json``."""
        return {
            "ok": not self.findings,
            "findings": self.findings,
            "control": _result_json(self.control),
            "mutants": [
                {
                    "name": mutant.name,
                    "breaks": mutant.breaks,
                    "rows": {row: self.bites[mutant.name, row].value for row in mutant.kills},
                    "seconds": round(self.results[mutant.name].seconds, 1),
                    "messages": dict(self.results[mutant.name].messages),
                }
                for mutant in self.mutants
            ],
            "nullImplementations": [_result_json(null) for null in self.nulls],
        }


def doubtful(mutants: Iterable[Mutant], results: Sequence[TrialResult]) -> dict[str, tuple[str, ...]]:
    """Return, by trial, the rows that gave another verdict than the trial is there to show.

    A prerequisite that is missing is missing the second time, too.
    Null implementations are not among them: what they passed, they passed.
    """
    kills = {mutant.name for mutant in mutants}
    wanted = {result.name: Verdict.FAIL if result.name in kills else Verdict.PASS for result in results}
    found = {
        result.name: tuple(
            row for row, verdict in result.verdicts.items() if verdict not in {wanted[result.name], Verdict.UNTESTABLE}
        )
        for result in results
        if result.name in kills or _is_control(result)
    }
    return {name: rows for name, rows in found.items() if rows}


def corrected(first: TrialResult, second: TrialResult) -> TrialResult:
    """Return a trial's result with the rows that were tried again."""
    return replace(
        first,
        verdicts={**first.verdicts, **second.verdicts},
        messages={
            **{row: text for row, text in first.messages.items() if row not in second.verdicts},
            **second.messages,
        },
        seconds=first.seconds + second.seconds,
    )


def _is_control(result: TrialResult) -> bool:
    return result.name.partition(" ")[0] == CONTROL


def judge(
    mutants: Sequence[Mutant],
    results: Iterable[TrialResult],
    *,
    nulls: Iterable[TrialResult],
    rows: Iterable[str],
) -> Matrix:
    """Judge all trials; ``rows`` are those that the control had to pass."""
    by_name = {result.name: result for result in results}
    control = _joined([result for result in by_name.values() if _is_control(result)])
    verdicts = {row: control.verdicts.get(row, Verdict.NOT_RUN) for row in rows}
    return Matrix(
        mutants=tuple(mutants),
        bites={
            (mutant.name, row): bite_of(by_name[mutant.name].verdicts.get(row, Verdict.NOT_RUN), verdicts.get(row))
            for mutant in mutants
            for row in mutant.kills
        },
        control=TrialResult(name=CONTROL, verdicts=verdicts, messages=control.messages, seconds=control.seconds),
        nulls=tuple(nulls),
        results=by_name,
    )


def _joined(controls: Sequence[TrialResult]) -> TrialResult:
    """Return the controls of all variants as one: a row passes if it passes in each that tried it."""
    verdicts: dict[str, Verdict] = {}
    messages: dict[str, str] = {}
    for control in controls:
        for row, verdict in control.verdicts.items():
            if verdicts.get(row, Verdict.PASS) is Verdict.PASS:
                verdicts[row] = verdict
                messages[row] = control.messages.get(row, "")
    seconds = sum(control.seconds for control in controls)
    return TrialResult(name=CONTROL, verdicts=verdicts, messages=messages, seconds=seconds)


def bite_of(verdict: Verdict, control: Verdict | None = None) -> Bite:
    """Return what a row's verdict on a mutant means for the row, beside its verdict without any switch."""
    if verdict is control is Verdict.UNTESTABLE:
        return Bite.UNTESTABLE
    return {Verdict.FAIL: Bite.KILLED, Verdict.PASS: Bite.SURVIVED}.get(verdict, Bite.WRONG)


def is_control_plane(row: str) -> bool:
    """Whether a row reads APIs only."""
    return row.removeprefix("L3-")[0] in CONTROL_PLANE_SECTIONS


def _result_json(result: TrialResult) -> dict[str, Any]:
    return {
        "name": result.name,
        "rows": {row: verdict.value for row, verdict in sorted(result.verdicts.items())},
        "messages": dict(result.messages),
        "seconds": round(result.seconds, 1),
    }
