import os
import pickle

import pytest
import torch

from spectrain.core import RunError
from spectrain.training.checkpoints import FILE, load_checkpoint, save_checkpoint
from spectrain.training.gpt import GPT, preset
from spectrain.training.optimizers import make_optimizers, usual_plan


def make(seed, kind="muon", width=16):
    shape = preset("modern", vocabulary=9, layers=1, width=width, heads=2)
    model = GPT(shape, generator=torch.Generator().manual_seed(seed))
    rates = {"learning_rate": 0.01, "muon_learning_rate": 0.03, "weight_decay": 0.1}
    return model, make_optimizers(model, usual_plan(model, kind), **rates)


def steps(model, optimizers, number):
    tokens = torch.arange(9).repeat(3, 2)
    for _ in range(number):
        model.loss(tokens[:, :-1], tokens[:, 1:]).backward()
        for optimizer in optimizers:
            optimizer.step()
        model.zero_grad()


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_a_loaded_training_goes_on_bit_by_bit(tmp_path, kind):
    model, optimizers = make(0, kind)
    steps(model, optimizers, 3)
    save_checkpoint(tmp_path, step=3, model=model, optimizers=optimizers)
    other, others = make(1, kind)
    assert load_checkpoint(tmp_path, model=other, optimizers=others) == 3
    steps(model, optimizers, 2)
    steps(other, others, 2)
    for one, two in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(one, two)


def test_no_checkpoint_is_step_zero(tmp_path):
    model, optimizers = make(0)
    before = model.embedding.weight.detach().clone()
    assert load_checkpoint(tmp_path, model=model, optimizers=optimizers) == 0
    assert torch.equal(model.embedding.weight, before)


def test_a_kill_while_writing_leaves_the_last_checkpoint(tmp_path, monkeypatch):
    model, optimizers = make(0)
    save_checkpoint(tmp_path, step=5, model=model, optimizers=optimizers)

    def killed(*paths):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(tmp_path, step=6, model=model, optimizers=optimizers)
    assert load_checkpoint(tmp_path, model=model, optimizers=optimizers) == 5


def test_a_damaged_checkpoint_is_named(tmp_path):
    model, optimizers = make(0)
    save_checkpoint(tmp_path, step=5, model=model, optimizers=optimizers)
    whole = (tmp_path / FILE).read_bytes()
    for content in (b"", b"nonsense", whole[: len(whole) // 2]):
        (tmp_path / FILE).write_bytes(content)
        with pytest.raises(RunError, match="does not load"):
            load_checkpoint(tmp_path, model=model, optimizers=optimizers)


def test_a_checkpoint_of_another_model_is_named(tmp_path):
    model, optimizers = make(0)
    save_checkpoint(tmp_path, step=5, model=model, optimizers=optimizers)
    other, others = make(0, width=32)
    with pytest.raises(RunError, match="size mismatch"):
        load_checkpoint(tmp_path, model=other, optimizers=others)
    adamw = make(0, "adamw")
    with pytest.raises(RunError, match="does not load"):
        load_checkpoint(tmp_path, model=adamw[0], optimizers=adamw[1])


class Intruder:
    def __reduce__(self):
        return os.mkdir, ("intruded",)


def test_a_checkpoint_runs_no_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"step": Intruder()}, tmp_path / FILE)
    for content in ((tmp_path / FILE).read_bytes(), pickle.dumps(Intruder(), protocol=2)):
        (tmp_path / FILE).write_bytes(content)
        model, optimizers = make(0)
        with pytest.raises(RunError, match="does not load"):
            load_checkpoint(tmp_path, model=model, optimizers=optimizers)
    assert not (tmp_path / "intruded").exists()
