"""The whole study at a tiny scale: every claim judged, every figure drawn, one claim alone."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from spectrain_studies.frame import execute
from spectrain_studies.rank import STUDY
from spectrain_studies.rank.config import PAPER


@pytest.fixture(scope="module")
def outcome(tiny, tmp_path_factory):
    out = tmp_path_factory.mktemp("rank")
    return out, execute(STUDY, "quick", out, config=replace(tiny, models=("mlp",)))


def test_every_claim_is_judged_and_every_figure_drawn(outcome) -> None:
    out, result = outcome
    assert result.problems == []
    assert len(result.claims) == len(STUDY.claims) > 40
    assert [j.note for _, j in result.claims if "could not be judged" in j.note] == []
    assert len(result.figures) == 2 * len(STUDY.figures)
    assert json.loads((out / "result.json").read_text("utf-8"))["study"] == "rank"


def test_one_claim_reads_only_what_it_needs(outcome, tiny, tmp_path) -> None:
    result = execute(STUDY, "quick", tmp_path, config=tiny, claims=["rank/adam-reinflates-rank"])
    assert [claim.id for claim, _ in result.claims] == ["rank/adam-reinflates-rank"]
    assert [folder.name for folder in (tmp_path / "outcomes").iterdir()] == ["reinflation"]
    (judgement,) = (judgement for _, judgement in result.claims)
    assert judgement.verdict == "fails"


def test_identities_hold_at_any_size(outcome) -> None:
    verdicts = {claim.id: str(judgement.verdict) for claim, judgement in outcome[1].claims}
    assert verdicts["rank/angle-identity"] == "holds"
    assert verdicts["rank/information-loss-identity"] == "holds"
    assert verdicts["rank/adam-sees-scale"] == "fails"


def test_models_without_data_are_left_out_and_said(tiny, tmp_path) -> None:
    config = replace(
        tiny, mlp=replace(tiny.mlp, images="nowhere"), conv=replace(tiny.conv, images="nowhere")
    )
    result = execute(STUDY, "quick", tmp_path, config=config, claims=["angle-identity"])
    ((_, judgement),) = result.claims
    assert judgement.verdict == "holds"
    assert judgement.note == "Rests on gpt"


def test_the_documents_own_numbers_are_the_defaults() -> None:
    assert PAPER.interventions.keep == 10
    assert PAPER.probing.minibatches == 100
    assert PAPER.probing.iterations == tuple(range(1, 11))
    assert PAPER.training.seeds >= 5
