"""Seeded schedules of planners and protocols in virtual time: ``python -m reference_impl.bench.simulation``.

A schedule that fails is named at once, with the command that runs it again, step by step the same. In the end it is
made smaller, and printed with what it violated. Ctrl-C ends the run with what was tried so far. Exit code 1 if any
fails.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import TYPE_CHECKING, Any

from reference_impl.simulation.run import run
from reference_impl.simulation.schedule import draw, shrink

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_SHOWN = 10
_SAY_EVERY = 10.0
"""Seconds between two lines of progress."""
_LARGE = 50


def tried(seed: int) -> dict[str, Any]:
    """Run the schedule of one seed; return what came of it."""
    schedule = draw(seed)
    outcome = run(schedule)
    return {
        "seed": seed,
        "members": schedule.members,
        "steps": outcome.steps,
        "writes": outcome.writes,
        "violations": outcome.violations,
    }


def explained(seed: int) -> dict[str, Any]:
    """Return the smallest schedule found that fails as a seed's does, what it violates, and how to run it again."""
    smaller = shrink(draw(seed), lambda schedule: bool(run(schedule).violations))
    violations = run(smaller).violations
    return {"seed": seed, "violations": violations, "schedule": repr(smaller), "replay": replay(seed)}


def replay(seed: int) -> str:
    """Return the command that runs a seed's schedule again."""
    return f"python -m reference_impl.bench.simulation --seed {seed} --schedules 1"


def main(words: list[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m reference_impl.bench.simulation", description=__doc__)
    parser.add_argument("--schedules", type=int, default=1000, help="how many seeds are run (1000)")
    parser.add_argument("--seed", type=int, default=1, help="the first of them (1)")
    parser.add_argument("-n", "--processes", type=int, default=os.cpu_count() or 1, help="how many at once")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args(words)
    began = time.monotonic()
    seeds = range(given.seed, given.seed + given.schedules)
    results = _gathered(seeds, given.processes, began)
    failed = sorted(result["seed"] for result in results if result["violations"])
    sizes = [result["members"] for result in results]
    answer = {
        "benchmark": "simulation",
        "schedules": len(results),
        "asked_for": given.schedules,
        "first_seed": given.seed,
        "members": {
            "most": max(sizes, default=0),
            "all": sum(sizes),
            f"schedules_of_{_LARGE}_or_more": sum(size >= _LARGE for size in sizes),
            "schedules_of_the_most": sizes.count(max(sizes, default=0)),
        },
        "steps": sum(result["steps"] for result in results),
        "writes": sum(result["writes"] for result in results),
        "processes": given.processes,
        "seconds": round(time.monotonic() - began, 1),
        "cpu_seconds": round(_used(), 1),
        "failed_seeds": failed,
        "failures": [explained(seed) for seed in failed[:_SHOWN]],
        "holds": not failed and len(results) == given.schedules,
    }
    sys.stdout.write((json.dumps(answer, indent=1) if given.json else _text(answer)) + "\n")
    return 0 if answer["holds"] else 1


def _gathered(seeds: Sequence[int], processes: int, began: float) -> list[dict[str, Any]]:
    """Run all schedules, the largest first, so that none of these is left for the end; say how far that is."""
    ordered = sorted(seeds, key=lambda seed: -draw(seed).members)
    results: list[dict[str, Any]] = []
    said = began
    try:
        for result in _each(ordered, processes):
            results.append(result)
            now = time.monotonic()
            if result["violations"]:
                _say(f"seed {result['seed']} fails: {result['violations'][0]}\n  {replay(result['seed'])}")
            if now - said >= _SAY_EVERY or len(results) == len(ordered):
                said = now
                _say(f"{len(results)} of {len(ordered)} schedules, {now - began:.0f} s")
    except KeyboardInterrupt:
        _say(f"interrupted after {len(results)} of {len(ordered)} schedules")
    return results


def _each(seeds: Sequence[int], processes: int) -> Iterator[dict[str, Any]]:
    """Give results as they come."""
    if min(processes, len(seeds)) <= 1:
        yield from map(tried, seeds)
        return
    pool = ProcessPoolExecutor(processes)
    try:
        yield from (done.result() for done in as_completed([pool.submit(tried, seed) for seed in seeds]))
    finally:
        pool.shutdown(cancel_futures=True)


def _used() -> float:
    """Return the processor seconds of this process and of those that have ended: on a busy machine the fair figure."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def _say(line: str) -> None:
    sys.stderr.write(f"  {line}\n")
    sys.stderr.flush()


def _text(answer: dict[str, Any]) -> str:
    lines: Iterable[str] = (f"{name}: {value}" for name, value in answer.items() if name != "failures")
    told = (
        f"\n{each['replay']}\n  {each['schedule']}\n" + "\n".join(f"  {line}" for line in each["violations"])
        for each in answer["failures"]
    )
    return "\n".join((*lines, *told))


if __name__ == "__main__":
    sys.exit(main())
