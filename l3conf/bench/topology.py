"""The topology that benchmarks measure on: the one in the repository, or in the wheel."""

from __future__ import annotations

from pathlib import Path

TWO_CLUSTERS = Path(__file__).parents[2] / "topologies" / "two-clusters.yaml"
"""``topologies`` lies beside the package in a checkout and in a wheel alike."""
