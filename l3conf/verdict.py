"""The verdict algebra: from what single tests saw to what may be said of an implementation. Pure.

Two rules give the orders below. Nothing that was not proved may read as proved, so every verdict but ``pass`` outranks
``pass``. And a fault of the lab must never read as a vendor's fault: *inside one test* an error outranks a failure,
because what fell in a broken lab proves nothing; *between tests* a failure outranks an error, because a proof found
in a sound window stays one.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

    from l3conf.spec.catalogue import Requirement


class Verdict(enum.Enum):
    """What can be said of one test or one requirement."""

    PASS = "pass"  # noqa: S105 - not a password
    """Proved."""
    FAIL = "fail"
    """Disproved in a sound lab."""
    ERROR = "error"
    """Lab or harness broke: nothing is known."""
    UNTESTABLE = "untestable"
    """A prerequisite is missing here."""
    UNSUPPORTED = "unsupported"
    """Optional and not declared."""
    EXEMPT = "exempt"
    """Waived in public: reason, link, expiry. Extended requirements only."""
    NOT_RUN = "not_run"
    """Filtered out, never reached, or no test exists yet."""


_IN_ONE_TEST = (Verdict.ERROR, Verdict.FAIL, Verdict.NOT_RUN, Verdict.UNTESTABLE, Verdict.UNSUPPORTED, Verdict.PASS)
_BETWEEN_TESTS = (Verdict.FAIL, Verdict.ERROR, Verdict.NOT_RUN, Verdict.UNTESTABLE, Verdict.UNSUPPORTED, Verdict.PASS)


_WORDS = {
    Verdict.FAIL: "failed",
    Verdict.ERROR: "not judged, because lab or harness broke",
    Verdict.NOT_RUN: "not run",
    Verdict.UNTESTABLE: "untestable here",
    Verdict.UNSUPPORTED: "unsupported",
    Verdict.EXEMPT: "exempt",
}
MAX_NAMED = 8
"""Requirements that a reason names; the rows of a report name all."""


class Overall(enum.Enum):
    """What can be said of a run."""

    CONFORMANT = "CONFORMANT"
    NON_CONFORMANT = "NON-CONFORMANT"
    INCOMPLETE = "INCOMPLETE"

    @property
    def exit_code(self) -> int:
        """Exit code of ``certify`` and ``verify``."""
        return {Overall.CONFORMANT: 0, Overall.NON_CONFORMANT: 1, Overall.INCOMPLETE: 2}[self]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What an implementation says of itself, and so has to prove."""

    profiles: frozenset[str] = frozenset({"core"})
    features: frozenset[str] = frozenset()

    def cover(self, row: Requirement) -> bool:
        """Whether a row applies: core of a claimed profile, or of a declared feature."""
        return (row.core and row.profile in self.profiles) or row.feature in self.features

    def bind(self, row: Requirement) -> bool:
        """Whether conformance hangs on a row."""
        return row.level.mandatory and self.cover(row)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exemption:
    """A public waiver of one extended requirement."""

    requirement: str
    reason: str
    link: str
    """Where it is discussed."""
    expires: date
    """Last day on which it holds."""

    def waives(self, row: Requirement, today: date) -> bool:
        """Whether it holds for a row: never for a core one, never without reason and link, never after its end."""
        named = row.id == self.requirement and bool(self.reason.strip()) and bool(self.link.strip())
        return named and not row.core and today <= self.expires


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What forbids CONFORMANT whatever the rows say."""

    filtered: bool = False
    """Tests were left out on purpose."""
    loosened: tuple[str, ...] = ()
    """Budgets that asked less than the published ones."""
    harness_errors: tuple[str, ...] = ()
    """What broke outside any test: a worker that died, an event file cut short."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunVerdict:
    """The end of a run, with what it rests on."""

    overall: Overall
    reasons: tuple[str, ...] = field(default=())
    """Why it is not CONFORMANT, most important first; empty if it is."""

    @property
    def exit_code(self) -> int:
        """Exit code of ``certify`` and ``verify``."""
        return self.overall.exit_code


