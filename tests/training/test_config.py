import json
from pathlib import Path

import pytest

from spectrain.core import InputError
from spectrain.training import TrainConfig


def test_settings_survive_the_manifest():
    config = TrainConfig(optimizer="muon", layers=2, clip=0.5, seed=7, out=Path("here"))
    data = json.loads(json.dumps(config.to_dict() | {"corpus": {}, "parameters": 3}))
    assert "out" not in data
    assert TrainConfig.from_dict(data, out=Path("here")) == config


def test_overrides_reach_the_model():
    shape = TrainConfig(preset="nanogpt", width=32, activation="gelu").model(50)
    assert (shape.vocabulary, shape.width, shape.activation) == (50, 32, "gelu")
    assert (shape.layers, shape.norm) == (4, "layernorm")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 0}, "steps is 0; pass a positive number"),
        ({"learning_rate": -1.0}, r"learning_rate is -1\.0"),
        ({"every": 0}, "every is 0"),
        ({"clip": -0.1}, r"clip is -0\.1; pass 0 or more"),
        ({"warmup": 1.5}, r"warmup is 1\.5; pass a share"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_settings_out_of_range_are_named(settings, message):
    with pytest.raises(InputError, match=message):
        TrainConfig(**settings)
