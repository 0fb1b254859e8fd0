"""Experiment 4: rank by layer type and depth."""
