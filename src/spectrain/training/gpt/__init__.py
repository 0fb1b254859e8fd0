"""The GPT of the studies: configuration, presets, model."""

from spectrain.training.gpt.config import PRESETS, GPTConfig, preset
from spectrain.training.gpt.initialize import initialize
from spectrain.training.gpt.model import GPT

__all__ = ["GPT", "PRESETS", "GPTConfig", "initialize", "preset"]
