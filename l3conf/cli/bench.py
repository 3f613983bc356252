"""``l3conf bench``: benchmarks whose figures are ratios wherever a rival can be run beside."""

from __future__ import annotations

import click

from l3conf.bench.cables import cables
from l3conf.bench.calm import calm
from l3conf.bench.certify import certify
from l3conf.bench.churn import churn
from l3conf.bench.connect import connect
from l3conf.bench.crowd import crowd
from l3conf.bench.detection import detection
from l3conf.bench.failover import failover
from l3conf.bench.grounds import grounds
from l3conf.bench.kills import kills
from l3conf.bench.lab import lab
from l3conf.bench.mesh import mesh
from l3conf.bench.outages import outages
from l3conf.bench.policies import policies
from l3conf.bench.probes import probes
from l3conf.bench.soak import soak
from l3conf.bench.translated import translated


@click.group()
def bench() -> None:
    """Measure labs and probes."""


_SETS = (connect, detection, calm, outages, mesh, churn, policies, translated, crowd, kills, failover, soak)
"""What is measured on whole cluster sets."""
for command in (lab, probes, cables, *_SETS, certify, grounds):
    bench.add_command(command)
