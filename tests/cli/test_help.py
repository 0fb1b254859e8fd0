"""``--help`` answers at once: no command imports a heavy library for it."""

from __future__ import annotations

import subprocess
import sys

from spectrain.cli.main import COMMANDS

HEAVY = ("matplotlib", "numpy", "plotly", "polars", "scipy", "torch")

CODE = """
import contextlib, io, sys
from spectrain.cli.main import COMMANDS, main
for name in COMMANDS:
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown), contextlib.suppress(SystemExit):
        main([name, "--help"])
    loaded = [library for library in {heavy} if library in sys.modules]
    print(name, "usage: spectrain" in shown.getvalue(), *loaded)
"""


def test_no_help_imports_a_heavy_library() -> None:
    code = CODE.format(heavy=HEAVY)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stdout.split("\n")[:-1] == [f"{name} True" for name in COMMANDS], run.stderr
