"""One registered file a format; each turns a path into a checkpoint without reading its tensors."""

from spectrain.checkpoint.readers import gguf, safetensors, torch_file
from spectrain.checkpoint.readers.registry import HEAD, READERS, Reader, reader

__all__ = ["READERS", "Reader", "reader"]
