"""Measurements against redis-server: see docs/benchmarks.md. Needs only the standard library."""
