"""Run a study: cases over processes, then judgements and figures out of what they left."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path
from shutil import rmtree
from time import perf_counter
from typing import Any, TypeVar

import torch

from spectrain.records.layout import write_whole
from spectrain.records.manifest import to_json
from spectrain.sweeps import Done, run_tasks, task_of
from spectrain_studies.frame.experiment import Experiment, Result, Results
from spectrain_studies.frame.judgement import Judgement, failed, undecided
from spectrain_studies.frame.ledger import StudyResult
from spectrain_studies.frame.progress import progress_bar
from spectrain_studies.frame.study import Claim, FigureMaker, Study

C = TypeVar("C")
DPI = 150


def execute(
    study: Study[C],
    scale: str,
    out: Path,
    *,
    config: C | None = None,
    claims: Sequence[str] = (),
    workers: int = 1,
    backend: str = "loky",
    fresh: bool = False,
) -> StudyResult:
    """Run what has not been run, judge every claim, draw every figure.

    Outcomes stay in ``out``; a run that was interrupted goes on where it stopped, and a changed
    setting runs anew only what depends on it.

    Args:
        study: what to run.
        scale: at which configuration.
        out: folder for outcomes, figures and ``result.json``.
        config: another configuration than that of the scale.
        claims: ids of the claims to judge; with none given, all, and the figures too.
        workers: processes.
        backend: joblib's back end; see :func:`spectrain.sweeps.run_tasks`.
        fresh: forget earlier outcomes.

    Raises:
        InputError: there is no such scale, claim or back end.
    """
    start = perf_counter()
    config = study.config(scale) if config is None else config
    chosen = study.select(claims)
    makers = [] if claims else list(study.figures.values())
    if fresh and (out / "outcomes").exists():
        rmtree(out / "outcomes")
    experiments = _needed([*chosen, *makers])
    results, seconds = _run(study.name, experiments, config, out, workers, backend)
    problems = [problem for result in results.values() for problem in result.problems]
    judged = [(claim, _judge(claim, config, results)) for claim in chosen]
    figures: list[str] = []
    for maker in makers:
        try:
            figures += _save(maker, config, results, out / "figures")
        except Exception as error:  # a figure that cannot be drawn costs no verdict
            problems.append(f"figure {maker.name}: {type(error).__name__}: {error}")
    result = StudyResult(
        study.name,
        study.title,
        study.document,
        scale,
        perf_counter() - start,
        seconds,
        judged,
        figures,
        problems,
        study.thinned.get(scale, ()),
        config,
        environment(),
    )
    out.mkdir(parents=True, exist_ok=True)
    name = "claims.json" if claims else "result.json"
    write_whole(out / name, to_json(result.to_dict()), durable=True)
    return result


def environment() -> dict[str, Any]:
    """What the figures of a ledger were measured on."""
    return {
        "spectrain": metadata.version("spectrain"),
        "torch": str(torch.__version__),
        "Python": platform.python_version(),
        "machine": platform.machine(),
    }


def _needed(users: Iterable[Claim | FigureMaker]) -> list[Experiment[Any]]:
    return list({need.name: need for user in users for need in user.needs}.values())


def _run(
    name: str,
    experiments: Sequence[Experiment[Any]],
    config: Any,
    out: Path,
    workers: int,
    backend: str,
) -> tuple[dict[str, Results], float]:
    """Results by experiment, and the time that all cases took."""
    tasks = {
        experiment.name: [
            task_of(experiment.run, case, out / "outcomes" / experiment.name)
            for case in experiment.cases(config)
        ]
        for experiment in experiments
    }
    flat = [task for group in tasks.values() for task in group]
    with progress_bar(name, len(flat)) as advance:
        done = iter(run_tasks(flat, workers=workers, backend=backend, advance=advance))
    ended = {key: [next(done) for _ in group] for key, group in tasks.items()}
    seconds = sum(each.seconds for group in ended.values() for each in group)
    return {key: _results(key, group) for key, group in ended.items()}, seconds


def _results(name: str, done: Sequence[Done]) -> Results:
    return Results(
        tuple(Result(d.task.case, d.outcome) for d in done if d.outcome is not None),
        tuple(f"{name} {d.task.case}: {d.problem}" for d in done if d.outcome is None),
    )


def _judge(claim: Claim, config: Any, results: dict[str, Results]) -> Judgement:
    given = [results[need.name] for need in claim.needs]
    lost = failed([problem for result in given for problem in result.problems])
    if any(result.problems and not result.results for result in given):
        return undecided(lost)
    try:
        return claim.judged(config, *given)
    except Exception as error:  # a judge that breaks costs no other verdict
        return undecided(f"could not be judged: {type(error).__name__}: {error}. {lost}".strip())


def _save(maker: FigureMaker, config: Any, results: dict[str, Results], folder: Path) -> list[str]:
    figure = maker.draw(config, *(results[need.name] for need in maker.needs))
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"{maker.name}.png", f"{maker.name}.pdf"]
    for name in names:
        figure.savefig(folder / name, dpi=DPI, bbox_inches="tight")
    return [f"figures/{name}" for name in names]
