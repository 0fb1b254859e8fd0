"""The server behind the application: uvicorn on one socket."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import uvicorn

from spectrain.core import InputError

BACKLOG = 2048
"""Requests that wait while the server starts or is busy; as many as uvicorn's own."""


def listen(app: Any, *, host: str, port: int, ready: Callable[[str], None]) -> None:
    """Serve until Ctrl-C.

    Args:
        app: the ASGI application.
        host: address to bind.
        port: 0 for any that is free.
        ready: called with the address once requests are taken.

    Raises:
        InputError: the address cannot be bound.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        bound.listen(BACKLOG)  # who is told the address may ask at once, and waits
    except OSError as error:
        bound.close()
        raise InputError(
            f"{host}:{port} cannot be listened on: {error.strerror or error}",
            remedy="choose another --port, or --port 0 for any that is free",
        ) from None
    name = f"[{host}]" if ":" in host else host
    ready(f"http://{name}:{bound.getsockname()[1]}/")
    config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off")
    with bound:
        uvicorn.Server(config).run(sockets=[bound])
