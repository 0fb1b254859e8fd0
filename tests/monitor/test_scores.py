"""The largest logits that were seen: against the scores themselves, and the training as it was."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

import spectrain
from spectrain.core import Source
from spectrain.monitor.probes.scores import IS_COMPILED, IS_FUSED, NONE_SEEN
from spectrain.training.gpt.config import GPTConfig
from spectrain.training.gpt.model import GPT

STEPS, HEADS = 3, 2


def gpt(**options: Any) -> GPT:
    torch.manual_seed(0)
    return GPT(GPTConfig(vocabulary=11, layers=2, heads=HEADS, width=8, context=6, **options))


def train(folder: Path | None, model: nn.Module, **options: Any) -> list[float]:
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.05)
    options = {"every": 1, "strict": True} | options
    run = None if folder is None else spectrain.watch(model, optimizer, folder, **options)
    generator = torch.Generator().manual_seed(1)
    losses = []
    for _ in range(STEPS):
        tokens = torch.randint(11, (4, 7), generator=generator)
        output = model(tokens[:, :-1])
        logits = getattr(output, "logits", output).flatten(0, 1)
        loss = nn.functional.cross_entropy(logits, tokens[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    if run is not None:
        run.close()
    return losses


def rows(folder: Path) -> pl.DataFrame:
    found = spectrain.open_run(folder).metrics(source=Source.INPUT, measure="max_logit")
    return found.sort("step", "block", "index")


class Recorded(TorchFunctionMode):
    """Every input of a softmax of four dimensions."""

    def __init__(self) -> None:
        super().__init__()
        self.scores: list[Tensor] = []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is nn.functional.softmax:
            self.scores.append(args[0].detach())
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("options", [{}, {"qk_norm": True, "position": "rope"}])
def test_eager_attention_tells_its_largest_logits(tmp_path: Path, options: dict[str, Any]) -> None:
    with Recorded() as seen:
        plain = train(None, gpt(eager_attention=True, **options))
    model = gpt(eager_attention=True, **options)
    assert train(tmp_path / "run", model) == plain
    expected = [score.amax((0, 2, 3)).tolist() for score in seen.scores]
    found = rows(tmp_path / "run")
    assert found["index"].to_list() == [1, 2] * (2 * STEPS)
    assert found["value"].to_list() == pytest.approx([*chain(*expected)], rel=1e-12)


def test_the_bound_is_one(tmp_path: Path) -> None:
    """Of inputs of their own size, without positions that turn: no logit exceeds it."""
    train(tmp_path / "run", gpt(eager_attention=True), measures=["*/*logit*", "input/*"])
    run = spectrain.open_run(tmp_path / "run")
    bound = run.metrics(source=Source.WEIGHT, measure="logit_bound").drop_nulls("value")
    both = bound.join(rows(tmp_path / "run"), on=["step", "block", "index"], suffix="_seen")
    assert both.height == 2 * HEADS * STEPS
    largest = 8.0 * 1.2  # ‖x‖² of normalised inputs of width 8, with gains that moved
    assert (both["value_seen"] <= both["value"] * largest).all()


def test_fused_attention_says_so_and_is_left_alone(tmp_path: Path) -> None:
    plain = train(None, gpt())
    assert train(tmp_path / "run", gpt()) == plain
    found = rows(tmp_path / "run")
    assert set(found["reason"]) == {IS_FUSED}
    bounds = spectrain.open_run(tmp_path / "run").metrics(measure="logit_bound")
    assert bounds["value"].is_not_null().all()


def test_separate_heads_have_a_row_each(tmp_path: Path) -> None:
    train(tmp_path / "run", gpt(eager_attention=True, separate_heads=True))
    found = rows(tmp_path / "run").filter(step=0)
    assert found["block"].n_unique() == 2 * HEADS
    assert set(found["index"]) == {1}


@pytest.mark.parametrize("manner", ["wrapped", "in place"])
def test_compiled_attention_says_so(tmp_path: Path, manner: str) -> None:
    torch._dynamo.reset()
    model: Any = Plain(softmax_over)
    if manner == "wrapped":
        model = torch.compile(model, backend="eager")
    else:
        model.compile(backend="eager")
    train(tmp_path / "run", model)
    assert set(rows(tmp_path / "run")["reason"]) == {IS_COMPILED}


@pytest.mark.filterwarnings("ignore")  # of the compiler
def test_a_step_that_is_compiled_around_the_model_is_the_same(tmp_path: Path) -> None:
    def losses(folder: Path | None) -> list[float]:
        torch._dynamo.reset()
        torch.manual_seed(0)
        model = Plain(softmax_over)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
        tokens = torch.randint(11, (4, 6), generator=torch.Generator().manual_seed(1))

        @torch.compile(backend="aot_eager")
        def loss_of() -> Tensor:
            return model(tokens).logsumexp(-1).mean()

        run = None if folder is None else spectrain.watch(model, optimizer, folder, every=1)
        found = []
        for _ in range(3):
            loss = loss_of()
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            found.append(loss.item())
        if run is not None:
            run.close()
        return found

    assert losses(None) == losses(tmp_path / "run")


@pytest.mark.filterwarnings("ignore")  # of the compiler
def test_a_function_that_is_compiled_within_attention_is_the_same(tmp_path: Path) -> None:
    graphs: list[object] = []

    def backend(graph: torch.fx.GraphModule, inputs: object) -> object:
        graphs.append(graph)
        return graph.forward

    def losses(folder: Path | None) -> list[float]:
        torch._dynamo.reset()
        torch.manual_seed(0)
        return train(folder, Plain(torch.compile(softmax_over, backend=backend)), strict=False)

    plain = losses(None)
    assert graphs
    assert losses(tmp_path / "run") == plain
    assert not spectrain.open_run(tmp_path / "run").summary["disabled_probes"]


def test_an_exception_within_leaves_nothing_behind(tmp_path: Path) -> None:
    model = gpt(eager_attention=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    tokens = torch.zeros(2, 6, dtype=torch.long)

    def stop(module: nn.Module, args: object) -> None:
        raise KeyError("stop")

    depth = torch._C._len_torch_function_stack()
    with spectrain.watch(model, optimizer, tmp_path / "run", every=1, strict=True):
        inside = model.get_submodule("blocks.0.attention.output")
        handle = inside.register_forward_pre_hook(stop)
        with pytest.raises(KeyError):
            model(tokens)
        assert torch._C._len_torch_function_stack() == depth
        handle.remove()
        model(tokens).sum().backward()
        optimizer.step()
    assert rows(tmp_path / "run")["value"].is_not_null().all()


@pytest.mark.parametrize(("kind", "reason"), [("eager", None), ("sdpa", IS_FUSED)])
def test_transformers_by_what_they_declare(tmp_path: Path, kind: str, reason: str | None) -> None:
    transformers = pytest.importorskip("transformers")

    def made() -> nn.Module:
        torch.manual_seed(0)
        config = transformers.LlamaConfig(
            vocab_size=11, hidden_size=8, intermediate_size=16, num_hidden_layers=2,
            num_attention_heads=HEADS, num_key_value_heads=1, attn_implementation=kind,
        )  # fmt: skip
        return transformers.LlamaForCausalLM(config)

    plain = train(None, made())
    assert train(tmp_path / "run", made()) == plain
    found = rows(tmp_path / "run")
    assert set(found["reason"]) == {reason}
    assert found.height == 2 * STEPS * (HEADS if reason is None else 1)


def softmax_over(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return torch.softmax(q @ k.mT / 2.0, -1) @ v


def product_of(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return q @ (k.mT @ v)


class Attention(nn.Module):
    def __init__(self, mix: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.num_heads, self.mix = HEADS, mix
        self.q_proj, self.k_proj, self.v_proj = (nn.Linear(8, 8) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (
            one(x).unflatten(-1, (HEADS, -1)).transpose(1, 2)
            for one in (self.q_proj, self.k_proj, self.v_proj)
        )
        return self.mix(q, k, v).transpose(1, 2).flatten(2)


class Plain(nn.Module):
    """Without annotations of shapes, which a compiler cannot follow."""

    def __init__(self, mix: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.table, self.attn, self.head = nn.Embedding(11, 8), Attention(mix), nn.Linear(8, 11)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.attn(self.table(tokens)))


def test_attention_without_a_softmax_says_that(tmp_path: Path) -> None:
    train(tmp_path / "run", Plain(product_of))
    assert set(rows(tmp_path / "run")["reason"]) == {NONE_SEEN}


class Multi(nn.Module):
    """Two layers of torch's own, one of which masks."""

    def __init__(self, *, batch_first: bool = True, weights: bool = False, narrow: int = 8) -> None:
        super().__init__()
        self.batch_first, self.weights = batch_first, weights
        self.table, self.head = nn.Embedding(11, 8), nn.Linear(8, 11)
        self.layer = nn.TransformerEncoderLayer(8, HEADS, 16, 0.0, batch_first=batch_first)
        self.attn = nn.MultiheadAttention(
            8, HEADS, kdim=narrow, vdim=narrow, batch_first=batch_first
        )
        self.narrow = narrow

    def forward(self, tokens: Tensor) -> Tensor:
        places = tokens.shape[1]
        causal = nn.Transformer.generate_square_subsequent_mask(places)
        padding = torch.arange(places) >= places - 1
        x = self.table(tokens)
        x = x if self.batch_first else x.transpose(0, 1)
        x = self.layer(x, src_mask=causal, is_causal=True)
        given = x[..., : self.narrow]
        x = self.attn(
            x,
            given,
            given,
            key_padding_mask=padding.expand(len(tokens), -1),
            need_weights=self.weights,
        )[0]
        return self.head(x if self.batch_first else x.transpose(0, 1))


