"""Benchmarks: one question a file, both sides alternating in one run."""
