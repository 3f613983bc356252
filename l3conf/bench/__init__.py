"""Benchmarks of labs and probes: ``l3conf bench``."""
