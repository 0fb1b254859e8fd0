"""Records and findings as one self-contained page, and as figures for papers."""

from spectrain.report.checkpoint_page import render_inspection
from spectrain.report.compare_page import render_comparison
from spectrain.report.comparison import Comparison, compare
from spectrain.report.health import health_frame
from spectrain.report.page import render

__all__ = [
    "Comparison",
    "compare",
    "health_frame",
    "render",
    "render_comparison",
    "render_inspection",
]
