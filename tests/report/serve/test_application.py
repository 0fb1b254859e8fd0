"""The live view: what it lists, what it refuses, and that pages follow the records."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

from spectrain.cli.main import main
from spectrain.core import InputError, Record, Role, Source
from spectrain.records import RunWriter
from spectrain.report.serve import application, list_runs
from spectrain.report.serve.pages import Pages
from support.synthetic_run import Recipe, make_block, write_run

starlette = pytest.importorskip("starlette.testclient")

HOSTILE = "<img src=x onerror=alert(1)> & %2e"
BLOCKS = [make_block("w", Role.MLP_IN, 0, (8, 8))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("served")
    inside = place / "runs"
    recipe = Recipe(blocks=BLOCKS, steps=range(3), spectra=False)
    write_run(inside / "demo" / "adamw", recipe)
    shutil.copytree(inside / "demo" / "adamw", inside / HOSTILE)
    write_run(place / "outside", recipe)
    (inside / "link").symlink_to(place / "outside")
    (inside / "broken").mkdir()
    (inside / "broken" / "manifest.json").write_text("{")
    return inside


@pytest.fixture
def client(folder: Path) -> Iterator[Any]:
    with starlette.TestClient(application(folder), base_url="http://localhost") as client:
        yield client


def test_the_list_tells_states_steps_and_losses(client: Any) -> None:
    runs = {run["name"]: run for run in client.get("/runs.json").json()}
    assert set(runs) == {"demo/adamw", HOSTILE, "broken"}  # a link that leads out is not followed
    run = runs["demo/adamw"]
    assert (run["state"], run["step"], run["blocks"]) == ("finished", 2, 1)
    assert 1 < run["loss"] < 6
    assert runs["broken"]["state"] == "unreadable"
    assert "not the manifest" in runs["broken"]["problem"]


def test_states_are_told_apart(tmp_path: Path) -> None:
    writers = {name: RunWriter(tmp_path / name, manifest={}) for name in ("a", "b", "c", "d")}
    writers["b"].abandon()
    writers["c"].close({"finished": False, "error": "OOM"})
    writers["d"].close({"finished": True})
    states = {run.name: run.state for run in list_runs(tmp_path)}
    assert states == {"a": "running", "b": "killed", "c": "crashed", "d": "finished"}
    writers["a"].close({})


def test_pages_are_those_of_the_runs(client: Any) -> None:
    assert "<h1>runs</h1>" in client.get("/").text
    framed = client.get("/run/demo/adamw").text
    assert 'src="../../page/demo/adamw"' in framed
    assert "adamw" in client.get("/page/demo/adamw").text
    assert client.get("/live.js").headers["content-type"].startswith("text/javascript")
    names = {"run": ["demo/adamw", HOSTILE]}
    assert "Comparison" in client.get("/compare", params=names).text


def test_names_are_escaped(client: Any) -> None:
    for text in (client.get("/").text, client.get(f"/run/{HOSTILE}").text):
        assert "<img src=x" not in text


@pytest.mark.parametrize(
    "address",
    [
        "/page/../outside",
        "/page/%2e%2e/outside",
        "/page//etc/passwd",
        "/state/link",
        "/run/demo",
        "/page/demo%2fadamw%00",
        "/page/demo/adamw/manifest.json",
    ],
)
def test_nothing_but_found_runs_is_reached(address: str, client: Any) -> None:
    answer = client.get(address)
    assert answer.status_code == 404
    assert "root:" not in answer.text


def test_it_is_read_only_and_keeps_to_its_own_names(client: Any, folder: Path) -> None:
    before = sorted(str(path) for path in folder.rglob("*"))
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert client.request(method, "/runs.json").status_code == 405
    assert client.get("/", headers={"host": "evil.example"}).status_code == 400
    assert client.get("/compare", params={"run": "demo/adamw"}).status_code == 400
    policy = client.get("/").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "connect-src 'self'" in policy
    client.get("/page/demo/adamw")
    assert sorted(str(path) for path in folder.rglob("*")) == before


def test_the_state_follows_the_records(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path / "runs" / "live", manifest={})
    with starlette.TestClient(
        application(tmp_path / "runs"), base_url="http://127.0.0.1"
    ) as client:
        first = client.get("/state/live").json()
        assert (first["state"], first["step"], first["loss"]) == ("running", None, None)
        losses = [2.0, float("nan")]
        for step, loss in enumerate(losses):
            writer.write([Record(step, None, Source.TRAINING, "loss", loss)])
            writer.flush()
            now = client.get("/state/live").json()
            assert (now["step"], now["rendered"], now["due"]) == (step, None, True)
            assert now["version"] != first["version"]
            first = now
        assert now["loss"] is None  # NaN has no place in JSON
        writer.close({})
        assert client.get("/state/live").json()["state"] == "finished"


def test_a_page_is_rendered_when_records_change_and_not_too_often() -> None:
    now, drawn = [0.0], []

    def draw(file: Path) -> None:
        drawn.append(now[0])
        now[0] += 1.0
        file.write_text(f"page {len(drawn)}")

    pages = Pages(clock=lambda: now[0])
    assert pages.get("a", "1", draw).content == b"page 1"
    assert pages.get("a", "1", draw).content == b"page 1"
    assert pages.get("a", "2", draw).content == b"page 1"  # rendered a moment ago
    assert (pages.rendered("a"), pages.due("a", "2")) == ("1", False)
    now[0] += 20
    assert pages.due("a", "2")
    assert not pages.due("a", "1")
    assert pages.get("a", "2", draw).content == b"page 2"
    assert len(drawn) == 2


def test_twenty_large_runs_are_listed_at_once(tmp_path: Path) -> None:
    """Their size does not matter: of each the newest parts alone are read."""
    writer = RunWriter(tmp_path / "runs" / "0", manifest={})
    for step in range(4):
        writer.write([Record(step, None, Source.TRAINING, "loss", 1.0)])
        writer.flush()
    writer.close({})
    for number in range(1, 20):
        shutil.copytree(tmp_path / "runs" / "0", tmp_path / "runs" / str(number))
    for part in (tmp_path / "runs").glob("*/metrics/*-part-000000-*"):
        os.truncate(part, 100_000_000)  # sparse: whoever reads it would take long, and fail
    list_runs(tmp_path / "runs")
    start = perf_counter()
    found = list_runs(tmp_path / "runs")
    seconds = perf_counter() - start
    assert [run.step for run in found] == [3] * 20
    assert seconds < 15  # measured 0.14 s of CPU, 1.1 s where 16 processes share two cores


def test_what_is_no_folder_is_refused(tmp_path: Path, capsys: Any) -> None:
    with pytest.raises(InputError, match="there is no folder"):
        application(tmp_path / "nowhere")
    assert main(["serve", str(tmp_path / "nowhere")]) == 2
    assert main(["serve", str(tmp_path), "--port", "70000"]) == 2
    assert "port is 70000" in capsys.readouterr().err


def test_following_a_run_that_is_over_shows_it_once(folder: Path, capsys: Any) -> None:
    run = folder / "demo" / "adamw"
    assert main(["follow", str(run)]) == 0
    shown = capsys.readouterr().out
    assert "finished" in shown
    assert "loss" in shown
    assert "moved most" in shown
    assert main(["follow", str(run), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["state"], told["blocks"][0]["block"]) == ("finished", "w")
