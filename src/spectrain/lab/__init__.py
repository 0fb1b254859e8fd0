"""Models and data of the studies."""

from spectrain.lab.corpus import Corpus, load_corpus
from spectrain.lab.gpt import GPT, PRESETS, GPTConfig, preset

__all__ = ["GPT", "PRESETS", "Corpus", "GPTConfig", "load_corpus", "preset"]
