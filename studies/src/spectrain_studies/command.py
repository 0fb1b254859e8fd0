"""``spectrain study``."""

from __future__ import annotations

from json import dumps, loads
from os import cpu_count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from spectrain.cli.terminal import console, plain, table, verdict, working
from spectrain.core import InputError

if TYPE_CHECKING:
    from spectrain_studies.frame import Study, StudyResult

INCOMPLETE = 1


def run(
    action: Annotated[Literal["list", "run", "fetch"], tyro.conf.Positional],
    name: Annotated[str | None, tyro.conf.Positional, tyro.conf.arg(metavar="[NAME]")] = None,
    *,
    scale: str = "quick",
    claim: Annotated[tuple[str, ...], tyro.conf.arg(metavar="ID ...")] = (),
    set_: Annotated[tuple[str, ...], tyro.conf.arg(name="set", metavar="NAME=VALUE ...")] = (),
    out: Path | None = None,
    workers: int | None = None,
    backend: str = "loky",
    fresh: bool = False,
    ledger: Path | None = None,
    json: bool = False,
) -> int:
    """List the claims of the source documents, or put them to the test.

    What a run has computed stays on disk: an interrupted run goes on where it stopped.

    Args:
        action: `list` the claims, `run` a study, or `fetch` public data, with their digests
            checked.
        name: the study (`list` without one lists all), or the data: `mnist`, `fashion-mnist`.
        scale: `quick` or `paper`.
        claim: run only what these claims need, and judge only them.
        set_: other settings than those of the scale, such as `fig3.steps=2000`.
        out: folder for outcomes, figures and result.json; runs/study/STUDY/SCALE if not given.
        workers: processes; as many as cores if not given.
        backend: joblib's back end: `loky`, `ray` or `dask`.
        fresh: forget earlier outcomes.
        ledger: put the results into this file, in place of its rows of these claims.
        json: print JSON.
    """
    from spectrain_studies import STUDIES, load_study
    from spectrain_studies.frame import execute, override

    if action == "list":
        return _list(STUDIES if name is None else (name,), json=json)
    if action == "fetch":
        return _fetch(name)
    if name is None:
        raise InputError("no study is named", remedy=f"choose among: {', '.join(STUDIES)}")
    study = load_study(name)
    result = execute(
        study,
        scale,
        out or Path("runs/study") / name / scale,
        config=override(study.config(scale), set_),
        claims=claim,
        workers=workers or cpu_count() or 1,
        backend=backend,
        fresh=fresh,
    )
    if ledger is not None:
        _enter(ledger, result, study)
    if json:
        print(dumps(result.to_dict(), allow_nan=False, indent=1))
    else:
        _show(result)
    return INCOMPLETE if result.problems else 0


def _enter(ledger: Path, result: StudyResult, study: Study[Any]) -> None:
    """Change the rows of these claims in a ledger, or make one."""
    from spectrain_studies.frame.rerun import entered

    run = result.to_dict()
    kept = loads(ledger.read_text("utf-8")) if ledger.exists() else run
    if (kept["study"], kept["scale"]) != (run["study"], run["scale"]):
        raise InputError(
            f"{str(ledger)!r} holds {kept['study']} at scale {kept['scale']}",
            remedy="name the ledger of this study and scale",
        )
    ledger.write_text(dumps(entered(kept, run, study), allow_nan=False, indent=1) + "\n", "utf-8")


def _fetch(name: str | None) -> int:
    from spectrain_studies.models.public_files import PUBLIC, fetch

    if name is None:
        raise InputError("no data are named", remedy=f"choose among: {', '.join(PUBLIC)}")
    with working(f"fetching {name}"):
        folder = fetch(name)
    console().print(plain(f"{name} lies in {folder}"))
    return 0


def _list(names: tuple[str, ...], *, json: bool) -> int:
    from spectrain_studies import load_study

    studies = [load_study(name) for name in names]
    if json:
        keys = ("id", "source", "statement", "statistic", "criterion")
        claims = [
            {key: str(getattr(claim, key)) for key in keys}
            for study in studies
            for claim in study.claims.values()
        ]
        print(dumps(claims, indent=1))
        return 0
    for study in studies:
        console().print(f"[b]{study.name}[/b]  {study.title}  {study.document}", highlight=False)
        rows = table("claim", "statement", "source")
        for claim in study.claims.values():
            rows.add_row(plain(claim.id), plain(claim.statement), plain(claim.source))
        console().print(rows)
    return 0


def _show(result: StudyResult) -> None:
    from spectrain_studies.frame.ledger import measured, tally

    rows = table("verdict", "claim", "statistic", "measured", "criterion", numbers=("measured",))
    facts: dict[str, Any] = result.to_dict()
    for row in facts["claims"]:
        rows.add_row(
            verdict(row["verdict"]),
            plain(row["id"]),
            plain(row["statistic"]),
            plain(measured(row)),
            plain(row["criterion"]),
        )
    out = console()
    out.print(rows)
    counts = tally(row["verdict"] for row in facts["claims"])
    out.print(f"{counts}; {len(result.figures)} figure files; {result.seconds:.0f} s")
    for problem in result.problems:
        out.print(plain(f"failed: {problem}"))
