"""Sphinx configuration. The tables of the reference pages are generated from the code."""

from __future__ import annotations

import re
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS), str(DOCS.parent)]

from generate import listed, write_pages  # noqa: E402

from spectrain.core import Role, Source  # noqa: E402

write_pages(DOCS / "_generated")

project = "spectrain"
author = "the spectrain authors"
copyright = author
release = metadata.version("spectrain")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "_generated", "gallery", "verdicts_changed.md"]
html_theme = "furo"
html_title = f"spectrain {release}"
templates_path: list[str] = []
html_show_sphinx = False
html_copy_source = False

myst_enable_extensions = ["deflist", "substitution"]
myst_substitutions = {"roles": listed(Role), "sources": listed(Source)}
myst_heading_anchors = 3

autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_google_docstring = True
napoleon_custom_sections = ["Source"]
napoleon_attr_annotations = False

sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "_gallery",
    "filename_pattern": "/",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_signature": False,
    "write_computation_times": False,
    "min_reported_time": 60,
}
suppress_warnings = ["config.cache"]


def escape_bars(app: Any, what: str, name: str, of: Any, options: Any, lines: list[str]) -> None:
    """A bar in a docstring is an absolute value, and no substitution of reStructuredText."""
    for number, line in enumerate(lines):
        if not line.lstrip().startswith((">>>", "...")):
            parts = re.split(r"(``.*?``)", line)
            parts[::2] = [part.replace("|", r"\|") for part in parts[::2]]
            lines[number] = "".join(parts)


def setup(app: Any) -> None:
    app.connect("autodoc-process-docstring", escape_bars)
