"""The live view: a folder of runs in the browser, read-only; needs the extra ``spectrain[serve]``.

:func:`application` makes the ASGI application that ``spectrain serve`` puts on the loopback.
"""

from spectrain.report.serve.application import application
from spectrain.report.serve.listing import Listed, list_runs

__all__ = ["Listed", "application", "list_runs"]
