"""The built-in recipe: train a GPT on a text under watch."""

from spectrain.training.config import TrainConfig
from spectrain.training.loop import resume, train
from spectrain.training.summary import summarize
from spectrain.training.trainer import DivergenceError

__all__ = ["DivergenceError", "TrainConfig", "resume", "summarize", "train"]
