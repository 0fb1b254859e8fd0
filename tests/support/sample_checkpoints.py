"""Small valid checkpoints of every format, for tests."""

from __future__ import annotations

import json
import os
import struct
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed.checkpoint as dcp
from safetensors.torch import save_file
from torch import Tensor

from spectrain.checkpoint import Stored


def weights(seed: int = 0) -> dict[str, Tensor]:
    """A few tensors of several shapes and dtypes."""
    g = torch.Generator().manual_seed(seed)
    return {
        "layers.0.attn.q_proj.weight": torch.randn(6, 4, generator=g),
        "layers.0.mlp.up_proj.weight": torch.randn(8, 4, generator=g).bfloat16(),
        "layers.0.norm.weight": torch.ones(4),
        "conv.weight": torch.randn(3, 2, 3, 3, generator=g).half(),
        "steps": torch.tensor(7),
    }


def save_safetensors(path: Path, tensors: Mapping[str, Tensor] | None = None) -> Path:
    save_file(dict(weights() if tensors is None else tensors), path)
    return path


def save_torch(path: Path, saved: Any = None, *, legacy: bool = False) -> Path:
    torch.save(
        weights() if saved is None else saved, path, _use_new_zipfile_serialization=not legacy
    )
    return path


def save_sharded(folder: Path) -> Path:
    folder.mkdir()
    items = list(weights().items())
    places = {}
    for number, part in enumerate((items[:2], items[2:]), start=1):
        name = f"model-{number:05d}-of-00002.safetensors"
        save_file(dict(part), folder / name)
        places.update(dict.fromkeys(dict(part), name))
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": places}))
    return folder


def save_distributed(folder: Path, saved: Any = None) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dcp.save({"model": weights()} if saved is None else saved, checkpoint_id=folder)
    return folder


def save_gguf(path: Path, tensors: Mapping[str, np.ndarray] | None = None) -> Path:
    import gguf

    writer = gguf.GGUFWriter(path, "llama")
    writer.add_array("tokenizer.ggml.tokens", ["a", "b"])
    writer.add_array("numbers", [1, 2, 3])
    rng = np.random.default_rng(0)
    block = rng.standard_normal((4, 64)).astype(np.float32)
    quantized = gguf.quants.quantize(block, gguf.GGMLQuantizationType.Q8_0)
    if tensors is None:
        writer.add_tensor("blk.0.ffn_up.weight", block)
        kind = gguf.GGMLQuantizationType.Q8_0
        writer.add_tensor("blk.0.ffn_down.weight", quantized, raw_dtype=kind)
    for name, tensor in (tensors or {}).items():
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def raw_safetensors(path: Path, header: Any, data: bytes = b"") -> Path:
    """A safetensors file with any header at all."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


class Malicious:
    """Touches a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {self.target}",)


def dense(stored: Stored) -> torch.Tensor:
    """What is no product of factors."""
    loaded = stored.load()
    assert isinstance(loaded, torch.Tensor)
    return loaded
