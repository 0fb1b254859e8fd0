"""The address that is told takes requests."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import pytest

uvicorn = pytest.importorskip("uvicorn")


def test_who_is_told_the_address_can_connect_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from spectrain.report.serve.listen import listen

    monkeypatch.setattr(uvicorn.Server, "run", lambda self, sockets: None)
    reached: list[bool] = []

    def ready(address: str) -> None:
        at = urlsplit(address)
        assert at.hostname is not None
        assert at.port is not None
        with socket.create_connection((at.hostname, at.port), timeout=10):
            reached.append(True)

    listen(None, host="127.0.0.1", port=0, ready=ready)
    assert reached == [True]
