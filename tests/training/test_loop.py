"""Whole trainings of a very small model."""

from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from spectrain.core import InputError, RunError
from spectrain.records import RunWriter, open_run
from spectrain.training import TrainConfig, loop, resume, train
from spectrain.training.trainer import Trainer

TEXT = "How many roads must a man walk down before they call him a man? " * 30
SMALL = TrainConfig(
    layers=1,
    width=16,
    heads=2,
    context=8,
    steps=10,
    batch_size=4,
    accumulation=2,
    every=5,
    evaluate_every=4,
    checkpoint_every=4,
)


@pytest.fixture
def small(tmp_path):
    file = tmp_path / "song.txt"
    file.write_text(TEXT, encoding="utf-8")
    return replace(SMALL, text=str(file), out=tmp_path / "run")


@pytest.fixture(params=["adamw", "muon"])
def config(request, small):
    return replace(small, optimizer=request.param)


def weights(run):
    return torch.load(run / "checkpoint.pt", weights_only=True)["model"]


def assert_same_weights(one, two):
    first, second = weights(one), weights(two)
    assert first.keys() == second.keys()
    for name in first:
        assert torch.equal(first[name], second[name]), name


def logged(run, measure):
    frame = open_run(run).metrics(source="training", measure=measure)
    return dict(zip(frame["step"].to_list(), frame["value"].to_list(), strict=True))


def test_every_step_is_logged_and_the_held_out_loss_at_intervals(small):
    run = train(small)
    assert run == small.out
    assert sorted(logged(run, "loss")) == list(range(10))
    assert set(logged(run, "batch_size").values()) == {8.0}
    assert sorted(logged(run, "validation_loss")) == [3, 7, 9]


def test_the_text_is_learned(small):
    losses = logged(train(replace(small, steps=80, every=1000)), "loss")
    assert losses[0] == pytest.approx(torch.tensor(len(set(TEXT))).log().item())
    assert max(losses[step] for step in range(75, 80)) < 0.6 * losses[0]


def test_the_manifest_tells_what_was_trained(small):
    recorded = open_run(train(small)).manifest["config"]
    assert TrainConfig.from_dict(recorded, out=small.out) == small
    assert recorded["model"]["vocabulary"] == len(set(TEXT))
    assert recorded["corpus"]["characters"] == len(TEXT)
    assert recorded["parameters"] == sum(tensor.numel() for tensor in weights(small.out).values())


def test_the_seed_determines_the_training(small, tmp_path):
    one, two = (train(replace(small, out=tmp_path / name)) for name in "ab")
    assert_same_weights(one, two)
    other = train(replace(small, seed=1, out=tmp_path / "c"))
    assert logged(other, "loss")[1] != logged(one, "loss")[1]


def test_watching_changes_nothing(config, tmp_path, monkeypatch):
    watched = train(config)
    blind = tmp_path / "blind"

    class Nobody:
        def log(self, **values):
            pass

        def flush(self):
            pass

    @contextmanager
    def nothing(model, optimizers, path, **options):
        path.mkdir()
        yield Nobody()

    monkeypatch.setattr(loop, "watch", nothing)
    assert_same_weights(watched, train(replace(config, out=blind)))


def test_accumulated_batches_are_the_large_one(small, tmp_path):
    accumulated = logged(train(small), "loss")
    whole = logged(
        train(replace(small, batch_size=8, accumulation=1, out=tmp_path / "whole")), "loss"
    )
    assert accumulated == pytest.approx(whole, rel=1e-4)  # measured: 2e-6


class Killed(BaseException):
    """Stands for SIGKILL: nothing of the package may catch it."""


def train_until(step, config, monkeypatch):
    backward = Trainer.backward

    def interrupted(self, now):
        if now == step:
            raise Killed
        return backward(self, now)

    monkeypatch.setattr(Trainer, "backward", interrupted)
    with pytest.raises(Killed):
        resume(config.out) if config.out.exists() else train(config)
    monkeypatch.undo()


