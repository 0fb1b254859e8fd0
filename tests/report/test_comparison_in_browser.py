"""The page of several runs, as assistive technology finds it, on wide and narrow screens."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Page

from spectrain.records import Run
from spectrain.report import render_comparison
from support.browser import Visit, visit
from support.synthetic_run import write_run

AXE = (files("axe_playwright_python") / "axe.min.js").read_text("utf-8")


@pytest.fixture(scope="module")
def seen(browser, realistic_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visit]:
    other = write_run(tmp_path_factory.mktemp("other") / "run")
    file = render_comparison([realistic_run, other], tmp_path_factory.mktemp("page") / "page.html")
    found = visit(browser, Path(file), width=1400)
    yield found
    found.page.context.close()


def violations(page: Page) -> list[str]:
    """Rules of axe that the page breaks, each with the first element that does."""
    page.evaluate(AXE)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 400])
def test_axe_finds_no_violation(seen: Visit, scheme: Literal["light", "dark"], width: int) -> None:
    page = seen.page
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach((part) => (part.open = false))")
    page.wait_for_timeout(300)
    assert violations(page) == []
    page.evaluate("document.querySelectorAll('details').forEach((part) => (part.open = true))")
    page.wait_for_timeout(300)
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert seen.complaints == []
