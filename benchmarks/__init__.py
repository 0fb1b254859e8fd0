"""Benchmarks: ratios measured in one run, A and B interleaved."""
