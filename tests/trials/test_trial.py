"""Trials end to end on tiny models: what is adopted, what is refused, what is left as it was."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from spectrain.core import InputError
from spectrain.network import find_blocks
from spectrain.trials import (
    Change,
    SetUp,
    Stepper,
    candidates,
    even_rows,
    rate,
    to_adamw,
    to_muon,
    trial,
    usual_setup,
)
from spectrain.trials.arm import Window, run_arm
from spectrain.trials.budget import plan_budget
from spectrain.trials.effects import NEVER, effect_of
from spectrain.trials.horizon import carried
from spectrain.trials.snapshot import Snapshot
from spectrain.trials.source import Batches, Source


class Tiny(nn.Module):
    """Tokens, one hidden layer, logits."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Embedding(12, 8)
        self.up, self.down = nn.Linear(8, 16), nn.Linear(16, 8)
        self.drop = nn.Dropout(0.1)
        self.head = nn.Linear(8, 12, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens)
        return self.head(x + self.drop(self.down(torch.relu(self.up(x)))))


def batch(step: int) -> Tensor:
    draw = torch.Generator().manual_seed(step)
    return torch.randint(12, (8, 6), generator=draw)


def loss(model: nn.Module, tokens: Tensor) -> Tensor:
    """Each token is to be followed by three times itself."""
    return nn.functional.cross_entropy(model(tokens).flatten(0, 1), (3 * tokens % 12).flatten())


HELD_OUT = [batch(-1)]

TELLING = {"steps": 40, "share": 16.0}
"""A run so short that its branches are half of it."""


def run(changes: Any = None, **options: Any) -> Any:
    given: dict[str, Any] = {"steps": 1400, "progress": False}
    return trial(Tiny(), loss, batch, HELD_OUT, changes, **(given | options))


def frozen(base: SetUp) -> list[Change]:
    """Changes whose effects are beyond doubt: a layer that does not learn, and a better rate."""
    stop = to_adamw(base, "embedding.*", rate=0.0, name="embedding rests")
    return [stop, to_muon(base, "head.weight", rate=60.0, name="head faster")]


def test_harm_is_told_and_a_gain_adopted() -> None:
    slow = usual_setup(Tiny(), find_blocks(Tiny()), muon_lr=1e-3, adamw_lr=1e-3)
    found = run(frozen, base=slow, **TELLING)
    by_name = {one.change.name: one for one in found.effects}
    assert by_name["embedding rests"].effect.harm > 0.9
    assert not by_name["embedding rests"].adopted
    assert found.adopted == ("head faster",)
    assert found.setup.assignments["head.weight"].rule is Stepper.MUON
    assert found.statement.startswith("Adopt head faster: held-out loss lower by ")
    assert found.verifications[-1].effect.gains
    written = found.to_dict()
    assert written["changes"][0]["adopted"]


def test_a_gain_on_branches_that_are_too_short_is_shown_and_not_adopted() -> None:
    slow = usual_setup(Tiny(), find_blocks(Tiny()), muon_lr=1e-3, adamw_lr=1e-3)
    calls = {True: 0, False: 0}

    def counting(model: nn.Module, tokens: Tensor) -> Tensor:
        calls[torch.is_grad_enabled()] += 1
        return loss(model, tokens)

    given: dict[str, Any] = {"base": slow, "steps": 900, "progress": False}
    found = trial(Tiny(), counting, batch, HELD_OUT, lambda base: frozen(base)[1:], **given)
    assert found.passes <= calls[True] + calls[False] / 3 <= found.passes + 3  # checks of the loss
    (one,) = found.effects
    assert one.effect.value < -0.01
    assert found.adopted == ()
    assert found.share <= 0.4
    assert "told nothing of its end" in found.statement
    assert "would buy branches of half the run" in found.statement


def test_nothing_to_gain_is_no_change() -> None:
    def same(base: SetUp) -> list[Change]:
        return [Change(f"nothing {n}", lambda setup: setup, ("up.weight",)) for n in range(3)]

    found = run(same)
    assert found.adopted == ()
    assert found.setup == found.base
    assert found.statement.startswith("No change")


def test_a_rate_is_never_adopted() -> None:
    slow = usual_setup(Tiny(), find_blocks(Tiny()), muon_lr=1e-3, adamw_lr=1e-3)
    found = run(lambda base: [rate(base, 8.0, "*", name="all faster")], base=slow)
    assert found.effects[0].effect.high < 0
    assert found.adopted == ()
    assert "does not tell of the long run" in found.effects[0].note


