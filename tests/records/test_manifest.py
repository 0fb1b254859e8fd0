"""The manifest: what it holds, what it keeps silent about, and what it survives."""

from __future__ import annotations

import getpass
import json
import math
import os
import platform
import socket
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spectrain.core import Block, Feed, Role, RunError, Skipped, Tap, View
from spectrain.records.manifest import (
    blocks_of,
    compose_manifest,
    openblas_threads,
    read_manifest,
    skipped_of,
    to_json,
    to_plain,
    write_manifest,
)

names = st.text(max_size=20)


@given(names, names, names, st.sampled_from(Role))
def test_blocks_and_skipped_survive_the_disk(
    tmp_path_factory: pytest.TempPathFactory, name: str, module: str, reason: str, role: Role
) -> None:
    folder = tmp_path_factory.mktemp("run")
    feed = Feed(module, Tap.UNFOLDED, 1, ((0, 2),))
    block = Block(name, role, 3, (4, 2), name, View(rows=((0, 4),)), (module,), feed, None)
    skipped = Skipped(name, reason)
    write_manifest(folder, compose_manifest({"blocks": [block], "skipped": [skipped]}))
    manifest = read_manifest(folder)
    assert blocks_of(manifest) == (block,)
    assert skipped_of(manifest) == (skipped,)


def test_versions_and_host_are_there_and_no_more() -> None:
    manifest = compose_manifest({"config": {"lr": 0.1}, "seeds": {"torch": 3}})
    assert manifest["versions"]["torch"] == torch.__version__
    assert manifest["versions"]["python"] == platform.python_version()
    assert manifest["versions"].keys() == {"spectrain", "torch", "python"}
    told = {"cpu", "cpu_count", "torch_threads", "openblas_threads", "os", "device"}
    assert manifest["host"].keys() == told
    assert manifest["host"]["cpu_count"] == os.cpu_count()
    assert manifest["config"] == {"lr": 0.1}
    assert manifest["seeds"] == {"torch": 3}


@pytest.mark.parametrize(
    ("variables", "threads"),
    [
        ({}, os.cpu_count()),
        ({"OMP_NUM_THREADS": "3"}, 3),
        ({"OMP_NUM_THREADS": "3", "OPENBLAS_NUM_THREADS": "1"}, 1),
        ({"OMP_NUM_THREADS": "many", "OPENBLAS_NUM_THREADS": "0"}, os.cpu_count()),
    ],
)
def test_threads_follow_the_rule_of_openblas(
    variables: dict[str, str], threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENBLAS_NUM_THREADS", "GOTO_NUM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert openblas_threads() == threads


def test_the_host_is_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_TOKEN", "swordfish")
    text = to_json(compose_manifest({})).decode()
    for secret in ("swordfish", socket.gethostname(), os.getcwd(), str(Path.home())):
        assert secret not in text
    user = getpass.getuser()
    assert user not in json.loads(text)["host"].values()


def test_callers_cannot_overwrite_the_format() -> None:
    assert compose_manifest({"schema_version": 99})["schema_version"] == 2


def test_everything_becomes_strict_json() -> None:
    data = {
        1: (True, None, np.int64(4), np.float32(0.5), Fraction(1, 2)),
        "nan": math.nan,
        "inf": -math.inf,
        "path": Path("a/b"),
        "dtype": torch.bfloat16,
        "role": Role.CONV,
        "\ud800": "\udfff",
    }
    assert json.loads(to_json(data)) == {
        "1": [True, None, 4, 0.5, 0.5],
        "nan": "nan",
        "inf": "-inf",
        "path": "a/b",
        "dtype": "torch.bfloat16",
        "role": "conv",
        "\\ud800": "\\udfff",
    }
    assert to_plain(True) is True


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"{",
        b"[]",
        b"{}",
        b'{"schema_version": "x"}',
        b'{"schema_version": 1}',
        b'{"schema_version": 1, "created_at": "", "blocks": [{"name": "w"}], "skipped": []}',
        b'{"schema_version": 1, "created_at": "", "blocks": [1], "skipped": []}',
        b'{"schema_version": 1, "created_at": "", "blocks": [], "skipped": {"a": 1}}',
        b"[" * 100_000,
    ],
)
def test_a_damaged_manifest_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "manifest.json").write_bytes(content)
    with pytest.raises(RunError, match=r"manifest\.json is not the manifest of a run; restore it"):
        read_manifest(tmp_path)


def test_a_newer_format_asks_for_an_update(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"schema_version": 3, "blocks": "of another kind"}')
    with pytest.raises(RunError, match=r"format 3.*reads up to 2; update spectrain"):
        read_manifest(tmp_path)


def test_a_path_that_is_no_run_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    for name, told in (
        ("empty", "empty is not a run folder.*pass the folder"),
        ("nowhere", "there is no .*nowhere; check the path"),
        ("file", "file is a file, not a run folder"),
    ):
        path = tmp_path / name
        with pytest.raises(RunError, match=told):
            read_manifest(path)
