"""The demo's training: small enough for a laptop, large enough to learn something."""

from __future__ import annotations

from spectrain.training.config import TrainConfig

DEMO = TrainConfig(
    text="python",
    preset="modern",
    width=64,
    batch_size=32,
    steps=1200,
    evaluate_every=200,
    checkpoint_every=400,
)
"""A four-layer GPT on the sources of Python's standard library."""
