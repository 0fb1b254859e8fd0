"""The ASGI application of the live view: reads only, and only runs below one folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from spectrain.core import InputError, RunError, SpectrainError
from spectrain.page.html import asset, element
from spectrain.records import Run, open_run
from spectrain.report.checkpoint_page import render_inspection
from spectrain.report.compare_page import render_comparison
from spectrain.report.health import is_inspection
from spectrain.report.page import render
from spectrain.report.serve.frame import POLICY, list_page, plain_page, run_page
from spectrain.report.serve.listing import Listed, find_runs, list_runs, version
from spectrain.report.serve.pages import Pages

LOOPBACK = ("localhost", "127.0.0.1", "[::1]", "::1")
"""Names under which the server answers; a page elsewhere cannot reach it by another name."""

try:
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware
    from starlette.requests import Request
    from starlette.responses import HTMLResponse, JSONResponse, Response
    from starlette.routing import Route
except ImportError:
    raise InputError(
        "the live view needs Starlette and uvicorn", remedy="run `pip install 'spectrain[serve]'`"
    ) from None

_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_OF_A_RUN = {name: text for name, text in _HEADERS.items() if name != "Content-Security-Policy"} | {
    "Content-Security-Policy": "frame-ancestors 'self'"
}


def application(folder: Path, *, hosts: Sequence[str] = LOOPBACK) -> Starlette:
    """The live view of the runs in a folder and below.

    ``/`` is the list, ``/run/NAME`` a run, ``/compare?run=NAME&run=NAME`` some side by side;
    ``/runs.json`` and ``/state/NAME`` are what the pages ask for again and again. There is nothing
    to write to, and names are looked up among those that were found, never joined to a path.

    Args:
        folder: what is served.
        hosts: names under which the server answers.

    Raises:
        InputError: there is no such folder.
    """
    if not folder.is_dir():
        raise InputError(f"there is no folder {str(folder)!r}", remedy="pass a folder of runs")
    served = _Served(folder.resolve())
    routes = [
        Route("/", served.index),
        Route("/live.js", served.script),
        Route("/runs.json", served.runs),
        Route("/compare", served.compare),
        Route("/state/{name:path}", served.state),
        Route("/run/{name:path}", served.run),
        Route("/page/{name:path}", served.page),
    ]
    handlers: dict[Any, Callable[..., Response]] = {SpectrainError: _refused}
    guard = Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))
    return Starlette(routes=routes, middleware=[guard], exception_handlers=handlers)


class _UnknownError(RunError):
    """No run of that name was found."""


class _Served:
    """The endpoints; synchronous ones, which Starlette runs in threads."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._pages = folder, Pages()
        self._script = asset("live.js", package=__package__ or "")

    def index(self, request: Request) -> Response:
        return HTMLResponse(list_page(self._folder.name, list_runs(self._folder)), headers=_HEADERS)

    def script(self, request: Request) -> Response:
        return Response(self._script, media_type="text/javascript", headers=_HEADERS)

    def runs(self, request: Request) -> Response:
        return JSONResponse([_finite(run) for run in list_runs(self._folder)], headers=_HEADERS)

    def state(self, request: Request) -> Response:
        name = request.path_params["name"]
        run = self._open(name)
        listed = next((one for one in list_runs(run.path)), Listed(name))
        now = version(run)
        facts = _finite(listed) | {
            "name": name,
            "version": now,
            "rendered": self._pages.rendered(name),
            "due": self._pages.due(name, now),
        }
        return JSONResponse(facts, headers=_HEADERS)

    def run(self, request: Request) -> Response:
        name = request.path_params["name"]
        self._open(name)
        return HTMLResponse(run_page(name), headers=_HEADERS)

    def page(self, request: Request) -> Response:
        name = request.path_params["name"]
        run = self._open(name)
        draw = render_inspection if is_inspection(run) else render
        kept = self._pages.get(name, version(run), partial(draw, run))
        mark = element("meta", name="version", content=kept.version)  # for the frame around it
        return HTMLResponse(kept.content + mark.encode(), headers=_OF_A_RUN)

    def compare(self, request: Request) -> Response:
        names = request.query_params.getlist("run")
        if len(names) < 2:
            raise InputError(f"{len(names)} runs are named", remedy="tick two runs or more")
        runs = [self._open(name) for name in names]
        state = "\n".join(version(run) for run in runs)
        kept = self._pages.get("\n".join(names), state, partial(render_comparison, runs))
        return HTMLResponse(kept.content, headers=_OF_A_RUN)

    def _open(self, name: str) -> Run:
        path = find_runs(self._folder).get(name)
        if path is None:
            raise _UnknownError(f"there is no run {name!r}", remedy="go back to the list")
        return open_run(path)


def _finite(run: Listed) -> dict[str, Any]:
    """Plain data; a loss that is no number has no place in JSON."""
    facts = asdict(run)
    if run.loss is not None and not abs(run.loss) < float("inf"):
        facts["loss"] = None
    return facts


def _refused(request: Request, error: Exception) -> Response:
    status = 404 if isinstance(error, _UnknownError) else 400
    return HTMLResponse(plain_page("Not shown", str(error)), status_code=status, headers=_HEADERS)
