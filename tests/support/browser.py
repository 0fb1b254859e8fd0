"""A real Chromium for the pages: the system's, else Playwright's own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Dialog, Page, Playwright, expect, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
ABSENT = (
    "there is no Chromium for the tests of the pages: install the system's (on Debian "
    "`apt-get install chromium`) or Playwright's own (`playwright install chromium`)"
)

PATIENCE = 240_000
"""Milliseconds until a page counts as hanging, on a machine however busy."""

expect.set_options(timeout=PATIENCE)


def find_browser(playwright: Playwright) -> str:
    """Path of a Chromium; without one the test fails and says how to get one."""
    system = next((path for name in NAMES if (path := shutil.which(name))), None)
    own = playwright.chromium.executable_path
    if system is None and not Path(own).exists():
        pytest.fail(ABSENT, pytrace=False)
    return system or own


def until(page: Page, condition: str) -> None:
    """Wait for an expression to be true, asked from outside.

    Playwright's own ``wait_for_function`` evaluates it within the page from the second time on,
    which the pages' policy forbids.
    """
    for _ in range(PATIENCE // 50):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    pytest.fail(f"never true: {condition}")


@contextmanager
def running_browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_browser(playwright), args=["--no-sandbox", "--disable-gpu"]
        )
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Visit:
    """An open page with everything it complained of, asked for and popped up."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)


def visit(
    browser: Browser,
    file: Path,
    *,
    width: int = 1280,
    scheme: Literal["dark", "light"] = "light",
    bypass_csp: bool = False,
) -> Visit:
    """Open a page in a fresh context."""
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=bypass_csp
    )
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    seen = Visit(page)
    page.on("console", lambda message: seen.complaints.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    page.on("request", lambda request: seen.requests.append(request.url))

    def dismiss(dialog: Dialog) -> None:
        seen.dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", dismiss)
    page.goto(file.as_uri())
    return seen
