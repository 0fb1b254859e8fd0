from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from spectrain.answers import Finding, diagnose
from spectrain.records import Run
from spectrain.report import render
from support.synthetic_run import write_run

if TYPE_CHECKING:  # tests that open no page run without Playwright
    from playwright.sync_api import Browser, Page

    from support.browser import Visit

collect_ignore = (
    []
    if find_spec("playwright")
    else [
        "test_browser.py",
        "test_comparison_in_browser.py",
        "test_page_in_browser.py",
        "test_many.py",
        "serve/test_live_browser.py",
    ]
)


@pytest.fixture(scope="session")
def realistic_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Sixty samples of thirty blocks."""
    return write_run(tmp_path_factory.mktemp("realistic") / "run")


@pytest.fixture(scope="session")
def realistic_findings(realistic_run: Run) -> Sequence[Finding[Any, Any]]:
    """What is said of that run."""
    return diagnose(realistic_run)


@pytest.fixture(scope="session")
def page_file(
    realistic_run: Run,
    realistic_findings: Sequence[Finding[Any, Any]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """The page of that run."""
    file = tmp_path_factory.mktemp("page") / "page.html"
    return render(realistic_run, file, findings=realistic_findings)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One browser for all."""
    from support.browser import running_browser

    with running_browser() as started:
        yield started


@pytest.fixture(scope="session")
def opened(browser: Browser, page_file: Path) -> Iterator[Visit]:
    """The page, opened once for all tests that only read it."""
    from support.browser import visit

    seen = visit(browser, page_file, width=1400)
    yield seen
    seen.page.context.close()


AS_OPENED = """() => {
  history.replaceState(null, "", location.pathname);
  choose(byId("block").options[0].value, { address: false });
  for (const field of document.querySelectorAll("input[type=search]")) field.value = "";
  for (const box of document.querySelectorAll(".table-tools [type=checkbox]")) box.checked = false;
  for (const field of document.querySelectorAll("input[type=search]"))
    field.dispatchEvent(new Event("input"));
  for (const part of document.querySelectorAll("details")) part.open = false;
  byId("unfold").setAttribute("aria-pressed", "false");
  document.querySelector("#scale input[value=linear]").checked = true;
  byId("smoothing").value = view.smoothing = 0;
  byId("source").value = byId("source").options[0].value;
  zoomTo(null);
  document.activeElement.blur();
  scrollTo(0, 0);
}"""


@pytest.fixture
def page(opened: Visit, page_file: Path) -> Iterator[Page]:
    """The page as it is when it is opened; what it complains of or asks for fails the test."""
    opened.page.mouse.move(0, 0)
    opened.page.evaluate(AS_OPENED)
    yield opened.page
    asked = [request for request in opened.requests if not request.startswith("blob:")]
    assert (opened.complaints, asked) == ([], [page_file.as_uri()])
