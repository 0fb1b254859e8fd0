"""Experiment 3: what becomes of learning when the rank is changed on purpose."""
