"""Situations in which checkpoints are met, each made in a folder; what is said of each is a table.

``python -m support.situations`` in ``tests/`` writes the table of the documentation anew.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import re
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils import prune

from spectrain.checkpoint import open_checkpoint
from spectrain.checkpoint.content import content_of
from spectrain.checkpoint.finite import not_finite
from spectrain.checkpoint.measure import measure_stored
from spectrain.core import InputError
from support.adapter_cases import ALONE, CASES
from support.quantized_formats import FORMATS, UNKNOWN
from support.sample_checkpoints import (
    Malicious,
    raw_safetensors,
    save_distributed,
    save_gguf,
    save_safetensors,
    save_sharded,
    save_torch,
)

PAGE = Path(__file__).parents[2] / "docs" / "situations.md"
Make = Callable[[Path], Path]


def model(seed: int = 0) -> dict[str, Tensor]:
    """Two layers of an MLP with a norm."""
    g = torch.Generator().manual_seed(seed)
    return {
        f"layers.{layer}.{name}.weight": torch.randn(shape, generator=g)
        for layer in range(2)
        for name, shape in {"mlp.up_proj": (16, 8), "mlp.down_proj": (8, 16), "norm": (8,)}.items()
    }


def adam() -> dict[str, Any]:
    """State of Adam after a step."""
    weight = torch.nn.Parameter(torch.ones(3, 2))
    optimizer = torch.optim.AdamW([weight])
    weight.square().sum().backward()
    optimizer.step()
    return optimizer.state_dict()


def _torch(saved: Callable[[], Any], **how: Any) -> Make:
    return lambda folder: save_torch(folder / "model.pt", saved(), **how)


def _bytes(name: str, content: bytes) -> Make:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return make


def _bytes_in(name: str, content: bytes) -> Make:
    return lambda folder: _bytes(name, content)(folder).parent


def _tensors(tensors: Callable[[], dict[str, Tensor]]) -> Make:
    def make(folder: Path) -> Path:
        plain = {name: tensor.contiguous() for name, tensor in tensors().items()}
        return save_safetensors(folder / "model.safetensors", plain)

    return make


def _npz(folder: Path) -> Path:
    np.savez(folder / "weights.npz", w=np.ones((3, 2)))
    return folder / "weights.npz"


def _fifo(folder: Path) -> Path:
    os.mkfifo(folder / "model.safetensors")
    return folder / "model.safetensors"


def _step(inner: str) -> Make:
    def make(folder: Path) -> Path:
        (folder / "run" / inner).mkdir(parents=True)
        save_safetensors(folder / "run" / inner / "model.safetensors", model())
        return folder / "run"

    return make


def _accelerate(folder: Path) -> Path:
    save_distributed(folder / "pytorch_model_fsdp_0", {"model": model()})
    save_distributed(folder / "optimizer_0", {"optimizer": adam()["state"][0]})
    return folder


def _megatron(stages: bool) -> Make:
    def make(folder: Path) -> Path:
        for rank in range(2):
            part = (
                folder / "iter_0000100" / (f"mp_rank_00_00{rank}" if stages else f"mp_rank_0{rank}")
            )
            part.mkdir(parents=True)
            weights = {
                f"decoder.layers.0.{name}.weight": torch.randn(8, 4)
                for name in ("mlp.linear_fc1", "mlp.linear_fc2")
            }
            save_torch(part / "model_optim_rng.pt", {"model": weights, "iteration": 100})
        return folder / "iter_0000100"

    return make


def _experts(folder: Path) -> Path:
    for rank in range(2):
        part = folder / "iter_0000100" / f"mp_rank_00_000_00{rank}"
        part.mkdir(parents=True)
        experts = {
            f"decoder.layers.0.mlp.experts.local_experts.{n}.linear_fc1.weight": torch.randn(8, 4)
            for n in range(2)
        }
        weights = {**experts, "decoder.layers.0.self_attention.linear_proj.weight": torch.eye(4)}
        save_torch(part / "model_optim_rng.pt", {"model": weights, "iteration": 100})
    return folder / "iter_0000100"


def _lightning(folder: Path) -> Path:
    save_distributed(folder / "d", {"model": model(), "optimizer_0": adam()["state"][0]})
    save_torch(folder / "d" / "meta.pt", {"global_step": 7})
    return folder / "d"


def _rank_files(folder: Path) -> Path:
    for rank in range(2):
        save_torch(folder / f"model_world_size_2_rank_{rank}.pt", model())
    return folder


def _llama(folder: Path) -> Path:
    for rank in range(2):
        weights = {
            "layers.0.attention.wq.weight": torch.randn(4, 8),
            "layers.0.attention.wo.weight": torch.randn(8, 4),
            "tok_embeddings.weight": torch.randn(12, 4),
            "norm.weight": torch.ones(8),
        }
        save_torch(folder / f"consolidated.0{rank}.pth", weights)
    return folder


def _deepspeed(stage: int, *, complete: bool = True) -> Make:
    def make(folder: Path) -> Path:
        place = folder / "global_step7"
        place.mkdir()
        (folder / "latest").write_text("global_step7")
        weights = model()
        if stage < 3:
            save_torch(place / "mp_rank_00_model_states.pt", {"module": weights, "global_steps": 7})
            return folder
        for rank in range(2):
            shapes = [{name: weight.shape for name, weight in weights.items()}]
            empty = {name: torch.empty(0) for name in weights}
            states = {"module": empty, "param_shapes": shapes, "global_steps": 7}
            save_torch(place / f"zero_pp_rank_{rank}_mp_rank_00_model_states.pt", states)
            parts = [weight.flatten().chunk(2)[rank] for weight in weights.values()]
            state: dict[str, Any] = {"zero_stage": 3, "fp32_flat_groups": [torch.cat(parts)]}
            if complete:
                state["partition_count"] = 2
            name = f"zero_pp_rank_{rank}_mp_rank_00_optim_states.pt"
            save_torch(place / name, {"optimizer_state_dict": state})
        return folder

    return make


def _diffusers(folder: Path) -> Path:
    (folder / "model_index.json").write_text("{}")
    for part in ("unet", "vae"):
        (folder / part).mkdir()
        save_safetensors(folder / part / "diffusion_pytorch_model.safetensors", model())
    return folder


def _lost_shard(folder: Path) -> Path:
    place = save_sharded(folder / "s")
    (place / "model-00002-of-00002.safetensors").unlink()
    return place


def _escaping_index(folder: Path) -> Path:
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"w": "../../secret.safetensors"}}))
    return folder


def _evil(folder: Path) -> Path:
    saved = {"model": model(), "extra": Malicious(folder / "touched")}
    return save_torch(folder / "model.pt", saved)


def _not_finite(name: str, value: float) -> Make:
    def make(folder: Path) -> Path:
        tensors = model() | {name: torch.full((8,), value)}
        return save_safetensors(folder / "model.safetensors", tensors)

    return make


def _quantized(kind: str) -> Make:
    def make(folder: Path) -> Path:
        tensors, config, _ = FORMATS[kind]()
        (folder / "config.json").write_text(json.dumps(config))
        plain = {name: tensor.contiguous() for name, tensor in tensors.items()}
        save_safetensors(folder / "model.safetensors", plain)
        return folder

    return make


def _adapter(tensors: Callable[[], dict[str, Tensor]], config: dict[str, Any]) -> Make:
    def make(folder: Path) -> Path:
        save_safetensors(folder / "adapter_model.safetensors", tensors())
        (folder / "adapter_config.json").write_text(json.dumps(config))
        return folder

    return make


def _factors(kind: str) -> dict[str, Tensor]:
    return CASES[kind]()[0]


def _dora() -> dict[str, Tensor]:
    tensors, _, _ = CASES["LoRA of PEFT"]()
    return tensors | {"base_model.model.layers.0.q_proj.lora_magnitude_vector": torch.ones(8)}


def _prefixed(prefix: str) -> Callable[[], Any]:
    return lambda: {f"{prefix}{name}": weight for name, weight in model().items()}


SITUATIONS: dict[str, Make] = {
    "safetensors": _tensors(model),
    "safetensors in shards with an index": lambda folder: save_sharded(folder / "s"),
    "a shard is gone": _lost_shard,
    "an index that leaves its folder": _escaping_index,
    "GGUF": lambda folder: save_gguf(folder / "m.gguf"),
    "torch.save": _torch(model),
    "torch.save before 1.6": _torch(model, legacy=True),
    "a whole module": _torch(lambda: torch.nn.Linear(4, 3)),
    "saved through DistributedDataParallel": _torch(_prefixed("module.")),
    "saved compiled": _torch(_prefixed("_orig_mod.")),
    "model and optimizer": _torch(lambda: {"model": model(), "optimizer": adam()}),
    "encoder and optimizer": _torch(lambda: {"encoder": model(), "optimizer": adam()}),
    "a GAN": _torch(lambda: {"G": model(), "D": model(1), "optG": adam(), "optD": adam()}),
    "model and moving average": _torch(lambda: {"model": model(), "ema": model(1)}),
    "a moving average alone": _torch(lambda: {"ema": model()}),
    "student and teacher": _torch(lambda: {"student": model(), "teacher": model(1)}),
    "nanoGPT's counter": _torch(lambda: {"model": model(), "iter_num": 7}),
    "Lightning's counter": _torch(lambda: {"state_dict": model(), "global_step": 7}),
    "averages under names with dots": _tensors(
        lambda: {**model(), **{f"model_ema.{name}": w for name, w in model(1).items()}}
    ),
    "a teacher under names with dots": _tensors(
        lambda: {f"{part}.{n}": w for part in ("student", "teacher") for n, w in model().items()}
    ),
    "actor, critic and their targets": _torch(
        lambda: {part: model() for part in ("actor", "critic", "actor_target", "critic_target")}
    ),
    "momentum contrast": _torch(
        lambda: {
            "state_dict": {
                f"module.encoder_{side}.{name}": weight
                for side in "qk"
                for name, weight in model().items()
            }
        }
    ),
    "moments without param_groups": _torch(
        lambda: {"G": model(), "adam": {"exp_avg": [torch.ones(4, 4)]}}
    ),
    "fairseq's history": _torch(
        lambda: {"model": model(), "optimizer_history": [{"num_updates": 7}]}
    ),
    "spectral norm": _torch(
        lambda: torch.nn.utils.parametrizations.spectral_norm(torch.nn.Linear(8, 6)).state_dict()
    ),
    "spectral norm of older torch": _torch(
        lambda: torch.nn.utils.spectral_norm(torch.nn.Linear(8, 6)).state_dict()
    ),
    "a pruned layer": _torch(
        lambda: prune.l1_unstructured(torch.nn.Linear(8, 6), "weight", 0.5).state_dict()
    ),
    "an orthogonal layer": _torch(
        lambda: torch.nn.utils.parametrizations.orthogonal(torch.nn.Linear(8, 6)).state_dict()
    ),
    "NumPy's generators": _torch(lambda: {"model": model(), "rng": np.random.default_rng(0)}),
    "argparse.Namespace": _torch(lambda: {"model": model(), "args": argparse.Namespace(lr=0.1)}),
    "NumPy's numbers": _torch(lambda: {"model": model(), "best": np.float64(0.7)}),
    "pathlib": _torch(lambda: {"model": model(), "place": Path("a/b")}),
    "a pickle that runs code": _evil,
    "torch.distributed.checkpoint": lambda folder: save_distributed(folder / "d"),
    "torchtitan": lambda folder: save_distributed(
        folder / "step-7", {**model(), "optimizer": {"state": {"w": {"exp_avg": torch.ones(2, 2)}}}}
    ),
    "a stateful application": lambda folder: save_distributed(
        folder / "step-7", {"app": {"model": model(), "optim": adam()["state"][0]}}
    ),
    "Accelerate with FSDP": _accelerate,
    "a run of one step": _step("checkpoint-10"),
    "Megatron, tensor-parallel": _megatron(False),
    "Megatron, pipeline-parallel": _megatron(True),
    "Megatron, expert-parallel": _experts,
    "Lightning with FSDP": _lightning,
    "shards of FSDP": _rank_files,
    "a table that is gone": _bytes_in("__0_0.distcp", b"abc"),
    "consolidated slices of Llama": _llama,
    "DeepSpeed, ZeRO-2": _deepspeed(2),
    "DeepSpeed, ZeRO-3": _deepspeed(3),
    "DeepSpeed, ZeRO-3, incomplete": _deepspeed(3, complete=False),
    "a pipeline of Diffusers": _diffusers,
    "NaN in a bias": _not_finite("layers.0.mlp.up_proj.bias", float("nan")),
    "Inf in a layer scale": _not_finite("layers.0.layer_scale", float("inf")),
    **{
        f"quantized: {kind}": _quantized(kind)
        for kind in FORMATS
        if "fp8" not in kind or " by " in kind or "DeepSeek" in kind
    },
    "quantized: fp8 with weight_scale_inv": _quantized("fp8 weight_scale_inv (2, 3)"),
    "quantized: fp8 with scale_weight": _quantized("fp8 scale_weight (1,)"),
    "quantized: fp8 by rows": _quantized("fp8 weight_scale (200, 1)"),
    "quantized: fp8 without a scale": _tensors(
        lambda: {"w.weight": torch.ones(4, 4).to(torch.float8_e4m3fn)}
    ),
    **{f"not understood: {kind}": _tensors(partial(UNKNOWN.__getitem__, kind)) for kind in UNKNOWN},
    **{f"adapter: {kind}": _adapter(partial(_factors, kind), CASES[kind]()[1]) for kind in CASES},
    "adapter: DoRA": _adapter(_dora, {"lora_alpha": 6, "use_dora": True}),
    **{f"adapter: {kind}": _adapter(partial(ALONE.__getitem__, kind), {}) for kind in ALONE},
    "a pointer of Git LFS": _bytes(
        "model.safetensors", b"version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 9\n"
    ),
    "a page of HTML": _bytes("model.bin", b"<!DOCTYPE html><html>please log in</html>"),
    "NumPy's npz": _npz,
    "HDF5 of Keras": _bytes("model.h5", b"\x89HDF\r\n\x1a\n" + bytes(40)),
    "ONNX": _bytes("model.onnx", b"\x08\x07\x12\x07pytorch"),
    "msgpack of Flax": _bytes("flax_model.msgpack", b"\x82\xa6params"),
    "Core ML": _bytes("model.mlmodel", b"\x08\x05"),
    "a checkpoint of TensorFlow": _bytes("model.ckpt-7.index", b"\0\0"),
    "MXNet": _bytes("model.params", b"\x12\x01\0\0\0\0\0\0" + bytes(8)),
    "TensorRT": _bytes("model.engine", b"ftrt" + bytes(8)),
    "a server's error": _bytes("model.safetensors", b'{"error": "not found"}'),
    "a compressed archive": _bytes("model.bin", gzip.compress(b"weights")),
    "cut short": _bytes("model.safetensors", b"\x10\x27\0\0\0\0\0\0{"),
    "a header that lies": lambda folder: raw_safetensors(
        folder / "m.safetensors", {"w": {"dtype": "F32", "shape": [4, 4], "data_offsets": [0, 8]}}
    ),
    "a named pipe": _fifo,
    "nothing there": lambda folder: folder / "absent.safetensors",
    "an empty folder": lambda folder: folder,
}


def outcome(make: Make, folder: Path) -> str:
    """What is said of a situation: read, read with something missing, or refused, and why."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = make(folder)
        try:
            content = content_of(open_checkpoint(path))
        except InputError as error:
            return f"refused: {_plain(str(error), folder)}"
    missing = [
        f"{skip.parameter}: {skip.reason}" for skip in (*not_finite([content]), *content.missing)
    ]
    measured = 0
    for stored, blocks in content.tasks():
        found = measure_stored(stored, blocks, 0)
        norms = [row for row in found.records if row.measure == "frobenius_norm"]
        measured += sum(row.value is not None for row in norms)
        missing += [f"{row.block}: {row.reason}" for row in norms if row.value is None]
    checkpoint = content.checkpoint
    step = "" if checkpoint.step is None else f", step {checkpoint.step}"
    said = f"{checkpoint.format}{step}: {measured} blocks"
    beside = sum(skip.reason.startswith("beside") for skip in checkpoint.skipped)
    said += f", {beside} tensors beside the model" if beside else ""
    notes = {stored.note for stored in checkpoint.tensors if stored.note} | set(checkpoint.notes)
    said += f"; {'; '.join(sorted(notes))}" if notes else ""
    return said + (f"; missing {_plain(missing[0], folder)}" if missing else "")


def _plain(text: str, folder: Path) -> str:
    short = re.sub(r"\s+", " ", text.replace(f"{folder}/", "").replace(str(folder), "FOLDER"))
    return short.replace("|", "\\|")


def rows() -> Iterator[str]:
    """The table, row by row."""
    for name, make in SITUATIONS.items():
        with TemporaryDirectory() as folder:
            yield row(name, outcome(make, Path(folder)))


def row(name: str, said: str) -> str:
    """A row of the table."""
    return f"| {name} | {said} |"


def write() -> None:
    """Write the table of the documentation."""
    head = PAGE.read_text(encoding="utf-8").partition("| what lies there")[0]
    lines = ["| what lies there | what `spectrain inspect` makes of it |", "|---|---|", *rows()]
    PAGE.write_text(head + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write()