@pytest.mark.parametrize(
    "options",
    [{}, {"batch_first": False}, {"weights": True}, {"narrow": 6}],
    ids=["batch first", "places first", "with weights", "separate projections"],
)
def test_multi_head_attention_of_torch_tells_its_largest_logits(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    def made() -> Multi:
        torch.manual_seed(0)
        return Multi(**options)

    expected: list[float] = []

    def by_hand(
        module: nn.MultiheadAttention,
        args: Sequence[Tensor],
        kwargs: dict[str, Any],
        output: object,
    ) -> None:
        q, k = (x if module.batch_first else x.transpose(0, 1) for x in args[:2])
        if module.in_proj_weight is None:
            weights = module.q_proj_weight, module.k_proj_weight
        else:
            weights = module.in_proj_weight.chunk(3)[:2]
        q, k = (
            nn.functional.linear(x, w, b).unflatten(-1, (HEADS, -1)).transpose(1, 2)
            for x, w, b in zip((q, k), weights, module.in_proj_bias.chunk(3)[:2], strict=True)
        )
        scores = q @ k.mT / 2.0
        if kwargs.get("attn_mask") is not None:
            scores = scores + kwargs["attn_mask"]
        else:
            scores = scores[..., :-1]
        expected.extend(scores.amax((0, 2, 3)).tolist())

    model = made()
    for one in (model.layer.self_attn, model.attn):
        one.register_forward_hook(by_hand, with_kwargs=True)
    plain = train(None, model)
    assert train(tmp_path / "run", made()) == plain
    found = rows(tmp_path / "run").sort("step", "block", "index")
    assert found.height == 2 * HEADS * STEPS
    assert found["block"].unique(maintain_order=True).len() == 2
    told = {
        (row["step"], "layer" in row["block"], row["index"]): row["value"]
        for row in found.iter_rows(named=True)
    }
    order = [
        (s, layer, h + 1) for s in range(STEPS) for layer in (True, False) for h in range(HEADS)
    ]
    assert [told[key] for key in order] == pytest.approx(expected, rel=1e-5)


def test_scores_are_formed_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def made() -> Multi:
        torch.manual_seed(0)
        return Multi()

    train(tmp_path / "whole", made())
    monkeypatch.setattr("spectrain.monitor.multi_head.ENTRIES", 2 * HEADS * 6)
    train(tmp_path / "parts", made())
    assert rows(tmp_path / "parts")["value"].to_list() == pytest.approx(
        rows(tmp_path / "whole")["value"].to_list(), rel=1e-6
    )
