"""Orthonormalized gradients across minibatches."""
