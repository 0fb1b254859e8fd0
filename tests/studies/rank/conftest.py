"""A study small enough for tests: a tiny GPT, and networks on made-up images in IDX files."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spectrain_studies.rank.config import Probing, RankConfig, Task, Training
from spectrain_studies.rank.health_predictor.plan import HealthPlan

SIDE = 28


def write_idx(path: Path, array: np.ndarray) -> None:
    head = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    path.write_bytes(head + array.astype(np.uint8).tobytes())


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder of images whose class is a bright band at one of ten heights."""
    folder = tmp_path_factory.mktemp("images")
    generator = np.random.default_rng(0)
    for split, count in (("train", 300), ("t10k", 256)):
        labels = generator.integers(0, 10, count)
        pixels = generator.integers(0, 80, (count, SIDE, SIDE))
        for number, label in enumerate(labels):
            pixels[number, 2 * label + 3 : 2 * label + 6] += 150
        write_idx(folder / f"{split}-images-idx3-ubyte", pixels)
        write_idx(folder / f"{split}-labels-idx1-ubyte", labels)
    return str(folder)


@pytest.fixture(scope="session")
def tasks(images: str) -> dict[str, Task]:
    pictures: dict[str, Any] = {"images": images, "examples": 75}
    return {
        "gpt": Task("gpt", layers=1, width=8, batch=2, context=8, characters=4_000),
        "mlp": Task("mlp", layers=2, width=12, batch=16, **pictures),
        "conv": Task("conv", layers=2, width=4, batch=16, **pictures),
        "gated": Task("gated", layers=2, width=8, batch=16, **pictures),
        "mixer": Task("mixer", layers=2, width=8, batch=4, **pictures),
        "teacher": Task("teacher", layers=2, width=8, batch=16),
        "lstm": Task("lstm", layers=2, width=8, batch=2, context=8, characters=4_000),
        "ngram": Task("ngram", layers=2, width=8, batch=2, context=8, characters=4_000),
        "bag": Task("bag", layers=2, width=8, batch=2, context=8, characters=4_000),
        "linear": Task("linear", layers=2, width=8, batch=16, **pictures),
        "rare": Task("rare", layers=1, width=8, batch=16),
    }


@pytest.fixture(scope="session")
def tiny(tasks: dict[str, Task]) -> RankConfig:
    """All experiments, in seconds."""
    return RankConfig(
        gpt=tasks["gpt"],
        mlp=tasks["mlp"],
        conv=tasks["conv"],
        health=HealthPlan(
            kinds=("mlp", "gated", "teacher", "ngram", "conv"),
            shapes=((1, 8, 8), (2, 8, 8)),
            steps=12,
            early=0.5,
            samples=2,
            seeds=2,
            sizes=(1e-3, 1e-2, 1e-1),
            held_out=1,
            draws=50,
        ),
        deep=replace(tasks["gpt"], layers=3),
        training=Training(steps=6, samples=6, seeds=2, tuning_seeds=1, sizes=(1e-3, 1e-2)),
        image_seeds=2,
        mlp_seeds=2,
        probing=Probing(
            seeds=2,
            steps=4,
            stages=(0.5, 1.0),
            iterations=(1, 5),
            minibatches=4,
            lengths=4,
        ),
    )
