"""The live view in a real browser, beside a training that runs: it grows, ends, and is compared."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from support.browser import running_browser

TRAINING = """
import sys, time, torch, spectrain
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(16, 16), torch.nn.Tanh(), torch.nn.Linear(16, 4))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
steps, pause = int(sys.argv[2]), float(sys.argv[3])
with spectrain.watch(model, optimizer, sys.argv[1], every=2) as run:
    for step in range(steps):
        loss = model(torch.randn(8, 16)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        run.log(loss=loss)
        run.flush()
        time.sleep(pause)
"""


def train(path: Path, steps: int, pause: float) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", TRAINING, str(path), str(steps), str(pause)])


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "spectrain", "serve", str(folder), "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield json.loads(server.stdout.readline())["address"]
        finally:
            server.send_signal(signal.SIGINT)
            assert server.wait(60) == 130


@pytest.mark.slow
def test_a_training_is_followed_to_its_end(tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    assert train(folder / "before", 3, 0.0).wait() == 0
    training = train(folder / "live", 120, 0.25)
    try:
        with serving(folder) as address, running_browser() as browser:
            page = browser.new_page()
            heard: list[str] = []
            page.on("console", lambda message: heard.append(message.text))
            page.on("pageerror", lambda error: heard.append(str(error)))
            outside: list[str] = []
            page.on("request", lambda r: None if address in r.url else outside.append(r.url))
            page.goto(address)
            row = page.locator("#runs tbody tr", has_text="live")
            expect(row.locator(".state")).to_have_text("running", timeout=60_000)
            first = step_of(row)
            expect(row.locator("td").nth(3)).not_to_have_text(first, timeout=60_000)
            assert int(step_of(row)) > int(first or 0)

            page.keyboard.press("Tab")
            page.get_by_label("compare live").check()
            page.get_by_label("compare before").check()
            expect(page.locator("#compare")).to_have_text("Compare 2 runs")

            row.get_by_role("link").click()
            state = page.locator("#state")
            expect(state).to_contain_text("running", timeout=60_000)
            frame = page.frame_locator("#page")
            expect(frame.locator("h1")).to_be_visible(timeout=120_000)
            expect(state).to_contain_text("finished", timeout=240_000)
            expect(frame.locator("body")).not_to_contain_text(
                "The run is not over", timeout=120_000
            )

            page.get_by_role("link", name="all runs").click()
            page.get_by_label("compare live").check()
            page.get_by_label("compare before").check()
            page.locator("#compare").click()
            expect(page.locator("h1")).to_be_visible(timeout=120_000)
            assert [url for url in outside if not url.startswith(("data:", "blob:"))] == []
            assert heard == []
    finally:
        training.kill()
        training.wait()


def step_of(row: Any) -> str:
    text: str = row.locator("td").nth(3).inner_text()
    return text.replace(",", "").replace("–", "")
