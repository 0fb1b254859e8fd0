"""The campaigns' stored reports as a page."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from scipy.stats import binomtest

RESULTS = Path(__file__).parent / "results"


def render(results: Path = RESULTS) -> str:
    """Tables of what is stored; what was not run is said to be so."""
    parts = [
        ("Packages", "packages.json", packages),
        ("Hardships", "hardships.json", hardships),
        ("Mutants", "mutants.json", mutants),
    ]
    text = []
    for title, name, table in parts:
        file = results / name
        body = table(json.loads(file.read_text("utf-8"))) if file.exists() else ["Not run."]
        text += [f"### {title}", "", *body, ""]
    return "\n".join(text)


def packages(found: Mapping[str, Any]) -> list[str]:
    """Sizes of the distributions, and how long each step took."""
    rows = [
        (f"`{name}`", f"{one['bytes'] / 1000:.0f}", one["files"], _parts(one["parts"]))
        for name, one in found["distributions"].items()
    ]
    steps = ", ".join(f"{step} {seconds:.0f}" for step, seconds in found["seconds"].items())
    return [
        *_table(("file", "kB", "files", "kB within, compressed in wheels"), rows),
        "",
        f"On Python {found['python']}, seconds: {steps}.",
    ]


def _parts(parts: Mapping[str, int]) -> str:
    largest = sorted(parts.items(), key=lambda part: -part[1])[:4]
    return ", ".join(f"{name} {size / 1000:.0f}" for name, size in largest)


def hardships(found: Mapping[str, Any]) -> list[str]:
    """How often each promise held."""
    rows = [
        (name, promise, f"{held} of {times}")
        for name, one in found["hardships"].items()
        for promise, (held, times) in one["held"].items()
    ]
    seconds = sum(one["figures"]["seconds"] for one in found["hardships"].values())
    return [
        f"At {found['scale']:g} of the full size, in {seconds / 60:.0f} minutes on a machine that "
        "did other things as well.",
        "",
        *_table(("hardship", "promise", "held"), rows),
    ]


def mutants(found: Mapping[str, Any]) -> list[str]:
    """The score and its parts, and every change that was not noticed."""
    judged = sum(one["outcome"] not in ("unsound", "too slow") for one in found["all"])
    killed = sum(one["outcome"] == "killed" for one in found["all"])
    low, high = binomtest(killed, judged).proportion_ci(method="wilson")
    rows = [(name, one["run"], f"{one['score']:.0%}") for name, one in found["packages"].items()]
    lived = [(f"`{m['file']}:{m['line']}`", f"`{_short(m['change'])}`") for m in found["lived"]]
    return [
        f"{judged} of the {found['drawn']} that were drawn have been judged, each against the fast "
        f"tests of the files that mirror it: **{found['score']:.0%}** were noticed (95 % interval "
        f"{low:.0%} to {high:.0%}). The aim is 85 % of 300.",
        "",
        *_table(("package", "mutants", "noticed"), rows),
        "",
        "Not noticed:",
        "",
        *_table(("line", "change"), lived),
    ]


def _short(change: str, most: int = 100) -> str:
    text = change.replace("|", "\\|").replace("`", "'")
    return text if len(text) <= most else f"{text[:most]} …"


def _table(heads: Sequence[str], rows: Iterable[Iterable[object]]) -> list[str]:
    lines = [heads, ["---"] * len(heads), *([str(cell) for cell in row] for row in rows)]
    return [f"| {' | '.join(line)} |" for line in lines]
