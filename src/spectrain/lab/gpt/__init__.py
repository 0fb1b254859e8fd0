"""The GPT of the studies: configuration, presets, model."""

from spectrain.lab.gpt.config import PRESETS, GPTConfig, preset
from spectrain.lab.gpt.initialize import initialize
from spectrain.lab.gpt.model import GPT

__all__ = ["GPT", "PRESETS", "GPTConfig", "initialize", "preset"]
