"""Small trainings that can be driven until they diverge."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer

from spectrain.training.corpus import Corpus, load_corpus
from spectrain.training.gpt import GPT, GPTConfig
from spectrain_studies.models.images import Images, load_images

TEXT, CHARACTERS = "python", 100_000
PIXELS, CLASSES = 64, 10


@dataclass(frozen=True)
class Drive:
    """What is done to a training.

    Attributes:
        name: short.
        healthy: whether it should do no harm.
        rate: factor on the usual learning rate.
        warmup: share of the steps over which the rate rises to its peak.
        ramp: whether it rises exponentially through the whole run, from the usual rate to the peak.
        batch: factor on the usual batch.
        epsilon: of Adam's denominator.
        decay: whether weights decay.
    """

    name: str
    healthy: bool = False
    rate: float = 1.0
    warmup: float = 0.1
    ramp: bool = False
    batch: float = 1.0
    epsilon: float = 1e-8
    decay: bool = True

    def factor(self, step: int, steps: int) -> float:
        """On the usual rate, at a step."""
        if self.ramp:
            return float(self.rate ** (step / steps))
        return self.rate * min(1.0, (step + 1) / max(1.0, self.warmup * steps))


DRIVES = (
    Drive("base", healthy=True),
    Drive("half the rate", healthy=True, rate=0.5),
    Drive("twice the batch", healthy=True, batch=2.0),
    Drive("a third of warm-up", healthy=True, warmup=1 / 3),
    Drive("rate × 4", rate=4.0),
    Drive("rate × 8", rate=8.0),
    Drive("rate × 16, no warm-up", rate=16.0, warmup=0.0),
    Drive("rate × 16, ε of 1e-15", rate=16.0, epsilon=1e-15),
    Drive("rate rising to × 32", rate=32.0, ramp=True),
    Drive("rate rising to × 64, a quarter of the batch", rate=64.0, ramp=True, batch=0.25),
    Drive("rate rising to × 128", rate=128.0, ramp=True),
    Drive("rate rising to × 128, no decay", rate=128.0, ramp=True, decay=False),
)
"""What is done: four that should do no harm, and eight that are to."""


@dataclass(frozen=True)
class Training:
    """A model with what trains it.

    Attributes:
        model: what is watched.
        optimizers: of its parameters.
        loss: of a batch of so many examples.
        batch: the usual number.
    """

    model: nn.Module
    optimizers: tuple[Optimizer, ...]
    loss: Callable[[int, torch.Generator], Tensor]
    batch: int


class Half(nn.Module):
    """Rounds to half precision, forward and back, as a layer does that computes in it."""

    def forward(self, x: Tensor) -> Tensor:
        """The same values as float16 has them: not finite beyond 65,504."""
        return x.half().to(x.dtype)


class Residual(nn.Module):
    """x + W₂ relu(W₁ x), without a norm."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.into = nn.Linear(width, 2 * width)
        self.out = nn.Linear(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """The stream after it."""
        return x + self.out(functional.relu(self.into(x)))


class Encoder(nn.Module):
    """An encoder over the eight rows of an image, normalised after each residual sum."""

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.embed = nn.Linear(8, width)
        self.place = nn.Parameter(torch.zeros(8, width))
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(width, 4, 2 * width, dropout=0.0, batch_first=True)
            for _ in range(layers)
        )
        self.head = nn.Linear(width, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of the classes."""
        x = self.embed(x.unflatten(1, (8, 8))) + self.place
        for layer in self.layers:
            x = layer(x)
        return self.head(x.mean(1))


@cache
def _corpus() -> Corpus:
    return load_corpus(TEXT, characters=CHARACTERS)


@cache
def _digits() -> Images:
    return load_images("digits")


def _seeded(make: Callable[[], nn.Module], seed: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()


def _language(model: GPT) -> Callable[[int, torch.Generator], Tensor]:
    def loss(batch: int, generator: torch.Generator) -> Tensor:
        context = model.config.context
        inputs, targets = _corpus().batch("train", size=batch, context=context, generator=generator)
        return model.loss(inputs, targets)

    return loss


def _images(model: nn.Module) -> Callable[[int, torch.Generator], Tensor]:
    pixels = (_digits().flat - 0.3) / 0.37
    labels = _digits().labels

    def loss(batch: int, generator: torch.Generator) -> Tensor:
        drawn = torch.randint(len(pixels), (batch,), generator=generator)
        return functional.cross_entropy(model(pixels[drawn]), labels[drawn])

    return loss


def _adamw(model: nn.Module, rate: float, drive: Drive) -> tuple[Optimizer, ...]:
    decay = 0.1 if drive.decay else 0.0
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=rate, betas=(0.9, 0.95), eps=drive.epsilon, weight_decay=decay
    )
    return (optimizer,)


def _gpt(context: int, seed: int) -> GPT:
    """With layer norms, learned positions and no QK norm; its attention forms its logits."""
    shape = GPTConfig(
        vocabulary=len(_corpus().alphabet),
        layers=2,
        heads=2,
        width=16,
        context=context,
        bias=True,
        eager_attention=True,
    )
    return GPT(shape, generator=torch.Generator().manual_seed(seed))


def gpt_adamw(drive: Drive, seed: int) -> Training:
    """A GPT under AdamW."""
    model = _gpt(16, seed)
    return Training(model, _adamw(model, 1e-2, drive), _language(model), 4)


def long_adamw(drive: Drive, seed: int) -> Training:
    """A GPT of four times the context under AdamW."""
    model = _gpt(64, seed)
    return Training(model, _adamw(model, 1e-2, drive), _language(model), 2)


def gpt_muon(drive: Drive, seed: int) -> Training:
    """A GPT whose hidden matrices are Muon's and do not decay, all else AdamW's."""
    model = _gpt(16, seed)
    hidden = [p for name, p in model.named_parameters() if "blocks" in name and p.ndim == 2]
    others = {id(p) for p in hidden}
    rest = [p for p in model.parameters() if id(p) not in others]
    muon = torch.optim.Muon(hidden, lr=2e-2, weight_decay=0.0)
    adamw = torch.optim.AdamW(rest, lr=1e-2, betas=(0.9, 0.95), eps=drive.epsilon)
    return Training(model, (muon, adamw), _language(model), 4)


def conv_sgd(drive: Drive, seed: int) -> Training:
    """Convolutions with batch norms on digits, under SGD with momentum."""
    layers: list[nn.Module] = [nn.Unflatten(1, (1, 8, 8))]
    for before, after in pairwise((1, 8, 16, 16)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU()]
    model = _seeded(
        lambda: nn.Sequential(*layers, nn.AvgPool2d(4), nn.Flatten(), nn.Linear(64, CLASSES)), seed
    )
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            generator = torch.Generator().manual_seed(seed)
            scale = (2 / module.weight[0].numel()) ** 0.5
            nn.init.normal_(module.weight, std=scale, generator=generator)
    decay = 1e-3 if drive.decay else 0.0
    made = torch.optim.SGD(model.parameters(), lr=2e-2, momentum=0.9, weight_decay=decay)
    return Training(model, (made,), _images(model), 32)


def encoder_adamw(drive: Drive, seed: int) -> Training:
    """A post-norm encoder over the rows of digits, under AdamW."""
    model = _seeded(lambda: Encoder(16, 2), seed)
    return Training(model, _adamw(model, 4e-3, drive), _images(model), 32)


def mlp_sgd(drive: Drive, seed: int) -> Training:
    """A plain MLP of five layers on digits, under SGD with momentum."""
    sizes = (PIXELS, *(4 * (48,)), CLASSES)
    layers = [
        layer
        for before, after in pairwise(sizes)
        for layer in (nn.Linear(before, after), nn.ReLU())
    ]
    model = _seeded(lambda: nn.Sequential(*layers[:-1]), seed)
    for module in model.modules():
        if isinstance(module, nn.Linear):
            scale = (2 / module.in_features) ** 0.5
            generator = torch.Generator().manual_seed(seed)
            nn.init.normal_(module.weight, std=scale, generator=generator)
            nn.init.zeros_(module.bias)
    decay = 1e-3 if drive.decay else 0.0
    made = torch.optim.SGD(model.parameters(), lr=1e-2, momentum=0.9, weight_decay=decay)
    return Training(model, (made,), _images(model), 32)


def residual_adam(drive: Drive, seed: int) -> Training:
    """A residual MLP without norms on digits, under AdamW."""
    model = _seeded(
        lambda: nn.Sequential(
            nn.Linear(PIXELS, 32), *(Residual(32) for _ in range(4)), nn.Linear(32, CLASSES)
        ),
        seed,
    )
    return Training(model, _adamw(model, 4e-3, drive), _images(model), 32)


def half_adamw(drive: Drive, seed: int) -> Training:
    """The same with what layers hand on rounded to float16: with a gradient scaler."""
    model = _seeded(
        lambda: nn.Sequential(
            nn.Linear(PIXELS, 32),
            *(part for _ in range(4) for part in (Half(), Residual(32))),
            Half(),
            nn.Linear(32, CLASSES),
            Half(),
        ),
        seed,
    )
    return Training(model, _adamw(model, 4e-3, drive), _images(model), 32)


SETUPS: Mapping[str, Callable[[Drive, int], Training]] = {
    "gpt-adamw": gpt_adamw,
    "gpt-muon": gpt_muon,
    "long-adamw": long_adamw,
    "conv-sgd": conv_sgd,
    "mlp-sgd": mlp_sgd,
    "encoder-adamw": encoder_adamw,
    "residual-adamw": residual_adam,
    "half-adamw": half_adamw,
}
"""By name."""
