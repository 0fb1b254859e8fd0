"""What the documents state is listed whole, and every claim stands in the list."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from spectrain.core import InputError
from spectrain_studies import STUDIES, load_study
from spectrain_studies.frame import document as module
from spectrain_studies.frame.document import (
    Document,
    Statement,
    Untested,
    cites,
    matching,
    numbers,
    read_document,
)

DOCUMENTED = ("descent", "noise", "randomness", "rank", "regime")
"""Studies of a document; others are our own."""
DOCUMENTS = {name: read_document(name) for name in DOCUMENTED}
CLAIMS = {claim.id: claim for name in STUDIES for claim in load_study(name).claims.values()}


def patterns(name: str) -> Iterator[tuple[str, Statement | None]]:
    yield from ((p, each) for each in DOCUMENTS[name].stated for p in each.claims)
    yield from ((p, None) for each in DOCUMENTS[name].beyond for p in each.claims)


def named() -> dict[str, list[tuple[str, Statement | None]]]:
    """Who names each claim: the study of the document, and the statement if it is one."""
    found: dict[str, list[tuple[str, Statement | None]]] = {}
    for name in DOCUMENTED:
        for pattern, statement in patterns(name):
            for claim in matching([pattern], name, CLAIMS)[pattern]:
                found.setdefault(claim, []).append((name, statement))
    return found


NAMED = named()


@pytest.mark.parametrize("name", DOCUMENTED)
def test_every_pattern_means_a_claim(name: str) -> None:
    for pattern, _ in patterns(name):
        assert matching([pattern], name, CLAIMS)[pattern], pattern


def test_every_claim_stands_in_a_list() -> None:
    assert {name for name in CLAIMS if name.split("/")[0] in DOCUMENTED} <= set(NAMED)


def test_a_claim_cites_a_place_that_names_it() -> None:
    wrong = []
    for claim, users in NAMED.items():
        places = [statement.place for _, statement in users if statement is not None]
        if places and not any(cites(CLAIMS[claim].source, place) for place in places):
            wrong.append((claim, CLAIMS[claim].source, places))
    assert wrong == []


def test_no_claim_cites_a_place_that_does_not_exist() -> None:
    wrong = []
    for claim, users in NAMED.items():
        study = next((name for name, statement in users if statement is not None), None)
        if study is None:
            continue
        source, places = CLAIMS[claim].source, DOCUMENTS[study].places
        aside = re.sub(r"\(“.*”[^)]*\)", "", source)
        slides = set(re.findall(r"“([^”]*)”", aside)) if study == "randomness" else set()
        if unknown := (numbers(source) | slides) - places:
            wrong.append((claim, unknown))
    assert wrong == []


def numbered(kind: str, *parts: tuple[str, int]) -> set[str]:
    form = "({}.{})" if kind == "equation" else f"{kind} {{}}.{{}}"
    return {form.format(part, n) for part, count in parts for n in range(1, count + 1)}


def test_every_number_of_the_long_document_is_listed() -> None:
    equations = numbered(
        "equation",
        *(("1", 9), ("2", 17), ("3", 27), ("4", 18)),
        *(("B", 2), ("C", 2), ("D", 8), ("E", 17), ("F", 14)),
    )
    results = numbers(
        "Lemmas 2.1, 2.4, 2.5, 2.9, 2.10, 2.11, 2.12, 2.13, 3.1, 3.3, 3.5, 3.10, 4.1, 4.2, G.1 and "
        "G.2; Theorems 2.2, 2.3, 2.6, 2.7, 2.8, 3.2, 3.4, 3.6, 3.7, 3.9, 3.11, B.1 and B.2; "
        "Corollaries 2.15, 3.8 and 3.12; Propositions 2.14 and 4.3; Examples 2.1 and 2.2; "
        "Remarks 1 and 2; Assumptions A, B, C, D, E, F, G and H; Tables 1 and 2"
    )
    results |= {
        *(f"Figure {n}" for n in range(1, 19)),
    }
    assert len(equations) == 114
    assert len(results) == 48 + 18
    assert equations | results <= DOCUMENTS["descent"].places


def test_every_figure_equation_and_prediction_of_the_minimal_model_is_listed() -> None:
    assert {
        *(f"equation ({n})" for n in (1, 2, 3)),
        *(f"Figure {n}" for n in (1, 2, 3, 4)),
        *(f"§4, prediction ({n})" for n in (1, 2, 3)),
    } <= DOCUMENTS["regime"].places


def test_every_experiment_question_and_criterion_of_the_hypothesis_is_listed() -> None:
    assert {
        *(f"Core hypothesis, observation {n}" for n in (1, 2, 3)),
        *(f"Experiment 2, key question {n}" for n in (1, 2, 3)),
        *(f"Experiment {n}, hypothesis predictions" for n in (1, 3)),
        *("Experiment 1, metrics", "Experiment 2, metrics", "Experiment 4, focus areas"),
        *("Experiment 4, metrics per layer", "Experiment 4, hypothesis", "Experiment 5"),
        *(f"Success criteria, question {n}" for n in (1, 2, 3, 4)),
    } <= DOCUMENTS["rank"].places


def test_every_prediction_of_the_noise_model_is_listed() -> None:
    predictions = {f"Empirical observables, prediction {n}" for n in (1, 2, 3)}
    assert predictions <= DOCUMENTS["noise"].places


@pytest.mark.parametrize("name", DOCUMENTED)
def test_what_is_left_open_says_why(name: str) -> None:
    for statement in DOCUMENTS[name].stated:
        assert statement.none is not Untested.OPEN or len(statement.why) > 40, statement.place


def test_a_list_that_cannot_be_read_is_told(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(module, "__file__", str(tmp_path / "frame" / "document.py"))
    (tmp_path / "toy").mkdir()
    file = tmp_path / "toy" / "document.yaml"
    assert read_document("toy") == Document((), ())
    file.write_text("stated: [{place: §1, says: a, none: lazy}]", "utf-8")
    with pytest.raises(InputError, match=r"cannot be read at '§1'.*DEFINITION"):
        read_document("toy")
    file.write_text("stated: [{place: §1, says: a}]", "utf-8")
    with pytest.raises(InputError, match="or neither"):
        read_document("toy")
    file.write_text("stated: [{place: §1, says: a, none: remark, claims: [b]}]", "utf-8")
    with pytest.raises(InputError, match="claims and a reason"):
        read_document("toy")


def test_ranges_are_places_one_by_one() -> None:
    document = Document((Statement("(2.6)–(2.8)", "", none=Untested.PROOF),), ())
    assert {"(2.6)", "(2.7)", "(2.8)"} <= document.places
