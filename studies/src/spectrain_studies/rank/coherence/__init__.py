"""Experiment 5: how reproducible gradients are."""
