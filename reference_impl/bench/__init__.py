"""Benchmarks of what no lab sees from outside, as programs that print JSON: ``python -m reference_impl.bench.NAME``."""
