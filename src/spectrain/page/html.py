"""HTML that is safe by construction: text is escaped unless an element made it."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from html import escape
from importlib.resources import files
from json import dumps
from typing import Any

_VOID = {"input", "link", "meta"}
_LONGEST = 160  # characters of a text that a page shows


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def element(tag: str, /, *children: str, **attributes: str | float | None) -> Html:
    """An element around its children; whatever is not :class:`Html` is escaped.

    Attributes whose value is ``None`` are left out, ``class_`` is ``class`` and ``_`` is ``-``.

    Example:
        >>> element("td", "a < b", class_="name", title='"q"')
        '<td class="name" title="&quot;q&quot;">a &lt; b</td>'
    """
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    inner = join(*children)
    return Html(f"<{tag}{given}>" if tag in _VOID else f"<{tag}{given}>{inner}</{tag}>")


def join(*parts: str) -> Html:
    """Parts one after the other, escaped where they are not markup."""
    return Html("".join(part if isinstance(part, Html) else escape(part) for part in parts))


def name(text: str) -> Html:
    """A name that a user chose: cut in the middle where it is very long, whole as its title."""
    breakable = Html(".<wbr>".join(escape(part) for part in shorten(text).split(".")))
    return element("span", breakable, class_="name", title=text if len(text) > _LONGEST else None)


def shorten(text: str) -> str:
    """At most 160 characters, cut in the middle."""
    half = _LONGEST // 2
    return text if len(text) <= _LONGEST else f"{text[: half - 1]} … {text[2 - half :]}"


def embed_json(data: Any, *, id: str) -> Html:
    """Data for a script to read. No text in it can end the element that holds it."""
    text = dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    return Html(f'<script type="application/json" id="{id}">{text}</script>')


def document(title: str, body: Html, *, data: Any, scripts: tuple[str, ...]) -> str:
    """One page that needs nothing beside itself.

    The page's own content security policy allows these very scripts, by their hashes, and no
    request to anywhere.

    Args:
        title: shown by the browser.
        body: the page.
        data: for the scripts, read from the element ``data``.
        scripts: run in this order once the page is there.
    """
    hashes = " ".join(
        f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" for script in scripts
    )
    policy = (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data: blob:; "
        f"script-src {hashes}; base-uri 'none'; form-action 'none'"
    )
    head = join(
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("link", rel="icon", href="data:,"),
        element("title", title),
        Html(f"<style>{asset('page.css')}</style>"),
    )
    tail = "".join(f"<script>{script}</script>" for script in scripts)
    page = f'<!doctype html><html lang="en"><head>{head}</head><body>{body}'
    return f"{page}{embed_json(data, id='data')}{tail}</body></html>\n"


def asset(name: str, *, package: str = "spectrain.page.assets") -> str:
    """A file that belongs to pages, out of the package that holds it."""
    return (files(package) / name).read_text("utf-8")
