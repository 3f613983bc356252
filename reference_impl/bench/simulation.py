"""Seeded schedules of planners and protocols in virtual time: ``python -m reference_impl.bench.simulation``.

Prints one JSON object. A seed that fails is made smaller and printed with what it violated; ``--seed N --schedules 1``
runs it again, step by step the same. Exit code 1 if any seed fails.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from reference_impl.simulation.run import run
from reference_impl.simulation.schedule import draw, shrink

_SHOWN = 10


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
    """Return the smallest schedule found that fails as a seed's does, and what it violates."""
    smaller = shrink(draw(seed), lambda schedule: bool(run(schedule).violations))
    return {"seed": seed, "violations": run(smaller).violations, "schedule": repr(smaller)}


def main(words: list[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m reference_impl.bench.simulation", description=__doc__)
    parser.add_argument("--schedules", type=int, default=1000, help="how many seeds are run (1000)")
    parser.add_argument("--seed", type=int, default=1, help="the first of them (1)")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="how many at once")
    given = parser.parse_args(words)
    began = time.monotonic()
    seeds = range(given.seed, given.seed + given.schedules)
    if given.processes > 1 and given.schedules > 1:
        with ProcessPoolExecutor(given.processes) as pool:
            results = list(pool.map(tried, seeds, chunksize=4))
    else:
        results = [tried(seed) for seed in seeds]
    failed = [result["seed"] for result in results if result["violations"]]
    answer = {
        "benchmark": "simulation",
        "schedules": len(results),
        "first_seed": given.seed,
        "members": {"most": max(r["members"] for r in results), "all": sum(r["members"] for r in results)},
        "steps": sum(result["steps"] for result in results),
        "writes": sum(result["writes"] for result in results),
        "seconds": round(time.monotonic() - began, 1),
        "failed_seeds": failed,
        "failures": [explained(seed) for seed in failed[:_SHOWN]],
        "holds": not failed,
    }
    sys.stdout.write(json.dumps(answer, indent=1) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
