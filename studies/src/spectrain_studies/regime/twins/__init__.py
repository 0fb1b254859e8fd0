"""Noise twins of the optimizers against theory."""
