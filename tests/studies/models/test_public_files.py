"""Public files are fetched once, from a server of the test, and only as they were published."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from hashlib import md5
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from spectrain.cli.main import main
from spectrain.core import InputError
from spectrain_studies.models import public_files
from spectrain_studies.models.images import load_images
from spectrain_studies.models.public_files import PUBLIC, PublicFiles, fetch, fetched

PIXELS = np.arange(3 * 2 * 2, dtype=np.uint8).reshape(3, 2, 2)
LABELS = np.array([2, 0, 1], dtype=np.uint8)
pytest.importorskip("pooch", reason="public files are fetched by pooch")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


def idx(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


def unreachable(files: PublicFiles) -> PublicFiles:
    return replace(files, address="http://127.0.0.1:9/")


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PublicFiles]:
    """Small files under MNIST's names at an address of this machine, and an empty cache."""
    site = tmp_path / "site"
    site.mkdir()
    digests = {}
    for name in PUBLIC["mnist"].digests:
        content = gzip.compress(idx(PIXELS if "images" in name else LABELS), mtime=0)
        (site / name).write_bytes(content)
        digests[name] = f"md5:{md5(content, usedforsecurity=False).hexdigest()}"
    monkeypatch.setenv(public_files.FOLDER, str(tmp_path / "cache"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site)))
    Thread(target=server.serve_forever, daemon=True).start()
    small = PublicFiles(f"http://127.0.0.1:{server.server_port}/", digests)
    monkeypatch.setattr(public_files, "PUBLIC", {"mnist": small})
    try:
        yield small
    finally:
        server.shutdown()
        server.server_close()


def test_files_are_fetched_once_and_then_read(published, tmp_path, monkeypatch):
    assert fetched("mnist") is None
    folder = fetch("mnist")
    assert folder == tmp_path / "cache" / "mnist" == fetched("mnist")
    monkeypatch.setattr(public_files, "PUBLIC", {"mnist": unreachable(published)})
    assert fetch("mnist") == folder
    images = load_images("mnist", split="test")
    np.testing.assert_array_equal(images.pixels.numpy() * 255, PIXELS)
    assert images.labels.tolist() == LABELS.tolist()
    assert images.facts["source"] == str(folder)


def test_another_file_than_the_published_one_is_refused_and_not_kept(published, tmp_path):
    (tmp_path / "site" / "t10k-labels-idx1-ubyte.gz").write_bytes(b"something else")
    with pytest.raises(InputError, match=r"idx1-ubyte.gz is not the file that was"):
        fetch("mnist")
    assert fetched("mnist") is None
    assert not (tmp_path / "cache" / "mnist" / "t10k-labels-idx1-ubyte.gz").exists()


def test_what_hinders_is_told(published, tmp_path, monkeypatch, capsys):
    (tmp_path / "site" / "train-images-idx3-ubyte.gz").unlink()
    with pytest.raises(InputError, match=r"train-images-idx3-ubyte.gz cannot be fetched \(404"):
        fetch("mnist")
    monkeypatch.setattr(public_files, "PUBLIC", {"mnist": unreachable(published)})
    with pytest.raises(InputError, match="cannot be fetched"):
        fetch("mnist")
    assert main(["study", "fetch", "cifar"]) == 2
    assert "choose among: mnist" in " ".join(capsys.readouterr().err.split())
    assert main(["study", "fetch"]) == 2
    monkeypatch.setattr(public_files, "find_spec", lambda name: None)
    assert fetched("mnist") is None
    with pytest.raises(InputError, match="pooch, which is not installed"):
        fetch("mnist")


def test_the_command_tells_where_they_lie(published, capsys, tmp_path):
    assert main(["study", "fetch", "mnist"]) == 0
    assert str(tmp_path / "cache" / "mnist") in capsys.readouterr().out.replace("\n", "")
