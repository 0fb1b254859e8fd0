"""The old name of the answers, for scripts that were written for spectrain 0.1."""

from __future__ import annotations

import pytest

from spectrain import answers, findings
from support.synthetic_run import Recipe, gpt_blocks, write_run


@pytest.mark.parametrize("name", ["descent", "randomness", "diagnose", "select_blocks", "Finding"])
def test_the_old_name_still_answers_and_says_so(name):
    with pytest.warns(DeprecationWarning, match=f"import {name} from spectrain.answers"):
        found = getattr(findings, name)
    assert found is getattr(answers, name)


def test_what_never_was_there_is_not_there_now():
    with pytest.raises(AttributeError, match="has no attribute 'prophecy'"):
        findings.prophecy  # noqa: B018


def test_rows_answer_like_dictionaries(tmp_path):
    run = write_run(tmp_path / "run", Recipe(blocks=gpt_blocks(1), steps=range(2)))
    row = answers.descent(run).rows[0]
    assert row["block"] == row.block == row.get("block") == dict(row)["block"]
    assert ("ratio" in row, "height" in row, row.get("height", 3)) == (True, False, 3)
    with pytest.raises(KeyError, match="height"):
        row["height"]
