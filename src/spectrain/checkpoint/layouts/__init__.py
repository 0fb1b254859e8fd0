"""One registered file a layout of folders: which files make up a checkpoint, and how.

The order of the imports is that in which they are tried.
"""

# isort: off
from spectrain.checkpoint.layouts import distributed, deepspeed, megatron, consolidated
from spectrain.checkpoint.layouts import hugging_face, pipeline, inner

# isort: on
from spectrain.checkpoint.layouts.registry import LAYOUTS, Layout, layout

__all__ = [
    "LAYOUTS",
    "Layout",
    "consolidated",
    "deepspeed",
    "distributed",
    "hugging_face",
    "inner",
    "layout",
    "megatron",
    "pipeline",
]
