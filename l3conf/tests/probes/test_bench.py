"""``l3conf bench probes`` measures what it says, or fails."""

from __future__ import annotations

import json

from click.testing import CliRunner

from l3conf.bench.probes import probes


def test_the_benchmark_prints_a_rate_per_protocol() -> None:
    done = CliRunner().invoke(probes, ["--pods", "3", "--json"], catch_exceptions=False)
    answer = json.loads(done.output)
    assert (answer["pods"], answer["pairs"]) == (3, 6)
    assert set(answer["checks_per_second"]) == {"udp", "tcp", "icmp"}
    assert all(rate > 0 for rate in answer["checks_per_second"].values())


def test_a_single_pod_makes_no_pair() -> None:
    done = CliRunner().invoke(probes, ["--pods", "1"])
    assert done.exit_code == 2
    assert "pods" in done.output
