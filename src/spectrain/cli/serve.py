"""``spectrain serve``."""

from __future__ import annotations

from json import dumps
from pathlib import Path
from typing import Annotated

import tyro

from spectrain.core import InputError


def run(
    path: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FOLDER")],
    *,
    host: str = "127.0.0.1",
    port: int = 8265,
    json: bool = False,
) -> None:
    """Show the runs in a folder, and those that are still training, in the browser.

    The list shows which runs are running, finished, killed or crashed; pages follow what runs
    write; ticked runs are put side by side. Nothing can be changed from there. Ctrl-C ends it.

    Args:
        path: folder of runs; those in folders below are found too.
        host: address to listen on. Others than this machine reach it only if you name another.
        port: number of the port; 0 takes any that is free.
        json: print the address as JSON.
    """
    from spectrain.report.serve import application
    from spectrain.report.serve.application import LOOPBACK
    from spectrain.report.serve.listen import listen

    hosts = LOOPBACK if host in LOOPBACK else ("*",)
    app = application(path, hosts=hosts)

    def ready(address: str) -> None:
        print(dumps({"address": address}) if json else f"{path} is served at {address}", flush=True)

    if not 0 <= port < 65536:
        raise InputError(f"port is {port}", remedy="pass a number from 0 to 65535")
    listen(app, host=host, port=port, ready=ready)