def test_an_arm_that_diverges_ends_alone() -> None:
    def wild(base: SetUp) -> list[Change]:
        blow = Change(
            "blow up", lambda s: s.altered(["up.weight"], rate=float("inf")), ("up.weight",)
        )
        others = [to_muon(base, "head.weight", name="head"), *frozen(base)[:1]]
        return [blow, *others, Change("same", lambda s: s, ("up.weight",))]

    found = run(wild, steps=1990)
    by_name = {one.change.name: one for one in found.effects}
    assert by_name["blow up"].effect is None
    assert "diverged" in by_name["blow up"].note
    assert by_name["embedding rests"].effect.harm > 0.9
    assert any("blow up" in note and "its loss was nan" in note for note in found.notes)
    assert "blow up" not in found.adopted


def test_the_caller_is_left_as_it_was() -> None:
    model = Tiny()
    before = copy.deepcopy(model.state_dict())
    torch.manual_seed(5)
    state = torch.get_rng_state()
    trial(model, loss, batch, HELD_OUT, frozen, steps=800, progress=False)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())


def test_an_interrupted_trial_goes_on(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from spectrain.trials import bench as module

    whole = run(frozen, folder=tmp_path / "whole", steps=800)
    calls = 0

    def interrupted(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > 5:
            raise KeyboardInterrupt
        return run_arm(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(module, "run_arm", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(frozen, folder=tmp_path / "cut", steps=800)
    counted = 0

    def counting(*arguments: Any, **options: Any) -> Any:
        nonlocal counted
        counted += 1
        return run_arm(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(module, "run_arm", counting)
        again = run(frozen, folder=tmp_path / "cut", steps=800)
    assert again.to_dict() == whole.to_dict()
    assert counted == len(list((tmp_path / "whole").iterdir())) - 5


def test_arms_are_paired() -> None:
    """The same set-up from the same window gives the same losses, dropout included."""
    source = Source.of(Tiny(), loss, batch, HELD_OUT)
    setup = usual_setup(Tiny(), find_blocks(Tiny()))
    model = source.make()
    window = Window(Snapshot.take(0, model, []), 0, 10)
    first, again = (run_arm(source, setup, window) for _ in range(2))
    assert first == again
    assert first.loss < run_arm(source, setup, Window(window.snapshot, 0, 1)).loss


def test_state_is_carried_or_rebuilt() -> None:
    source = Source.of(Tiny(), loss, batch, HELD_OUT)
    base = usual_setup(Tiny(), find_blocks(Tiny()))
    model = source.make()
    optimizers = base.optimizers(model)
    for step in range(5):
        loss(model, batch(step)).backward()
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
    snapshot = Snapshot.take(5, model, optimizers)
    changed = to_adamw(base, "up.weight")(to_muon(base, "head.weight")(base))
    fresh = source.make()
    snapshot.restore(fresh)
    others = changed.optimizers(fresh)
    assert snapshot.carry(fresh, others, source, 5) == 4
    muon, adamw = others
    assert torch.equal(
        muon.state[fresh.head.weight]["momentum_buffer"],
        snapshot.states["head.weight"]["exp_avg"],
    )
    assert torch.equal(
        adamw.state[fresh.embedding.weight]["exp_avg_sq"],
        snapshot.states["embedding.weight"]["exp_avg_sq"],
    )
    rebuilt = adamw.state[fresh.up.weight]
    assert torch.equal(rebuilt["exp_avg"], snapshot.states["up.weight"]["momentum_buffer"])
    assert (rebuilt["exp_avg_sq"] > 0).any()


def test_candidates_are_those_that_apply() -> None:
    model = Tiny()
    network = find_blocks(model, heads=True)
    names = [change.name for change in candidates(usual_setup(model, network), network)]
    assert names == ["even rows", "head to Muon", "embedding to Muon", "all to AdamW"]


def test_recurrent_matrices_are_tried_gate_by_gate() -> None:
    model = nn.Sequential(nn.Embedding(9, 4), nn.LSTM(4, 4), nn.GRU(4, 4))
    network = find_blocks(model, heads=True)
    found = candidates(usual_setup(model, network), network)
    gates = {c.name: c.touches for c in found if c.name.startswith("recurrent")}
    assert set(gates) == {"recurrent to Muon in 3 gates", "recurrent to Muon in 4 gates"}
    assert "1.weight_hh_l0" in gates["recurrent to Muon in 4 gates"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: trial(Tiny(), loss, batch, [], steps=1400), "nothing is held out"),
        (
            lambda: trial(Tiny(), loss, iter([batch(0)]), HELD_OUT, steps=1400),
            "batches end after 1",
        ),
        (
            lambda: run(lambda base: frozen(base)[:1] * 2),
            "two changes are called 'embedding rests'",
        ),
        (lambda: run(lambda base: [to_muon(base, "tail.*")]), r"no parameter matches \['tail"),
    ],
)
def test_refused(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()


def test_a_budget_that_does_not_suffice_is_no_change() -> None:
    found = run(steps=30)
    assert found.setup == found.base
    assert found.passes == 0
    assert found.statement.startswith(
        "No change: 12 steps (40% of 30) do not suffice for a trial of 2 arms"
    )


def test_batches_that_cannot_be_had_again_are_refused() -> None:
    calls = iter(range(1000))
    with pytest.raises(InputError, match=r"the loss of the same step is .*make batches"):
        trial(Tiny(), loss, lambda step: batch(next(calls)), HELD_OUT, steps=1400)


def test_a_loss_that_is_no_number_is_refused() -> None:
    with pytest.raises(InputError, match=r"no single number but \(8, 6, 12\)"):
        trial(Tiny(), lambda model, tokens: model(tokens), batch, HELD_OUT, steps=1400)


def test_what_a_short_branch_shows_must_exceed_what_horizons_scatter() -> None:
    small, large = effect_of(-0.004, 0.0005, 3), effect_of(-0.4, 0.0005, 3)
    assert small.gains
    assert not carried(small, 2.0, length=0.5, level=0.95).gains
    assert carried(large, 2.0, length=0.5, level=0.95).gains
    assert not carried(large, 2.0, length=0.02, level=0.95).gains
    assert carried(NEVER, 2.0, length=0.5, level=0.95) == NEVER


def test_even_rows_is_a_candidate_and_carries_no_state_over() -> None:
    base = usual_setup(Tiny(), find_blocks(Tiny()))
    changed = even_rows(base, "up.weight")(base)
    assert changed.assignments["up.weight"].rows_beta == 0.95
    assert to_adamw(changed, "up.weight")(changed).assignments["up.weight"].rows_beta == 0.0


def test_a_second_moment_is_no_smaller_than_the_square_of_the_average() -> None:
    """Of an entry whose gradient is zero in the rebuilding passes, and was not before."""
    source = Source.of(Tiny(), loss, batch, HELD_OUT)
    base = usual_setup(Tiny(), find_blocks(Tiny()))
    model = source.make()
    past = {"embedding.weight": {"momentum_buffer": torch.full((12, 8), 0.1)}}
    tensors = dict(model.named_parameters())
    snapshot = Snapshot(0, 0, tensors, past)
    optimizers = base.optimizers(model)
    snapshot.carry(model, optimizers, source, 0)
    rebuilt = optimizers[-1].state[model.embedding.weight]["exp_avg_sq"]
    assert (rebuilt >= 0.1**2 - 1e-9).all()


def test_a_loss_with_a_memory_is_refused() -> None:
    calls = iter(range(1000))

    def stateful(model: nn.Module, tokens: Tensor) -> Tensor:
        return loss(model, tokens) * (1 + next(calls))

    with pytest.raises(InputError, match="the loss of the same held-out batch is"):
        trial(Tiny(), stateful, batch, HELD_OUT, steps=1400)


def test_a_model_that_cannot_be_copied_is_refused() -> None:
    model = Tiny()
    model.register_buffer("graph", None)
    model.graph = torch.ones(1, requires_grad=True) * 2
    with pytest.raises(InputError, match=r"cannot be copied: RuntimeError.*pass a function"):
        trial(model, loss, batch, HELD_OUT, steps=1400)


def test_a_base_that_diverges_is_told() -> None:
    wild = usual_setup(Tiny(), find_blocks(Tiny()), muon_lr=1e30, adamw_lr=1e30)
    with pytest.raises(InputError, match="the base diverges: its loss is nan at step"):
        run(base=wild)


def test_batches() -> None:
    assert Batches([1, 2, 3])[4] == 2
    assert Batches(lambda step: step * 10)[4] == 40
    loader: Any = torch.utils.data.DataLoader(range(6), batch_size=2)  # type: ignore[arg-type]
    assert Batches(loader)[4].tolist() == [2, 3]
    assert Batches(iter([1, 2]))[1] == 2
    with pytest.raises(InputError, match="batches end after 2"):
        _ = Batches(iter([1, 2]))[2]


def test_the_budget_is_kept() -> None:
    for steps in (1500, 6000, 50_000):
        budget = plan_budget(steps, 8)
        assert budget.passes <= budget.allowed <= (0.4 if steps < 2000 else 0.15) * steps
