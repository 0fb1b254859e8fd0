import json
import re

import pytest

from spectrain.core import RunError
from spectrain.report import render
from support.synthetic_run import Recipe, gpt_blocks, write_run

MOST_BYTES = 8_000_000


def data_of(page):
    text = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    return json.loads(text[1])


@pytest.fixture(scope="module")
def page(realistic_run, realistic_findings, tmp_path_factory):
    file = tmp_path_factory.mktemp("page") / "deep" / "er" / "page.html"
    return render(realistic_run, file, findings=realistic_findings)


def test_one_file_that_asks_for_nothing(page):
    text = page.read_text("utf-8")
    assert page.stat().st_size < MOST_BYTES  # 5.3 MB, of them 4.8 Plotly's
    own = text.replace(text[text.index("<script>") : text.index("const data")], "")
    assert not re.search(r"(src|href)=[\"'](?!data:|#)", own)
    assert [file.name for file in page.parent.iterdir()] == ["page.html"]


def test_findings_come_first_and_in_words(page):
    text = page.read_text("utf-8")
    assert text.index("The effective rank falls in 18 of 30 blocks") < text.index('id="loss"')
    assert text.index('id="loss"') < text.index("Which blocks should take spectral updates")
    assert "Of 30 blocks, the criterion favours the spectral step in" in text
    assert "0.97 % of the training&#x27;s time, of 1.0 % allowed" in text
    assert "one-dimensional" in text
    assert "head.<wbr>bias" in text


def test_chosen_blocks_alone_are_shown(realistic_run, tmp_path):
    chosen = realistic_run.blocks[:2]
    page = render(realistic_run, tmp_path / "page.html", blocks=chosen, findings=[])
    text = page.read_text("utf-8")
    data = data_of(text)
    assert data["waterfalls"]["blocks"] == ["embedding.weight", "layers.0.attn.query.weight"]
    assert len(data["rows"]) == len(data["grids"][0]["values"]) == 2
    assert "layers.0.attn.key.weight" not in text


@pytest.mark.slow
def test_large_networks_stay_below_the_limit(tmp_path):
    run = write_run(tmp_path / "run", Recipe(blocks=gpt_blocks(200), steps=range(64)))
    page = render(run, tmp_path / "page.html")
    assert page.stat().st_size < MOST_BYTES
    assert "The first 600 of 1,402" in page.read_text("utf-8")


def test_a_page_replaces_an_older_one(realistic_run, realistic_findings, page, tmp_path):
    file = tmp_path / "page.html"
    file.write_text("old")
    render(realistic_run, file, findings=realistic_findings)
    same = file.read_bytes() == page.read_bytes()
    assert same  # five megabytes are not to be shown


def test_a_file_that_cannot_be_written_is_a_run_error(realistic_run, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"cannot write the page .*; choose another file"):
        render(realistic_run, tmp_path / "file" / "page.html", findings=[])


def test_a_run_that_was_killed_says_so(tmp_path):
    run = write_run(tmp_path / "run", Recipe(blocks=gpt_blocks(1), steps=range(3), summary=False))
    text = render(run, tmp_path / "page.html", findings=[]).read_text("utf-8")
    assert "Not known: the run has not ended, or was killed." in text
    assert "not finished" in text
