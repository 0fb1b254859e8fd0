"""The training loop, under watch, and how an interrupted one goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import torch

from spectrain.core import RunError
from spectrain.monitor import watch
from spectrain.records import open_run
from spectrain.training.config import TrainConfig
from spectrain.training.corpus import Corpus, load_corpus
from spectrain.training.progress import progress_bar
from spectrain.training.trainer import Trainer


def train(config: TrainConfig) -> Path:
    """Train a GPT on a text under watch.

    Leaves a run folder with the records, the manifest and ``checkpoint.pt``. Weights and losses
    depend on the configuration, the text and the number of threads alone, neither on watching nor
    on interruptions: see :func:`resume`.

    Args:
        config: what to train, how, and where to.

    Returns:
        The run folder.

    Raises:
        InputError: text, preset or sizes cannot be used.
        RunError: the run folder is not empty.
        DivergenceError: the loss became infinite or NaN.
    """
    if config.out.is_file() or (config.out.is_dir() and any(config.out.iterdir())):
        raise RunError(
            f"the folder {str(config.out)!r} is not empty",
            remedy="choose another folder, or resume the run in it",
        )
    return _train(config, load_corpus(config.text, characters=config.characters), resumed=False)


def resume(run: Path) -> Path:
    """Go on with a training that was killed, from its last checkpoint or, without one, from step 0.

    The end is the same, to the last bit, as that of a training that was never interrupted.

    Args:
        run: the run folder.

    Returns:
        The run folder.

    Raises:
        RunError: the folder holds no run of :func:`train`, or the text has changed since.
        DivergenceError: the loss became infinite or NaN.
    """
    recorded = open_run(run).manifest["config"]
    if "corpus" not in recorded:
        raise RunError(
            f"the run {str(run)!r} is not one of `spectrain train`",
            remedy="resume it with the program that wrote it",
        )
    config = TrainConfig.from_dict(recorded, out=run)
    corpus = load_corpus(config.text, characters=config.characters)
    if corpus.facts["sha256"] != recorded["corpus"]["sha256"]:
        raise RunError(
            f"the text {config.text!r} has changed since the run {str(run)!r} began",
            remedy="restore the text, or start a new run",
        )
    return _train(config, corpus, resumed=True)


def _train(config: TrainConfig, corpus: Corpus, *, resumed: bool) -> Path:
    trainer = Trainer.of(config, corpus)
    start = trainer.load() if resumed else 0
    if start == config.steps:
        return config.out
    facts = {
        "parameters": sum(parameter.numel() for parameter in trainer.model.parameters()),
        "model": asdict(trainer.model.config),
        "corpus": dict(corpus.facts),
    }
    with (
        _threads(config.threads),
        watch(
            trainer.model,
            trainer.optimizers,
            config.out,
            overhead=config.overhead,
            every=config.every,
            steps=config.steps,
            config=config.to_dict() | facts,
            start_step=start,
            resume=resumed,
            replicas="microbatches",
        ) as run,
        progress_bar(config.optimizer, start=start, steps=config.steps) as advance,
    ):
        windows = config.batch_size * config.accumulation
        for step in range(start, config.steps):
            loss = trainer.backward(step)
            run.log(loss=loss, batch_size=windows, tokens=windows * trainer.model.config.context)
            trainer.update(step)
            advance(loss)
            done = step + 1
            if done % config.evaluate_every == 0 or done == config.steps:
                run.log(validation_loss=trainer.evaluate())
            if done % config.checkpoint_every == 0 and done < config.steps:
                run.flush()  # the records before the checkpoint, so that a kill leaves no gap
                trainer.save(done)
    trainer.save(config.steps)  # once the records are complete: it marks the run as finished
    return config.out


@contextmanager
def _threads(number: int | None) -> Iterator[None]:
    """Let PyTorch use so many CPU threads, and afterwards as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(number or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
