"""``spectrain report``, ``compare`` and ``advise`` on runs from disk."""

import json

import pytest

from spectrain.answers import QUESTIONS, Sign, diagnose
from spectrain.cli.main import main
from spectrain.core import Role, Step, usual_step
from spectrain.optim import read_plan
from spectrain.records import open_run
from support.synthetic_run import Recipe, gpt_blocks, make_block, write_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return write_run(folder / "mine", Recipe(blocks=gpt_blocks(1), steps=range(30))).path


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return write_run(folder / "other", Recipe(blocks=gpt_blocks(1), steps=range(20), seed=1)).path


def call(capsys, *arguments):
    status = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_the_page_lies_in_the_run_folder(run, capsys):
    status, out, _ = call(capsys, "report", run)
    assert status == 0
    assert "Of 9 blocks, the criterion favours" in out
    size = (run / "report.html").stat().st_size
    assert out.endswith(f"{run}/report.html ({size / 1e6:.3g} MB)\n")


def test_the_page_as_json(run, tmp_path, capsys):
    page = tmp_path / "page.html"
    status, out, _ = call(
        capsys,
        "report",
        run,
        "--out",
        page,
        "--include",
        "layers.*",
        "--exclude",
        "*attn*",
        "--json",
    )
    told = json.loads(out)
    assert (status, told["page"], told["bytes"]) == (0, str(page), page.stat().st_size)
    names = [row["block"] for row in told["findings"][0]["rows"]]
    assert names == ["layers.0.mlp.in.weight", "layers.0.mlp.out.weight", "layers.0.norm.weight"]


def test_advice_as_a_table(run, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    status, out, _ = call(capsys, "advise", run)
    assert status == 0
    lines = out.splitlines()
    assert lines[0].split() == [
        "block",
        "step",
        "criterion",
        "nr/st",
        "95",
        "%",
        "measured",
        "granularity",
        "course",
        "fed",
        "by",
        "(columns)",
    ]
    query = next(line for line in lines if line.startswith("layers.0.attn.query.weight"))
    assert "spectral" in query
    assert "above 2 throughout" in query
    assert "input (512)" in query
    assert any(line.startswith("The criterion routes nothing") for line in lines)
    told = " ".join(out.split())  # long statements are wrapped
    for finding in diagnose(open_run(run)):
        assert " ".join(finding.statement.split()) in told


def test_advice_as_json(run, capsys):
    status, out, _ = call(capsys, "advise", run, "--include", "head*", "--json")
    told = json.loads(out)
    assert (status, told["name"], told["label"]) == (0, "descent", "heuristic")
    (row,) = told["rows"]
    assert (row["block"], row["verdict"]) == ("head.weight", "spectral")
    assert row["low"] <= row["ratio"] <= row["high"]


def test_names_cannot_command_the_terminal(tmp_path, capsys):
    name = "\x1b]0;title\x07[red]w[/red][q]"
    blocks = [make_block(name, Role.OTHER, 0, (8, 8))]
    run = write_run(tmp_path / "run", Recipe(blocks=blocks, steps=range(2)))
    status, out, _ = call(capsys, "advise", run.path)
    assert status == 0
    assert "�]0;title�[red]w[/red][q]" in out
    assert "\x1b" not in out


def test_runs_side_by_side(run, other, tmp_path, capsys):
    page = tmp_path / "both.html"
    status, out, _ = call(capsys, "compare", run, other, "--out", page)
    assert status == 0
    assert out.splitlines()[0].split() == ["mine", "other"]
    assert "loss at step 19" in out
    assert "nr/st, attention.q" in out
    assert out.endswith(f"{page}\n")
    assert page.stat().st_size > 4_000_000


def test_runs_side_by_side_as_json(run, other, capsys):
    status, out, _ = call(capsys, "compare", run, other, "--json")
    told = json.loads(out)
    assert (status, told["names"], told["steps"], told["page"]) == (0, ["mine", "other"], 19, None)
    assert [len(row["losses"]) for row in told["losses"]] == [2, 2, 2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["report", "/nowhere"], "there is no /nowhere; check the path"),
        (["advise", "/nowhere"], "there is no /nowhere"),
        (["compare", "/nowhere", "/nowhere"], "there is no /nowhere"),
        (["compare", "RUN"], "fewer than two runs are given; pass two or more to compare"),
        (["explain", "RUN", "why"], "there is no question 'why'; ask descent, rank, noise"),
        (["report", "RUN", "--include", "x*"], "the pattern 'x*' matches no block of"),
        (["report", "RUN", "--out", "/dev/null/page.html"], "cannot write the page /dev/null/page"),
    ],
)
def test_bad_input_is_one_line_and_status_2(arguments, message, run, capsys):
    status, out, err = call(capsys, *(run if part == "RUN" else part for part in arguments))
    assert (status, out) == (2, "")
    assert err.startswith(f"spectrain {arguments[0]}: {message}")
    assert err.count("\n") == 1


def test_the_plan_of_an_advice_is_usual_routing(run, tmp_path, capsys):
    path = tmp_path / "plan.yaml"
    status, out, _ = call(capsys, "advise", run, "--plan", path, "--json")
    assert status == 0
    plan = read_plan(path)
    roles = {block.name: block.role for block in open_run(run).blocks}
    assert dict(plan) == {name: usual_step(role) for name, role in roles.items()}
    assert {row["block"] for row in json.loads(out)["rows"]} == set(plan)
    assert set(plan.values()) == {Step.SPECTRAL, Step.EUCLIDEAN}


def test_an_explanation_fits_a_screen(run, capsys):
    status, out, _ = call(capsys, "explain", run)
    assert status == 0
    assert len(out.splitlines()) <= 24
    order = ["act", "watch", "not enough data", "good"]
    signs = [next((s for s in order if line.startswith(s)), None) for line in out.splitlines()]
    told = [order.index(sign) for sign in signs if sign]
    assert told == sorted(told)
    assert len(told) == len(QUESTIONS)


def test_an_explanation_of_one_question_in_full(run, capsys):
    _, short, _ = call(capsys, "explain", run, "rank")
    _, out, _ = call(capsys, "explain", run, "rank", "-v")
    (finding,) = diagnose(open_run(run), questions=["rank"])
    assert len(short) < len(out)
    text = " ".join(out.split())
    for line in (finding.question, finding.statement, *finding.advice, *finding.limits):
        assert " ".join(line.split()) in text


def test_an_explanation_as_json(run, capsys):
    _, out, _ = call(capsys, "explain", run, "rank", "audit", "--json")
    told = json.loads(out)
    assert [finding["name"] for finding in told] == ["rank", "audit"]
    assert all(finding["sign"] in list(Sign) for finding in told)
    assert all(finding["sentence"] for finding in told)
