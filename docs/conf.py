"""Sphinx configuration. The tables of the reference pages are generated from the code."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS))

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