@pytest.mark.parametrize("stops", [(2,), (3, 5, 9)])
def test_a_resumed_training_ends_as_an_unbroken_one(config, tmp_path, monkeypatch, stops):
    unbroken = train(replace(config, out=tmp_path / "unbroken"))
    for stop in stops:
        train_until(stop, config, monkeypatch)
    assert resume(config.out) == config.out
    assert_same_weights(unbroken, config.out)
    for measure in ("loss", "validation_loss", "batch_size"):
        assert logged(unbroken, measure) == logged(config.out, measure)
    assert not list(config.out.glob("*.partial"))


def test_resuming_a_finished_run_changes_nothing(small):
    run = train(small)
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.is_file()}
    assert resume(run) == run
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.is_file()} == before


def test_a_moved_run_resumes_where_it_is(small, tmp_path, monkeypatch):
    train_until(5, small, monkeypatch)
    moved = small.out.rename(tmp_path / "moved")
    assert resume(moved) == moved
    assert not small.out.exists()
    assert sorted(logged(moved, "loss")) == list(range(10))


def test_files_are_not_overwritten(small):
    small.out.mkdir()
    (small.out / "thesis.tex").write_text("three years", encoding="utf-8")
    with pytest.raises(RunError, match=r"run' is not empty; choose another folder, or resume"):
        train(small)
    with pytest.raises(RunError, match=r"tex' is not empty"):
        train(replace(small, out=small.out / "thesis.tex"))


def test_an_empty_folder_is_used(small):
    small.out.mkdir()
    assert sorted(logged(train(small), "loss")) == list(range(10))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"text": "/nowhere"}, "there is no text '/nowhere'"),
        ({"context": 512}, "validation part of the text 'song.txt' has 192 .* needs 513"),
        ({"preset": "gpt5"}, "there is no preset 'gpt5'"),
        ({"heads": 3}, "does not divide into 3 heads"),
    ],
)
def test_what_cannot_be_trained_leaves_no_folder(small, settings, message):
    with pytest.raises(InputError, match=message):
        train(replace(small, **settings))
    assert not small.out.exists()


def test_only_runs_of_this_recipe_resume(tmp_path):
    with pytest.raises(RunError, match="not a run folder"):
        resume(tmp_path)
    RunWriter(tmp_path / "other", manifest={"config": {"lr": 1}}).close({})
    with pytest.raises(RunError, match="is not one of `spectrain train`"):
        resume(tmp_path / "other")


def test_a_changed_text_does_not_resume(small, monkeypatch):
    train_until(5, small, monkeypatch)
    Path(small.text).write_text(TEXT[::-1], encoding="utf-8")
    with pytest.raises(RunError, match=r"song\.txt' has changed since"):
        resume(small.out)


def test_threads_are_those_asked_for_and_then_those_before(small, monkeypatch):
    before, seen = torch.get_num_threads(), []
    backward = Trainer.backward

    def noting(self, step):
        seen.append(torch.get_num_threads())
        return backward(self, step)

    monkeypatch.setattr(Trainer, "backward", noting)
    train(replace(small, threads=before + 1, steps=1))
    assert seen == [before + 1]
    assert torch.get_num_threads() == before


def test_a_plan_decides_what_muon_takes(tmp_path):
    from spectrain.core import Plan, Step
    from spectrain.optim import write_plan
    from spectrain.records import open_run
    from spectrain.training import TrainConfig, train

    text = tmp_path / "text.txt"
    text.write_text("to be or not to be, that is the question. " * 200)
    plan = tmp_path / "plan.yaml"
    write_plan(Plan({"blocks.0.mlp.contract.weight": Step.SPECTRAL}), plan)
    config = TrainConfig(
        text=str(text), layers=1, width=16, heads=2, context=16, batch_size=2, steps=2,
        plan=plan, out=tmp_path / "run",
    )  # fmt: skip
    run = open_run(train(config))
    groups = {group["optimizer"]: group["parameters"] for group in run.manifest["groups"]}
    assert groups["Muon"] == ["blocks.0.mlp.contract.weight"]
    assert run.manifest["config"]["plan"] == str(plan)