def judge_test(phases: Iterable[Verdict]) -> Verdict:
    """Join what the phases (or repetitions) of one test said; an error outranks a failure."""
    return _first(_IN_ONE_TEST, phases)


def judge_tests(tests: Iterable[Verdict]) -> Verdict:
    """Join what all declared tests of one requirement said; a failure outranks an error.

    No test at all is ``not_run``: a requirement that nobody tests is not proved.
    """
    return _first(_BETWEEN_TESTS, tests)


def judge_row(
    row: Requirement,
    tests: Iterable[Verdict],
    *,
    claims: Claims,
    exemptions: Iterable[Exemption] = (),
    today: date | None = None,
) -> Verdict:
    """Say what is known of a requirement.

    A row that the implementation does not claim is ``unsupported`` unless its tests ran nevertheless. An exemption
    takes the place of everything but a proof; without ``today`` none holds.
    """
    verdict = judge_tests(tests)
    if verdict is Verdict.PASS:
        return verdict
    if today is not None and any(exemption.waives(row, today) for exemption in exemptions):
        return Verdict.EXEMPT
    if verdict is Verdict.NOT_RUN and not claims.cover(row):
        return Verdict.UNSUPPORTED
    return verdict


def judge_run(
    verdicts: Mapping[str, Verdict],
    *,
    rows: Iterable[Requirement],
    claims: Claims,
    conditions: Conditions,
) -> RunVerdict:
    """Say what is known of an implementation.

    NON-CONFORMANT as soon as one binding row failed, whatever else happened. CONFORMANT only if every binding row
    passed (an exempt one did not), nothing was filtered or loosened and the harness held. INCOMPLETE otherwise; also
    if no row binds: from nothing, nothing follows.
    """
    binding = [row for row in rows if claims.bind(row)]
    by_row = {row.id: verdicts.get(row.id, Verdict.NOT_RUN) for row in binding}
    failed = [row for row, verdict in by_row.items() if verdict is Verdict.FAIL]
    reasons = tuple(_reasons(by_row, conditions))
    if failed:
        return RunVerdict(overall=Overall.NON_CONFORMANT, reasons=reasons)
    if reasons:
        return RunVerdict(overall=Overall.INCOMPLETE, reasons=reasons)
    return RunVerdict(overall=Overall.CONFORMANT)


def _reasons(by_row: Mapping[str, Verdict], conditions: Conditions) -> Iterable[str]:
    for verdict in (*_BETWEEN_TESTS[:-1], Verdict.EXEMPT):
        named = [row for row, found in by_row.items() if found is verdict]
        if named:
            count = f"{len(named)} mandatory requirement{'s' if len(named) > 1 else ''}"
            yield f"{count} {_WORDS[verdict]}: {', '.join(named[:MAX_NAMED])}{_more(named)}"
    if not by_row:
        yield "no mandatory requirement applies"
    if conditions.loosened:
        yield f"budgets were loosened: {', '.join(conditions.loosened)}"
    if conditions.filtered:
        yield "the run was filtered"
    if conditions.harness_errors:
        errors = len(conditions.harness_errors)
        yield f"{errors} error{'s' if errors > 1 else ''} of the harness: {conditions.harness_errors[0]}"


def _more(named: list[str]) -> str:
    return f" and {len(named) - MAX_NAMED} more" if len(named) > MAX_NAMED else ""


def _first(order: tuple[Verdict, ...], found: Iterable[Verdict]) -> Verdict:
    """Return the highest verdict found; EXEMPT is no verdict of a test and counts as not proved."""
    present = {Verdict.NOT_RUN if verdict is Verdict.EXEMPT else verdict for verdict in found}
    return next((verdict for verdict in order if verdict in present), Verdict.NOT_RUN)
