"""The pages in a real browser: drawn, quiet, offline, usable, and deaf to hostile names."""

from __future__ import annotations

import itertools
import re

import pytest
import torch
from playwright.sync_api import expect

from spectrain.checkpoint import inspect_checkpoints, open_checkpoint
from spectrain.core import Role
from spectrain.report import render, render_comparison, render_inspection
from support.browser import ABSENT, find_browser, visit
from support.sample_checkpoints import save_safetensors
from support.synthetic_run import Recipe, gpt_blocks, make_block, write_run

HOSTILE = (
    "<script>alert(1)</script>",
    "</script><script>window.hacked = 1</script>",
    "<img src=x onerror=alert(2)>",
    '"><svg onload=alert(3)>',
    "<a href='javascript:alert(4)'>press</a>",
    "%{y} {{x}} ${x} &lt;b&gt;",
    "‮gnp.elif" + "x" * 500,
)


def height_and_width(page, selector):
    box = page.locator(selector).first.bounding_box()
    return (box["width"], box["height"]) if box else (0, 0)


def paths(page):
    return page.eval_on_selector_all(
        "#overlay-chart .scatterlayer .js-line", "all => all.map(p => p.getAttribute('d'))"
    )


def column(page, heading):
    headings = page.locator("#blocks thead th").all_inner_texts()
    index = next(i for i, text in enumerate(headings) if text.startswith(heading)) + 1
    return page.locator(f"#blocks tbody tr > :nth-child({index})").all_inner_texts()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (400, "dark")])
def test_everything_is_drawn_without_a_word_or_a_request(browser, page_file, width, scheme):
    seen = visit(browser, page_file, width=width, scheme=scheme)
    seen.page.click("#unfold")
    assert (seen.complaints, seen.requests) == ([], [page_file.as_uri()])
    for key in ("rank", "descent", "update"):
        images = seen.page.locator(f"#grid-{key} .heatmaplayer image")
        assert images.count() == 9  # one a role
        assert min(height_and_width(seen.page, f"#grid-{key} .heatmaplayer image")) > 5
    assert len(paths(seen.page)) == 3
    for chart in ("#loss-chart .xy", "#overlay-chart .xy", "#map-chart .xy", "#course-chart .xy"):
        assert min(height_and_width(seen.page, chart)) > 100
    assert seen.page.evaluate("document.documentElement.scrollWidth") == width
    assert contrasts(seen.page) == {}
    seen.page.context.close()


def contrasts(page):
    """Colours of text that WCAG 2 would call too faint: below 4.5 on what lies behind them."""
    faint = {}
    for text in ("ink", "soft", "spectral", "euclidean", "falling", "rising", "accent"):
        for ground in ("paper", "card"):
            shades = [luminance(page.evaluate(f"color('{name}')")) for name in (text, ground)]
            ratio = (max(shades) + 0.05) / (min(shades) + 0.05)
            if ratio < 4.5:
                faint[text, ground] = ratio
    return faint


def luminance(color):
    channels = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_another_block_or_matrix_is_another_spectrum(page):
    page.click("#spectrum summary")
    drawn = [paths(page)]
    page.select_option("#block", label="layers.3.mlp.in.weight")
    drawn.append(paths(page))
    page.select_option("#source", "weight")
    drawn.append(paths(page))
    assert all(len(one) == 3 for one in drawn)
    assert all(one != other for one, other in itertools.combinations(drawn, 2))


def test_steps_are_linear_or_logarithmic_as_one_likes(page):
    kinds = "['loss-chart', 'grid-rank'].map(id => document.getElementById(id).layout.xaxis.type)"
    page.click("#heatmaps summary")
    assert page.evaluate(kinds) == ["linear", "linear"]
    page.click("#step-tools summary")
    page.check("#scale input[value=log]")
    assert page.evaluate(kinds) == ["log", "log"]


def test_verdicts_are_said_in_words(page):
    page.click("#table summary")
    cells = {cell.split()[-1] for cell in column(page, "Step favoured")}
    assert cells == {"spectral", "euclidean", "open", "matrix"}  # a gain is no matrix


def test_the_table_sorts_by_mouse_and_keyboard(browser, tmp_path):
    blocks = [*gpt_blocks(2), make_block("unseen.weight", Role.OTHER, None, (8, 8))]
    run = write_run(
        tmp_path / "run", Recipe(blocks=blocks, steps=range(12), skip=("unseen.weight",))
    )
    page = visit(browser, render(run, tmp_path / "page.html")).page
    page.click("#table summary")

    def ratios():
        return [
            float(found[0]) if (found := re.findall(r"[\d.]+", cell)) else None
            for cell in column(page, "nr / st")
        ]

    page.click("#blocks thead button:has-text('nr / st')")
    rising = ratios()
    page.focus("#blocks thead button:has-text('nr / st')")
    page.keyboard.press("Enter")
    falling = ratios()
    assert rising[-1] is falling[-1] is None
    assert rising[:-1] == sorted(rising[:-1])
    assert falling[:-1] == rising[-2::-1]
    assert page.get_attribute("#blocks th:has-text('nr / st')", "aria-sort") == "descending"
    page.click("#blocks thead button:has-text('Block')")
    names = column(page, "Block")
    assert names[0] == "embedding.weight"
    assert names.index("layers.0.attn.key.weight") < names.index("layers.1.attn.key.weight")
    page.context.close()


