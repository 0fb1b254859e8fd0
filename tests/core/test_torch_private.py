"""What torch keeps private and spectrain uses: a failure here tells what changed in torch."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from math import inf
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import Shard, distribute_tensor

import spectrain
import spectrain_studies
from spectrain.core import torch_private

PRIVATE = Path(torch_private.__file__)
SOURCES = [Path(spectrain.__file__).parent, Path(spectrain_studies.__file__).parent]

TORCHS_OWN = frozenset(
    name
    for thing in (
        nn.Conv2d(1, 1, 1, padding="same"),
        torch.optim.SGD([torch.ones(1, requires_grad=True)]),
        torch.ones(1),
        torch.autograd.Variable,
        torch.Generator(),
    )
    for name in dir(thing)
    if name.startswith("_") and not name.startswith("__")
)
"""Names with an underscore that torch's objects have."""

NOT_PRIVATE = {"torch.__version__"}


def private_uses(source: str) -> Iterator[str]:
    """Names of torch with an underscore that a module reads or imports."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name for name in names if name.startswith("torch.") and "._" in name)
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
            yield from (name for name in names if name.startswith("torch.") and "._" in name)
        elif isinstance(node, ast.Attribute):
            name, owner = ast.unparse(node), ast.unparse(node.value)
            ours = owner.split(".")[0] in {"self", "cls"}
            torchs = name.startswith(("torch.", "nn.")) and "._" in name and name not in NOT_PRIVATE
            if torchs or (node.attr in TORCHS_OWN and not ours):
                yield name


def test_one_module_alone_uses_what_torch_keeps_private() -> None:
    found = {
        f"{path.name}: {use}"
        for root in SOURCES
        for path in root.rglob("*.py")
        if path != PRIVATE
        for use in private_uses(path.read_text("utf-8"))
    }
    assert found == set()


@pytest.mark.parametrize(
    "source",
    [
        "torch._foreach_norm(x)",
        "from torch.utils._pytree import tree_leaves",
        "import torch.distributed.tensor._utils",
        "child._modules.items()",
        "torch._C._current_graph_task_id()",
    ],
)
def test_a_private_use_is_seen(source: str) -> None:
    assert list(private_uses(source))


@pytest.mark.parametrize("source", ["torch.linalg.norm(x)", "self._modules", "run._parts"])
def test_other_uses_are_not(source: str) -> None:
    assert not list(private_uses(source))


@pytest.mark.parametrize("order", [2, inf])
def test_norms_are_those_of_one_by_one(order: float, generator: torch.Generator) -> None:
    tensors = [torch.randn(n, 3, generator=generator) for n in (1, 5)]
    expected = [torch.linalg.vector_norm(x, order, dtype=torch.float64) for x in tensors]
    found = torch_private.foreach_norms(tensors, order, dtype=torch.float64)
    assert torch.allclose(torch.stack(list(found)), torch.stack(expected), rtol=1e-14)


@pytest.mark.parametrize("kind", [nn.BatchNorm1d, nn.SyncBatchNorm, nn.InstanceNorm2d])
def test_norms_with_statistics_have_one_base(kind: type[nn.Module]) -> None:
    assert issubclass(kind, torch_private.StatisticsNorm)
    assert not issubclass(nn.GroupNorm, torch_private.StatisticsNorm)


def test_leaves_of_what_models_return() -> None:
    assert torch_private.leaves({"logits": [1, (2,)], "loss": 3, "none": ()}) == [1, 2, 3]


def test_a_backward_pass_has_a_number_and_an_end() -> None:
    seen: list[object] = []
    x = torch.ones(1, requires_grad=True)

    def note(_: torch.Tensor) -> None:
        seen.append(torch_private.backward_pass() >= 0)
        torch_private.at_end_of_backward(lambda: seen.append(x.grad is not None))

    y = 2 * x
    y.register_hook(note)
    assert torch_private.backward_pass() == -1
    y.backward()
    assert seen == [True, True]
    assert torch_private.backward_pass() == -1


def test_a_shared_child_has_each_of_its_names() -> None:
    shared = nn.ReLU()
    model = nn.Sequential(shared, shared)
    model.register_module("empty", None)
    assert [name for name, _ in torch_private.every_child(model)] == ["0", "1"]


def test_a_compiled_call_is_known() -> None:
    model = nn.ReLU()
    assert not torch_private.compiles_its_call(model)
    model.compile(backend="eager")
    assert torch_private.compiles_its_call(model)


@pytest.mark.parametrize("padding", ["same", "valid", (1, 2)])
def test_padding_is_what_the_convolution_pads(padding: str | tuple[int, int]) -> None:
    convolution = nn.Conv2d(1, 1, (5, 3), padding=padding, dilation=(1, 2), bias=False)
    x = torch.arange(48.0).reshape(1, 1, 6, 8)
    padded = nn.functional.pad(x, torch_private.padding_of(convolution))
    expected = nn.functional.conv2d(padded, convolution.weight, dilation=(1, 2))
    assert torch.allclose(expected, convolution(x))


def test_the_local_part_of_a_sharded_tensor(tmp_path: Path) -> None:
    store = torch.distributed.FileStore(str(tmp_path / "store"), 1)
    torch.distributed.init_process_group("gloo", rank=0, world_size=1, store=store)
    try:
        mesh = init_device_mesh("cpu", (1,))
        tensor = distribute_tensor(torch.ones(4, 2), mesh, [Shard(0)])
        sizes, offsets = torch_private.local_part(tensor)
    finally:
        torch.distributed.destroy_process_group()
    assert (tuple(sizes), tuple(offsets)) == ((4, 2), (0, 0))


def test_gamma_draws_have_the_mean_and_variance_of_their_law(generator: torch.Generator) -> None:
    shape = torch.full((20_000,), 2.5, dtype=torch.float64)
    draws = torch_private.standard_gamma(shape, generator)
    assert abs(draws.mean().item() - 2.5) < 5 * (2.5 / 20_000) ** 0.5
    assert abs(draws.var().item() - 2.5) < 0.2
