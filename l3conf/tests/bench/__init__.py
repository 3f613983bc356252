"""Benchmarks: their arithmetic, and that they run and leave nothing. No time is asserted."""