def test_hostile_names_are_inert_and_shown_as_they_are(browser, tmp_path):
    """With the page's own security policy switched off, so that only the escaping protects."""
    blocks = [make_block(name, role, 0, (8, 8)) for name, role in zip(HOSTILE, Role, strict=False)]
    recipe = Recipe(
        blocks=blocks,
        steps=range(10),
        config={name: name for name in HOSTILE},
        skipped=tuple((name, name) for name in HOSTILE),
        loss_names=("loss", "loss <script>alert(5)</script>"),
    )
    run = write_run(tmp_path / "<img src=x onerror=alert(6)>", recipe)
    for file in (
        render(run, tmp_path / "page.html"),
        render_comparison([run, run], tmp_path / "both.html"),
    ):
        seen = visit(browser, file, bypass_csp=True)
        page = seen.page
        page.click("#unfold")
        for chart in page.locator(".chart:not(.empty)").all():
            chart.hover()
        assert (seen.dialogs, seen.complaints, seen.requests) == ([], [], [file.as_uri()])
        assert page.evaluate("window.hacked") is None
        assert page.locator("main img, main script, main svg a").count() == 0
        assert page.locator("main a:not([href^='#'])").count() == 0
        page.context.close()
    page = visit(browser, tmp_path / "page.html").page
    page.click("#unfold")
    assert column(page, "Block")[:-1] == list(HOSTILE[:-1])
    assert page.locator("h1").inner_text() == "<img src=x onerror=alert(6)>"
    images = page.locator("#grid-rank .heatmaplayer image")
    for position, name in enumerate(HOSTILE[:-1]):
        images.nth(position).hover(force=True)
        expect(page.locator("#grid-rank .hoverlayer")).to_contain_text(name)
    page.context.close()


def test_the_policy_of_the_page_forbids_scripts_that_are_not_its_own(browser, page_file):
    seen = visit(browser, page_file)
    seen.page.evaluate(
        "document.body.insertAdjacentHTML('beforeend', '<img src=data:, onerror=window.hacked=1>')"
    )
    seen.page.wait_for_timeout(100)
    assert seen.page.evaluate("window.hacked") is None
    assert any("Content Security Policy" in complaint for complaint in seen.complaints)
    seen.page.context.close()


@pytest.mark.parametrize(
    ("recipe", "missing"),
    [
        (Recipe(blocks=(), steps=(), loss=False, batch_size=False, summary=False), 6),
        (Recipe(blocks=gpt_blocks(1), steps=(0,)), 2),
        (Recipe(blocks=gpt_blocks(1), steps=(5,), loss=False), 3),
        (Recipe(blocks=gpt_blocks(1), steps=range(9), spectra=False, activations=False), 2),
        (Recipe(blocks=gpt_blocks(1), steps=(), loss=True), 5),
    ],
    ids=["nothing", "one step", "one late step, no loss", "gradients only", "loss only"],
)
def test_partial_runs_say_what_is_missing(browser, recipe, missing, tmp_path):
    file = render(write_run(tmp_path / "run", recipe), tmp_path / "page.html")
    seen = visit(browser, file)
    assert (seen.complaints, seen.requests) == ([], [file.as_uri()])
    assert seen.page.locator(".missing").count() == missing
    seen.page.context.close()


@pytest.mark.parametrize(
    ("recipe", "width", "charts"),
    [
        (Recipe(blocks=gpt_blocks(1), steps=range(20)), 1280, 9),
        (Recipe(blocks=gpt_blocks(1)[:4], steps=(3,)), 400, 9),
        (Recipe(blocks=(), steps=(), loss=False), 1280, 9),
    ],
    ids=["whole", "one step", "nothing"],
)
def test_runs_side_by_side(browser, realistic_run, tmp_path, recipe, width, charts):
    other = write_run(tmp_path / "other", recipe)
    file = render_comparison([realistic_run, other], tmp_path / "both.html")
    seen = visit(browser, file, width=width)
    assert (seen.complaints, seen.requests) == ([], [file.as_uri()])
    seen.page.click("#unfold")
    assert seen.page.locator("#loss-chart .js-line").count() == 1 + recipe.loss
    assert seen.page.locator(".multiples .chart .plot-container").count() == charts
    assert seen.page.evaluate("document.documentElement.scrollWidth") == width
    seen.page.context.close()


def test_without_a_browser_the_test_says_how_to_get_one(monkeypatch, tmp_path):
    class Nothing:
        class chromium:  # noqa: N801
            executable_path = str(tmp_path / "chrome")

    monkeypatch.setattr("support.browser.shutil.which", lambda name: None)
    with pytest.raises(pytest.fail.Exception, match=re.escape(ABSENT)):
        find_browser(Nothing)  # type: ignore[arg-type]


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (400, "dark")])
def test_the_page_of_an_inspection_is_drawn_and_deaf_to_names(browser, tmp_path, width, scheme):
    tensors = {name[:200]: torch.randn(20, 12) for name in HOSTILE}
    tensors |= {f"layers.{i}.attn.q_proj.weight": torch.randn(20, 20) for i in range(6)}
    path = save_safetensors(tmp_path / "m.safetensors", tensors)
    run = inspect_checkpoints([open_checkpoint(path)], tmp_path / "run").run
    file = render_inspection(run, tmp_path / "page.html")
    seen = visit(browser, file, width=width, scheme=scheme, bypass_csp=True)
    page = seen.page
    assert min(height_and_width(page, "#lane-0 .scatterlayer")) > 20
    page.click("#unfold")
    assert min(height_and_width(page, "#overlay-chart .xy")) > 100
    page.select_option("#measure", "stable_rank")
    page.locator("#blocks thead button").nth(5).click()
    numbers = [float(text) for text in column(page, "‖W‖")]
    assert numbers == sorted(numbers)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert contrasts(page) == {}
    assert (seen.complaints, seen.requests, seen.dialogs) == ([], [file.as_uri()], [])
    assert page.evaluate("window.hacked") is None
    page.context.close()
