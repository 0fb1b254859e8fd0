"""Pages of very many blocks and of very many runs: small enough, quick enough, deaf to names."""

from __future__ import annotations

from dataclasses import replace
from itertools import cycle
from time import perf_counter

import pytest

from spectrain.core import Record, Role, Source
from spectrain.records import RunWriter, open_run
from spectrain.report import render, render_comparison
from spectrain.report.comparison import Comparison, Loss, LossRow
from support.browser import visit
from support.synthetic_run import Recipe, gpt_blocks, make_block, write_run

MOST_BYTES = 8_000_000
MOST_SECONDS = 3.0
HOSTILE = "</script><img src=x onerror=window.hacked=1>"


def opened_in(browser, file):
    """Seconds of the browser's own processor time until the page is there, and the visit."""
    seen = visit(browser, file, width=1400)
    session = seen.page.context.new_cdp_session(seen.page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    metrics = session.send("Performance.getMetrics")["metrics"]
    return next(m["value"] for m in metrics if m["name"] == "TaskDuration"), seen


@pytest.mark.slow
def test_a_thousand_blocks(browser, realistic_findings, tmp_path):
    blocks = gpt_blocks(143)
    blocks[5] = make_block(f"layers.0.{HOSTILE}", Role.MLP_IN, 0, (256, 64))
    run = write_run(tmp_path / "run", Recipe(blocks=blocks, steps=range(0, 240, 12)))
    findings = [
        replace(
            finding,
            rows=tuple(
                replace(row, block=block.name)
                for block, row in zip(blocks, cycle(finding.rows), strict=False)
            ),
        )
        for finding in realistic_findings
    ]
    file = render(run, tmp_path / "page.html", findings=findings)
    assert file.stat().st_size < MOST_BYTES
    seconds, seen = opened_in(browser, file)
    assert seconds < MOST_SECONDS
    seen.page.click("#unfold")
    assert seen.complaints == []
    assert seen.page.evaluate("window.hacked") is None
    begun = perf_counter()
    seen.page.fill("#table input[type=search]", "layers.142")
    assert seen.page.locator("#blocks tbody tr:visible").count() == 0  # beyond the 250 rows
    assert perf_counter() - begun < 20
    seen.page.context.close()


@pytest.mark.slow
def test_fifty_runs(browser, tmp_path):
    runs = []
    for number in range(50):
        config = {"lr": number // 5, "seed": number % 5, "note": HOSTILE if number == 7 else "x"}
        writer = RunWriter(tmp_path / f"run {number}", manifest={"config": config})
        losses = [Record(s, None, Source.TRAINING, "loss", 2 - s / 1000) for s in range(600)]
        writer.write(losses[: 0 if number == 9 else None])
        writer.close({})
        runs.append(open_run(tmp_path / f"run {number}"))
    late = [None if n == 9 else Loss(1.4 + n / 100, 0.01) for n in range(50)]
    found = Comparison(
        names=[run.path.name for run in runs],
        steps=599,
        losses=[LossRow("loss", 599, late)],
        roles=[],
        overheads=[None] * 50,
        findings=[[] for _ in runs],
    )
    file = render_comparison(runs, tmp_path / "all.html", comparison=found)
    assert file.stat().st_size < MOST_BYTES
    seconds, seen = opened_in(browser, file)
    page = seen.page
    assert seconds < MOST_SECONDS
    assert page.locator("#loss-chart .js-line").count() == 49
    assert "not logged" in page.locator("#runs-table tr", has_text="run 9").first.inner_text()
    page.fill("#runs input[type=search]", "run 1")
    assert page.evaluate("drawnRuns.size") == 11  # 1 and 10 to 19
    page.locator(".toggle-run:visible").first.uncheck()
    assert page.evaluate("drawnRuns.size") == 10
    assert (seen.complaints, page.evaluate("window.hacked")) == ([], None)
    page.context.close()
