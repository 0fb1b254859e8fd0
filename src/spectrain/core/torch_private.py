"""All that spectrain uses of torch's private interface, so that one test shows what changed there.

Torch may change a name with an underscore in any release. Each function here says what public way
is missing; no other module touches such a name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.utils import _pytree

StatisticsNorm = _NormBase
"""What batch and instance norms of any dimension derive from; no public class is."""


def foreach_norms(
    tensors: Sequence[Tensor], order: float = 2, *, dtype: torch.dtype | None = None
) -> Sequence[Tensor]:
    """‖x‖ of order 2 or ∞ of each tensor, in few launches. Publicly only one by one.

    Example:
        >>> [norm.item() for norm in foreach_norms([torch.tensor([3.0, 4.0]), torch.ones(4)])]
        [5.0, 2.0]
    """
    norms: Sequence[Tensor] = torch._foreach_norm(list(tensors), order, dtype=dtype)
    return norms


def leaves(tree: Any) -> list[Any]:
    """What nested lists, dictionaries and registered classes hold. No public function of torch."""
    return _pytree.tree_leaves(tree)


def backward_pass() -> int:
    """Number of the backward pass that this thread is in, −1 outside. Nothing public says."""
    return torch._C._current_graph_task_id()


def at_end_of_backward(callback: Callable[[], None]) -> None:
    """Call back at the end of the present backward pass. Public hooks are called before that."""
    torch.autograd.Variable._execution_engine.queue_callback(callback)


def every_child(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Children under each of their names; ``named_children`` yields a shared one once."""
    yield from ((name, child) for name, child in module._modules.items() if child is not None)


def compiles_its_call(module: nn.Module) -> bool:
    """Whether ``module.compile()`` was called, which leaves no public trace."""
    return module._compiled_call_impl is not None


def redirected_call(
    module: nn.Module, taken: Callable[[tuple[Any, ...], dict[str, Any]], None]
) -> Callable[[], None] | None:
    """Report the arguments of each call where ``module.compile()`` was called, outside its graph.

    Returns what puts the call back; ``None`` for other modules. A public hook becomes part of the
    graph.
    """
    call = module._compiled_call_impl
    if call is None:
        return None

    def watched(*args: Any, **kwargs: Any) -> Any:
        taken(args, kwargs)
        return call(*args, **kwargs)

    def back() -> None:
        if module._compiled_call_impl is watched:  # it was not compiled anew
            module._compiled_call_impl = call

    module._compiled_call_impl = watched
    return back


def padding_of(convolution: Any) -> list[int]:
    """Padding before and after, last axis first, also for ``"same"``, which stays a word publicly.

    Example:
        >>> padding_of(nn.Conv1d(1, 1, 4, padding="same"))
        [1, 2]
    """
    return [int(number) for number in convolution._reversed_padding_repeated_twice]


def local_part(tensor: Any) -> tuple[Sequence[int], Sequence[int]]:
    """Sizes and offsets of the part of a DTensor that lies here; publicly only its local sizes."""
    from torch.distributed.tensor._utils import compute_local_shape_and_global_offset

    return compute_local_shape_and_global_offset(
        tensor.shape, tensor.device_mesh, tensor.placements
    )


def standard_gamma(shape: Tensor, generator: torch.Generator) -> Tensor:
    """Draws of Gamma(shape, 1); ``torch.distributions`` takes no generator."""
    return torch._standard_gamma(shape, generator=generator)
