"""The topologies that benchmarks measure on: those in the repository, or in the wheel."""

from __future__ import annotations

from pathlib import Path

_TOPOLOGIES = Path(__file__).parents[2] / "topologies"
"""``topologies`` lies beside the package in a checkout and in a wheel alike."""
TWO_CLUSTERS = _TOPOLOGIES / "two-clusters.yaml"
IDENTICAL_RANGES = _TOPOLOGIES / "identical-ranges.yaml"
TWO_GATEWAYS = _TOPOLOGIES / "two-gateways.yaml"
TWELVE_CLUSTERS = _TOPOLOGIES / "twelve-clusters.yaml"
THREE_TO_SOAK = _TOPOLOGIES / "three-to-soak.yaml"
