"""Experiment 2: a gradient before and after orthonormalizing."""
