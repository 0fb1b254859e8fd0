from __future__ import annotations

from typing import Any

from spectrain_studies.rank import STUDY
from spectrain_studies.rank.four_answers.page import MISSING, QUESTIONS, answers


def row(name: str, **told) -> dict[str, Any]:
    return {
        "id": f"rank/{name}",
        "statement": "It is | so.",
        "verdict": "partly",
        "measured": 1.0,
        "error": 0.1,
        "low": 0.8,
        "high": 1.2,
        "details": {},
    } | told


def test_every_question_names_claims_that_exist() -> None:
    named = [name for _, names in QUESTIONS for name in names]
    assert len(named) == len(set(named))
    assert {f"rank/{name}" for name in named} <= set(STUDY.claims)
    assert {name for name in STUDY.claims if "/answer-" in name} <= {f"rank/{n}" for n in named}


def test_values_stand_model_by_model() -> None:
    details = {
        "gpt": {"verdict": "holds", "measured": -0.25},
        "mlp": {"verdict": "fails", "measured": None},
    }
    page = answers({"scale": "paper", "claims": [row("adam-rank-falls", details=details)]})
    assert (
        "| It is / so. (`rank/adam-rank-falls`) | partly | gpt: holds, -0.25; mlp: fails |" in page
    )


def test_claims_of_one_model_show_their_interval() -> None:
    assert "| 1 (0.8 to 1.2) |" in answers({"scale": "paper", "claims": [row("adam-rank-falls")]})


def test_without_a_run_the_page_says_how_to_make_one() -> None:
    assert answers(None) == MISSING
