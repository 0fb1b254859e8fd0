"""What the documents show is executed, and the glossary holds every measure."""

from __future__ import annotations

import importlib.util
import re
from copy import deepcopy
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from spectrain.checkpoint.readers import READERS
from spectrain.matrix import MEASURES
from spectrain.optim import rules
from spectrain.optim.rules import registry
from spectrain.training.gpt import GPT, preset

ROOT = Path(__file__).parents[1]
PYTHON_BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def loss_of(logits: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


def train(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
    for _ in range(2):
        loss = loss_of(model(torch.zeros(2, 4, dtype=torch.long)), torch.ones(2, 4).long())
        loss.backward()
        optimizer.step()


@pytest.fixture
def namespace(generator: torch.Generator) -> dict[str, Any]:
    """What a reader of the documents has."""
    shape = preset("nanogpt", vocabulary=11, width=16, layers=1, context=8)
    model = GPT(shape, generator=generator)
    inputs = torch.randint(11, (4, 8), generator=generator)
    return {
        "model": model,
        "optimizer": torch.optim.AdamW(model.parameters()),
        "train": train,
        "loss_function": loss_of,
        "batches": [(inputs, inputs.roll(-1, 1))] * 3,
    }


@pytest.mark.parametrize(
    "page", ["README.md", "docs/quickstart.md", "docs/blocks.md", "docs/probes.md"]
)
def test_the_code_of_a_page_runs(
    page: str, namespace: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = PYTHON_BLOCK.findall((ROOT / page).read_text("utf-8"))
    assert blocks
    monkeypatch.chdir(tmp_path)
    for number, block in enumerate(blocks):
        exec(compile(block, f"{page}, block {number}", "exec"), namespace)
    assert (tmp_path / "runs/mine/manifest.json").is_file()


def test_the_code_on_trials_runs(
    namespace: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for block in PYTHON_BLOCK.findall((ROOT / "docs/trials.md").read_text("utf-8")):
        exec(compile(block, "docs/trials.md", "exec"), namespace)
    names = {one.change.name for one in namespace["found"].effects}
    assert names == {"*embedding* to Muon", "*mlp* with exponent 0.25", "no decay"}
    assert "even rows" not in {one.change.name for one in namespace["from_advised"].effects}


def test_the_code_on_optimizers_runs(
    namespace: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "RULES", copied := deepcopy(registry.RULES))
    monkeypatch.setattr(rules, "RULES", copied)  # what the page registers goes with it
    for block in PYTHON_BLOCK.findall((ROOT / "docs/optimizers.md").read_text("utf-8")):
        exec(compile(block, "docs/optimizers.md", "exec"), namespace)
    assert namespace["known"].name == "signdescent"
    assert namespace["known"].decay_factor() == 0.999


def test_the_recipes_run(
    namespace: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(MEASURES, "_measures", {**MEASURES})  # what is registered goes again
    before = dict(READERS)
    try:
        for block in PYTHON_BLOCK.findall((ROOT / "docs/howto.md").read_text("utf-8")):
            exec(compile(block, "docs/howto.md", "exec"), namespace)
    finally:
        READERS.clear()
        READERS.update(before)
    assert len(namespace["shares"])


@pytest.fixture
def generate() -> ModuleType:
    """The generator of the documents' tables."""
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs/generate.py")
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    assert spec.loader is not None
    spec.loader.exec_module(module)
    return module


def test_the_glossary_holds_every_measure_once(generate: ModuleType, tmp_path: Path) -> None:
    generate.write_pages(tmp_path / "pages")
    text = (tmp_path / "pages/measures.md").read_text("utf-8")
    for measure in MEASURES.values():
        assert text.count(f"### {measure.name}\n\n`{measure.formula}`\n") == 1


def test_no_two_measures_share_a_name_or_a_formula(generate: ModuleType) -> None:
    every = [m for registry in generate.REGISTRIES.values() for m in registry.values()]
    assert len({m.name for m in every}) == len({m.formula for m in every}) == len(every)


def targets_of(makefile: str) -> list[str]:
    return re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE)


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "docs/quickstart.md", ".ci/run"])
def test_every_make_target_that_a_page_names_exists(page: str) -> None:
    targets = set(targets_of((ROOT / "Makefile").read_text("utf-8")))
    named = re.findall(
        r"(?:`|\$ |^)make ([a-z -]+)", (ROOT / page).read_text("utf-8"), re.MULTILINE
    )
    assert named
    assert {name for names in named for name in names.split("  ")[0].split()} <= targets


def links(text: str) -> list[str]:
    return [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_lead_somewhere(page: str) -> None:
    missing = [
        link for link in links((ROOT / page).read_text("utf-8")) if not (ROOT / link).exists()
    ]
    assert missing == []


def test_the_glossary_lists_what_is_recorded(generate: ModuleType) -> None:
    table = generate.recorded(generate.all_quantities().values())
    for name in ("`learning_rate`", "`traffic_bytes`", "`echo`", "`order_evidence`", "`lora_rank`"):
        assert table.count(name) == 1
    assert "gradient, weight" in next(line for line in table.splitlines() if "`not_finite`" in line)
