"""The page of a run inside a notebook."""

from __future__ import annotations

from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory

from spectrain.records import Run
from spectrain.report.checkpoint_page import render_inspection
from spectrain.report.health import is_inspection
from spectrain.report.page import render

HEIGHT = 720
"""Pixels of the frame."""


class InlinePage:
    """A page that a notebook shows in a frame of its own, where its scripts see nothing else.

    Attributes:
        name: of the run.
        html: the page, whole.
    """

    def __init__(self, name: str, html: str) -> None:
        self.name, self.html = name, html

    def __repr__(self) -> str:
        return f"InlinePage({self.name!r}, {len(self.html) / 1e6:.1f} MB)"

    def _repr_html_(self) -> str:
        return (
            f'<iframe title="{escape(self.name)}" sandbox="allow-scripts allow-downloads" '
            f'style="width:100%;height:{HEIGHT}px;border:0" srcdoc="{escape(self.html)}"></iframe>'
        )


def inline_page(run: Run) -> InlinePage:
    """Render the page of a run, or of an inspection, as it is at this moment."""
    with TemporaryDirectory() as folder:
        file = (render_inspection if is_inspection(run) else render)(
            run, Path(folder) / "page.html"
        )
        return InlinePage(run.path.name, file.read_text("utf-8"))
