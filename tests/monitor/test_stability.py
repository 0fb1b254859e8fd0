"""What is recorded of stability, against the definitions; alike in every mode of training."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
import torch
from torch import Tensor, nn

import spectrain
from spectrain.core import Source
from support.followed import Followed

WIDTH, HEADS, GROUPS, STEPS = 12, 6, 2, 4
SIZE = 2

OURS = {
    "followed_norm",
    "logit_bound",
    "rms_gain",
    "channel_kurtosis",
    "top_channel_share",
    "overflow_margin",
    "stream_rms",
}


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.num_heads = HEADS
        self.q_proj = nn.Linear(WIDTH, HEADS * SIZE, bias=False)
        self.k_proj, self.v_proj = (nn.Linear(WIDTH, GROUPS * SIZE, bias=False) for _ in range(2))
        self.o_proj = nn.Linear(HEADS * SIZE, WIDTH, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (
            projection(x).unflatten(-1, (-1, SIZE)).transpose(1, 2)
            for projection in (self.q_proj, self.k_proj, self.v_proj)
        )
        k, v = (one.repeat_interleave(HEADS // GROUPS, 1) for one in (k, v))
        mixed = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.o_proj(mixed.transpose(1, 2).flatten(2))


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm, self.attn = nn.RMSNorm(WIDTH), Attention()
        self.seen: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        if not torch.compiler.is_compiling():
            self.seen.append(x.detach())
        return x + self.attn(self.norm(x))


def train(path: Path, *, compiled: bool = False) -> tuple[Model, pl.DataFrame]:
    torch.manual_seed(0)
    model = Model().double()
    if compiled:
        model.compile(backend="eager")
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.05)
    generator = torch.Generator().manual_seed(1)
    with spectrain.watch(model, optimizer, path, every=1, strict=True, probes=[Followed]) as run:
        for _ in range(STEPS):
            x = 3 * torch.randn(4, 7, WIDTH, generator=generator, dtype=torch.float64)
            optimizer.zero_grad()
            (model(x) - x.roll(1, 1)).square().mean().backward()
            optimizer.step()
            run.log(batch_size=4)
    return model, spectrain.open_run(path).metrics()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Model, pl.DataFrame]:
    return train(tmp_path_factory.mktemp("stability") / "run")


def last(frame: pl.DataFrame, source: Source, measure: str, block: str) -> list[float]:
    rows = frame.filter(step=STEPS - 1, source=source, measure=measure, block=block)
    return rows.sort("index")["value"].to_list()


def test_the_largest_singular_value_is_followed_between_spectra(trained):
    model, frame = trained
    for name in ("q_proj", "o_proj", "k_proj"):
        block = f"attn.{name}.weight"
        rows = frame.filter(block=block, source=Source.WEIGHT, measure="followed_norm")
        assert rows["step"].to_list() == list(range(STEPS))
        truth = torch.linalg.svdvals(getattr(model.attn, name).weight.detach())[0].item()
        assert rows["value"][-1] == pytest.approx(truth, rel=1e-3)
        assert rows["value"][-1] <= truth * (1 + 1e-12)
        assert rows["error"][-1] is not None


def test_a_spectrum_of_the_same_step_stands_alone(trained):
    _, frame = trained
    rows = frame.filter(source=Source.WEIGHT, measure="operator_norm")
    assert rows.height == rows.unique(["step", "block"]).height > 0


def test_every_head_has_its_bound(trained):
    model, frame = trained
    query = model.attn.q_proj.weight.detach().unflatten(0, (HEADS, SIZE))
    key = model.attn.k_proj.weight.detach().unflatten(0, (GROUPS, SIZE))
    key = key.repeat_interleave(HEADS // GROUPS, 0)
    truth = torch.linalg.svdvals(query.mT @ key)[:, 0] / SIZE**0.5
    found = last(frame, Source.WEIGHT, "logit_bound", "attn.q_proj.weight")
    assert found == pytest.approx(truth.tolist(), rel=1e-9)


def test_the_coordinate_check_of_the_last_step(trained):
    model, frame = trained
    x = nn.functional.rms_norm(model.seen[-1], (WIDTH,))  # the gain moved after it was used
    weight = model.attn.v_proj.weight.detach()
    (gain,) = last(frame, Source.WEIGHT, "rms_gain", "attn.v_proj.weight")
    near = ((x @ weight.mT).square().mean() / x.square().mean()).sqrt().item()
    assert gain == pytest.approx(near, rel=0.1)
    (moved,) = last(frame, Source.UPDATE, "rms_gain", "attn.v_proj.weight")
    assert 0 < moved < gain


def test_the_stream_and_its_channels(trained):
    model, frame = trained
    x = model.seen[-1].reshape(-1, WIDTH)
    (rms,) = last(frame, Source.INPUT, "stream_rms", "norm.weight")
    assert rms == pytest.approx(x.square().mean().sqrt().item(), rel=1e-12)
    (margin,) = last(frame, Source.INPUT, "overflow_margin", "norm.weight")
    limit = torch.finfo(torch.float64).max
    assert margin == pytest.approx((limit / x.abs().max()).log2().item(), rel=1e-12)
    energies = nn.functional.rms_norm(x, (WIDTH,)).square().sum(0)
    (kurtosis,) = last(frame, Source.INPUT, "channel_kurtosis", "norm.weight")
    expected = energies.square().mean() / energies.mean().square()
    assert kurtosis == pytest.approx(expected.item(), rel=1e-6)


def test_compiled_models_give_the_same(trained, tmp_path):
    _, plain = trained
    _, compiled = train(tmp_path / "run", compiled=True)
    key = ["step", "block", "source", "measure", "index"]
    ours = plain.filter(pl.col("measure").is_in(OURS))
    both = ours.join(compiled, on=key, how="left", suffix="_compiled", nulls_equal=True)
    assert both.height > 50
    assert both.filter((pl.col("value") / pl.col("value_compiled") - 1).abs() > 1e-9).is_empty()
