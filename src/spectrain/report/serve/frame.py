"""HTML of the live view: the list, and the frame around a run's page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any
from urllib.parse import quote

from spectrain.page.html import Html, asset, element, embed_json, join
from spectrain.report.serve.listing import Listed

EVERY = 2000
"""Milliseconds between two looks at the records."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src data:; "
    "connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'"
)
"""Content security policy of these pages; those of runs bring their own."""

_COLUMNS = ("", "run", "state", "step", "loss", "last record", "blocks")


def list_page(folder: str, runs: Sequence[Listed]) -> str:
    """The list of runs, which keeps itself up to date."""
    head = element("tr", *(element("th", name, scope="col") for name in _COLUMNS))
    table = element("table", element("thead", head), element("tbody"), id="runs")
    body = element(
        "main",
        element("p", "spectrain", class_="wordmark"),
        element("h1", folder),
        element("p", element("span", "", id="count"), " ", _connection()),
        element("div", table, class_="scroll"),
        element("p", element("button", "Compare ticked runs", id="compare", type="button")),
    )
    data = {"runs": [asdict(run) for run in runs], "every": EVERY}
    return _document(f"{folder} · spectrain", body, data, up="")


def run_page(name: str) -> str:
    """The frame around the page of a run, which looks for new records by itself."""
    up = "../" * (name.count("/") + 1)
    address = quote(name)
    body = join(
        element(
            "header",
            element("a", "all runs", href=up or "./"),
            element("b", name),
            element("span", "", id="state", role="status"),
            _connection(),
        ),
        element("iframe", id="page", title=f"page of {name}", src=f"{up}page/{address}"),
    )
    data = {"state": f"{up}state/{address}", "every": EVERY}
    return _document(f"{name} · spectrain", body, data, up=up, kind="live whole")


def plain_page(title: str, text: str) -> str:
    """A page with a sentence."""
    body = element("main", element("h1", title), element("p", text))
    return _document(f"{title} · spectrain", body, {}, up="/")


def _connection() -> Html:
    return element("span", "", id="connection", role="status")


def _document(
    title: str, body: Html, data: Mapping[str, Any], *, up: str, kind: str = "live"
) -> str:
    head = join(
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("link", rel="icon", href="data:,"),
        element("title", title),
        Html(f"<style>{asset('page.css')}{asset('live.css', package=__package__)}</style>"),
    )
    script = element("script", src=f"{up}live.js", defer="")
    inside = join(body, embed_json(data, id="data"), script)
    return (
        f'<!doctype html><html lang="en"><head>{head}</head>'
        f"{element('body', inside, class_=kind)}</html>\n"
    )
