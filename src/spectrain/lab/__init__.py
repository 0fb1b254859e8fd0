"""Models and data of the studies."""

from spectrain.lab.corpus import Corpus, load_corpus
from spectrain.lab.gpt import GPT, PRESETS, GPTConfig, preset
from spectrain.lab.images import Images, load_images

__all__ = [
    "GPT",
    "PRESETS",
    "Corpus",
    "GPTConfig",
    "Images",
    "load_corpus",
    "load_images",
    "preset",
]
