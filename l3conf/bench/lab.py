"""``l3conf bench lab``: the fabric against the physical limit and against Mininet, and the whole lab by the clock.

All runs of a round follow each other, in an order that turns from round to round, with a pause between them: the
kernel takes namespaces down in its own time, and building meanwhile is three times slower.
"""

from __future__ import annotations

import functools
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from l3conf.bench.comparison import Bar, Comparison
from l3conf.bench.runners import KernelLimit, UnavailableError, run_fabric, run_lab, run_mininet
from l3conf.cli.printing import print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CLUSTERS, NODES, PODS = 2, 3, 4
MININET_PODS = 50
ROUNDS = 5
SETTLE = 1.0
"""Seconds between runs: the clean-up of the largest one takes about 0.3 s."""

_SIZE = f"{CLUSTERS} clusters x {NODES} nodes x {PODS} pods"


@click.command()
@click.option("--rounds", type=click.IntRange(1, 100), default=ROUNDS, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def lab(*, rounds: int, as_json: bool) -> None:
    """Measure how quickly labs come and go, against C and Mininet."""
    with tempfile.TemporaryDirectory() as directory:
        results = measure(rounds, Path(directory))
    if as_json:
        print_json({"benchmark": "lab", "rounds": rounds, "results": [result.to_json() for result in results]})
        return
    columns = ("benchmark", "median", "baseline", "ratio", "bar", "")
    print_table(columns, [result.to_row() for result in results], styles={"holds": "green", "misses": "red"})


def measure(rounds: int, directory: Path) -> list[Comparison]:
    """Make all runs ``rounds`` times, interleaved."""
    results, steps = _plan(directory)
    for number in range(rounds):
        turn = number % len(steps)
        for step in (*steps[turn:], *steps[:turn]):
            if step.make():
                time.sleep(SETTLE)
    return results


@dataclass(frozen=True, slots=True)
class _Step:
    """One kind of run, and where its figures belong."""

    run: Callable[[], Mapping[str, float]]
    figures: Mapping[str, list[float]]
    """A list that grows by one figure a round, by the figure's name in the run's answer."""
    concerns: tuple[Comparison, ...]
    """What cannot be measured without this run."""

    def make(self) -> bool:
        """Run, unless nothing can come of it any more; tell whether something ran."""
        if all(comparison.unavailable for comparison in self.concerns):
            return False
        try:
            answer = self.run()
        except UnavailableError as error:
            for comparison in self.concerns:
                comparison.unavailable = str(error)
            return False
        for name, figures in self.figures.items():
            figures.append(answer[name])
        return True


def _plan(directory: Path) -> tuple[list[Comparison], list[_Step]]:
    limit = Comparison(name="fabric / C", what=f"{_SIZE}, against the same graph in C", bar=Bar(limit=1.5, of="ratio"))
    rival = Comparison(
        name="fabric / Mininet", what=f"{MININET_PODS} pods, one bridge", bar=Bar(limit=10, of="speedup")
    )
    close = Comparison(name="fabric teardown", what=f"letting go of {_SIZE}", bar=Bar(limit=50, of="median"))
    ready = Comparison(
        name="lab ready", what=f"from l3conf lab up until {_SIZE} run", bar=Bar(limit=2.5, of="median"), unit="s"
    )
    end = Comparison(name="lab teardown", what="the call that ends that lab", bar=Bar(limit=50, of="median"))
    size = CLUSTERS, NODES, PODS
    own = {"build_ms": limit.measured, "teardown_ms": close.measured}
    whole = {"ready_s": ready.measured, "teardown_ms": end.measured}
    program = functools.cache(functools.partial(KernelLimit.compile, directory))
    fabric = _Step(lambda: run_fabric(*size), own, (limit, close))
    in_c = _Step(lambda: program().run(*size), {"milliseconds": limit.baseline}, (limit,))
    steps = [
        *(fabric, in_c, in_c, fabric, fabric, in_c),  # 40 ms each: three a round, or one busy moment decides
        _Step(lambda: run_fabric(1, 1, MININET_PODS), {"build_ms": rival.measured}, (rival,)),
        _Step(lambda: run_mininet(MININET_PODS), {"build_ms": rival.baseline}, (rival,)),
        _Step(lambda: run_lab(*size, directory), whole, (ready, end)),
    ]
    return [limit, rival, close, ready, end], steps
