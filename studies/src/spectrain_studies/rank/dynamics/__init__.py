"""Experiment 1: how effective rank moves through training."""
