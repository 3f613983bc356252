"""Schedules hold, replay exactly, and are broken by whatever is wrong with planners, protocols and mirrors."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from reference_impl.bench import simulation
from reference_impl.bench.simulation import explained, main
from reference_impl.mutants.watches import Discouraged, Trusting
from reference_impl.protocols.election import ElectionTimings
from reference_impl.simulation.agent import Defects
from reference_impl.simulation.run import run
from reference_impl.simulation.schedule import draw, shrink
from reference_impl.simulation.weather import CALM

if TYPE_CHECKING:
    from reference_impl.planner.membership import Membership
    from reference_impl.protocols.objects import Endpoint

SEEDS = range(1, 25)


@pytest.mark.parametrize("seed", SEEDS)
def test_schedules_hold(seed: int) -> None:
    assert run(draw(seed)).violations == []


def test_the_same_seed_gives_the_same_run() -> None:
    first, again = run(draw(5)), run(draw(5))
    assert (first.steps, first.writes, first.programmed) == (again.steps, again.writes, again.programmed)
    assert first.writes > 0 < first.programmed


def test_a_set_in_calm_weather_converges_to_everybody() -> None:
    calm = replace(draw(5), chances=CALM, disturbances=(), forbidden=frozenset(), members=4, ranges=(0, 1, 2, 3))
    outcome = run(calm)
    assert outcome.violations == []
    # Each kernel learns of three others: once at least, and not more often than they come.
    assert 4 <= outcome.programmed <= 4 * 6


def forget_overlaps(planned: Membership, readable: tuple[Endpoint, ...]) -> Membership:
    """Connect whoever there is."""
    known = {peer.cluster_id for peer in planned.peers}
    refused = {refusal.cluster_id for refusal in planned.refusals if refusal.reason == "OverlappingCIDR"} - known
    return replace(planned, peers=(*planned.peers, *(each for each in readable if each.cluster_id in refused)))


DEFECTS = {
    "overlaps are not looked for": (Defects(membership=forget_overlaps), "overlap"),
    "policies are ignored": (Defects(decisions=lambda _: {}), "a policy forbids"),
    "older events are believed": (Defects(mirror=Trusting), "instead of"),
    "a watch that breaks is not begun again": (Defects(mirror=Discouraged), "instead of"),
    "leaders hold on for longer than their lease": (
        Defects(timings=ElectionTimings(lease=6.0, renew_deadline=40.0)),
        "are active at once",
    ),
}


@pytest.mark.parametrize("defect", list(DEFECTS))
def test_a_defect_breaks_schedules(defect: str) -> None:
    defects, said = DEFECTS[defect]
    found = (line for seed in range(1, 61) for line in run(draw(seed), defects).violations)
    assert any(said in line for line in found)


def test_a_failing_schedule_is_made_smaller_and_still_fails() -> None:
    defects = Defects(mirror=Discouraged)
    small = (one for seed in range(1, 200) if (one := draw(seed)).members <= 4 and one.disturbances)
    failing = next(schedule for schedule in small if run(schedule, defects).violations)
    smaller = shrink(failing, lambda schedule: bool(run(schedule, defects).violations))
    assert run(smaller, defects).violations
    assert len(smaller.disturbances) < len(failing.disturbances)


def test_the_command_says_what_it_ran(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--schedules", "2", "--seed", "3", "--processes", "1", "--json"]) == 0
    said = capsys.readouterr()
    answer = json.loads(said.out)
    assert (answer["schedules"], answer["failed_seeds"], answer["holds"]) == (2, [], True)
    assert "2 of 2 schedules" in said.err
    assert explained(3)["violations"] == []


def test_processes_find_what_one_finds(capsys: pytest.CaptureFixture[str]) -> None:
    answers = []
    for processes in ("1", "2"):
        assert main(["--schedules", "6", "-n", processes, "--json"]) == 0
        answers.append(json.loads(capsys.readouterr().out))
    one, two = ({name: each[name] for name in ("schedules", "members", "steps", "writes")} for each in answers)
    assert one == two


def test_a_failing_seed_says_how_to_run_it_again(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    defects = Defects(mirror=Discouraged)
    failing = next(seed for seed in range(1, 200) if draw(seed).members <= 4 and run(draw(seed), defects).violations)
    monkeypatch.setattr(simulation, "run", lambda schedule: run(schedule, defects))
    assert main(["--seed", str(failing), "--schedules", "1"]) == 1
    said = capsys.readouterr()
    command = f"python -m reference_impl.bench.simulation --seed {failing} --schedules 1"
    assert command in said.err
    assert command in said.out
    assert "holds: False" in said.out


def test_a_thousand_seeds_have_sets_of_a_hundred() -> None:
    sizes = [draw(seed).members for seed in range(1, 1001)]
    assert max(sizes) == 100
    assert sum(size == 100 for size in sizes) >= 3
    assert sum(size >= 50 for size in sizes) >= 10
