"""A block: one trainable matrix as the mathematics sees it, and where it lives in the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


class Role(StrEnum):
    """What a block does in its network: a kind, and after the dot its part in it."""

    EMBEDDING = "embedding"
    ATTENTION_QKV = "attention.qkv"
    ATTENTION_Q = "attention.q"
    ATTENTION_K = "attention.k"
    ATTENTION_V = "attention.v"
    ATTENTION_KV = "attention.kv"
    ATTENTION_Q_DOWN = "attention.q_down"
    ATTENTION_KV_DOWN = "attention.kv_down"
    ATTENTION_O = "attention.o"
    MLP_IN = "mlp.in"
    MLP_GATE = "mlp.gate"
    MLP_OUT = "mlp.out"
    HIDDEN = "hidden"
    HEAD = "head"
    NORM = "norm"
    MULTIPLIER = "multiplier"
    CONV = "conv"
    ROUTER = "router"
    EXPERT = "expert"
    EXPERT_IN = "expert.in"
    EXPERT_GATE = "expert.gate"
    EXPERT_OUT = "expert.out"
    RECURRENT_INPUT = "recurrent.input"
    RECURRENT_HIDDEN = "recurrent.hidden"
    RECURRENT_OUT = "recurrent.out"
    SSM_IN = "ssm.in"
    SSM_SELECT = "ssm.select"
    SSM_STEP = "ssm.step"
    SSM_OUT = "ssm.out"
    ADAPTER_IN = "adapter.in"
    ADAPTER_OUT = "adapter.out"
    OTHER = "other"

    @property
    def kind(self) -> str:
        """What stands before the dot: all of an attention, of an expert, … have one kind.

        Example:
            >>> Role.EXPERT_OUT.kind, Role.HEAD.kind
            ('expert', 'head')
        """
        return self.value.partition(".")[0]


MEANINGS: Mapping[Role, str] = MappingProxyType(
    {
        Role.EMBEDDING: "table of tokens, positions or relative positions",
        Role.ATTENTION_QKV: "queries, keys and values, where they could not be taken apart",
        Role.ATTENTION_Q: "makes queries",
        Role.ATTENTION_K: "makes keys",
        Role.ATTENTION_V: "makes values",
        Role.ATTENTION_KV: "keys and values, where they could not be taken apart",
        Role.ATTENTION_Q_DOWN: "into the latent that queries are made of",
        Role.ATTENTION_KV_DOWN: "into the latent that keys and values are made of",
        Role.ATTENTION_O: "leads an attention's mixture of values back",
        Role.MLP_IN: "first matrix of an MLP",
        Role.MLP_GATE: "beside the first, through the nonlinearity; multiplies what it yields",
        Role.MLP_OUT: "second matrix of an MLP",
        Role.HIDDEN: "linear layer that leads on, outside attention and MLPs",
        Role.HEAD: "yields the network's answer: tokens, classes, actions, a value",
        Role.NORM: "gain of a norm",
        Role.MULTIPLIER: "learned multipliers",
        Role.CONV: "convolution",
        Role.ROUTER: "scores the experts",
        Role.EXPERT: "matrix of an expert, its part in it unknown",
        Role.EXPERT_IN: "first matrix of an expert",
        Role.EXPERT_GATE: "gate of an expert",
        Role.EXPERT_OUT: "second matrix of an expert",
        Role.RECURRENT_INPUT: "from the input into a gate of a recurrent layer",
        Role.RECURRENT_HIDDEN: "from the hidden state into a gate of a recurrent layer",
        Role.RECURRENT_OUT: "projection of a recurrent layer's state",
        Role.SSM_IN: "into a state space's channels and gate",
        Role.SSM_SELECT: "makes step size, input and output map of a selective state space",
        Role.SSM_STEP: "step sizes out of their narrow form",
        Role.SSM_OUT: "out of a state space's channels",
        Role.ADAPTER_IN: "factor A of a low-rank adapter",
        Role.ADAPTER_OUT: "factor B of a low-rank adapter",
        Role.OTHER: "what it does is not known",
    }
)
"""What each role says, in a line."""


class Tap(StrEnum):
    """Which activation of a module feeds a block.

    ``INPUT``: the positional argument itself, features last. ``TOKENS``: the token indicator
    matrix of integer ids. ``UNFOLDED``: the patches that a convolution multiplies.
    ``NORMALIZED``: the input of a norm layer after normalisation and before its gain. ``STATES``
    and ``STATES_BACK``: the hidden states that a recurrent layer multiplies, forwards or backwards
    in time: the initial state and all that it outputs but the last.
    """

    INPUT = "input"
    TOKENS = "tokens"
    UNFOLDED = "unfolded"
    NORMALIZED = "normalized"
    STATES = "states"
    STATES_BACK = "states, backwards"


@dataclass(frozen=True, slots=True)
class Feed:
    """The activation A (features × columns) that a block multiplies: read at ``module``.

    Attributes:
        module: qualified name of the module that is hooked.
        tap: what is taken there.
        argument: which positional argument of the module's forward.
        columns: ranges of features, where the block sees a part of them only.
        also: further modules with the same parameter, whose activations add to A's columns.
    """

    module: str
    tap: Tap = Tap.INPUT
    argument: int = 0
    columns: tuple[tuple[int, int], ...] = ()
    also: tuple[str, ...] = ()

    @property
    def modules(self) -> tuple[str, ...]:
        """All modules at which A is read."""
        return self.module, *self.also


@dataclass(frozen=True, slots=True)
class View:
    """How a block's matrix (output × input) is read out of its parameter.

    Applied in this order: ``index`` along the first dimension (one expert), flattening of all
    dimensions but the first (convolutions), ``transpose``, then the row and column ranges (q, k, v
    or one head of a fused projection). A ``diagonal`` block keeps its
    vector, which stands for diag(γ).

    Example:
        >>> import torch
        >>> View(rows=((0, 2),)).of(torch.arange(12.0).reshape(4, 3)).shape
        torch.Size([2, 3])
    """

    index: int | None = None
    transpose: bool = False
    rows: tuple[tuple[int, int], ...] = ()
    columns: tuple[tuple[int, int], ...] = ()
    diagonal: bool = False

    def of(self, parameter: Tensor) -> Tensor:
        """The block's matrix (a view where torch allows it); a vector if the block is diagonal."""
        if self.diagonal:
            return parameter.reshape(-1)
        matrix = parameter if self.index is None else parameter[self.index]
        if matrix.ndim > 2:
            matrix = matrix.flatten(1)
        if self.transpose:
            matrix = matrix.mT
        matrix = _ranges(matrix, 0, self.rows)
        return _ranges(matrix, 1, self.columns)


class Combination(StrEnum):
    """How several parameters make one matrix.

    ``PRODUCT``: s·B·A of a low-rank adapter's factors (B, A). ``RESCALED``: what DoRA changes,
    m·(W + s·B·A)/‖W + s·B·A‖ − W of (B, A, m, W), norms and magnitudes m by rows. ``WEIGHT_NORM``:
    g·v/‖v‖ of (v, g), the norm over all dimensions of which g has one entry.
    """

    PRODUCT = "product"
    RESCALED = "rescaled product"
    WEIGHT_NORM = "weight norm"


@dataclass(frozen=True, slots=True)
class Composition:
    """A matrix that no parameter holds, made of several.

    Attributes:
        rule: how they make it.
        parameters: their names, in the rule's order.
        scale: s of an adapter.
        base: how W is read from its parameter, where the rule has one.

    Source:
        Hu et al. 2021, "LoRA", section 4.1; Liu et al. 2024, "DoRA", equation (5); Salimans &
        Kingma 2016, "Weight normalization", equation (2).

    Example:
        >>> import torch
        >>> rule = Composition(Combination.PRODUCT, ("up", "down"), scale=2.0)
        >>> rule.of([torch.ones(2, 1), torch.tensor([[1.0, 3.0]])])
        tensor([[2., 6.],
                [2., 6.]])
    """

    rule: Combination
    parameters: tuple[str, ...]
    scale: float = 1.0
    base: View = View()

    def of(self, tensors: Sequence[Tensor]) -> Tensor:
        """The composed tensor, from those of :attr:`parameters`."""
        import torch

        first, second, *more = tensors
        if self.rule is not Combination.WEIGHT_NORM:
            product = self.scale * first.flatten(1) @ second.flatten(1)
            if not more:
                return product
            magnitudes, weight = more[0].reshape(-1, 1), self.base.of(more[1])
            whole = weight + product
            return magnitudes * whole / whole.norm(dim=1, keepdim=True) - weight
        sides = zip(first.shape, second.shape, strict=True)
        along = [dim for dim, (side, size) in enumerate(sides) if size == 1 != side]
        norm = torch.linalg.vector_norm(first, dim=along, keepdim=True) if along else first.abs()
        return second * first / norm


def _ranges(matrix: Tensor, dim: int, ranges: tuple[tuple[int, int], ...]) -> Tensor:
    if not ranges:
        return matrix
    parts = [matrix.narrow(dim, start, stop - start) for start, stop in ranges]
    if len(parts) == 1:
        return parts[0]
    import torch

    return torch.cat(parts, dim)


@dataclass(frozen=True, slots=True)
class Block:
    """One trainable matrix W (output × input), named uniquely within its network.

    Attributes:
        name: the parameter's qualified name, with a suffix such as ``[q]``, ``[expert 3]`` or
            ``[q.head 0]`` where the block is a part of it.
        role: what it does.
        depth: number of the layer that holds it, counted from 0; ``None`` outside the layers.
        composition: how several parameters make the matrix, where no single one holds it.
        stack: which stack of layers counts so, such as ``encoder``; empty where there is one.
        shape: (outputs, inputs) of the matrix; (n, n) for a diagonal block.
        parameter: qualified name of the parameter.
        view: how the matrix is read from the parameter.
        aliases: the parameter's other names, where it is tied.
        literal_input: the activation that the matrix really multiplies.
        criterion_input: the activation whose stable rank enters the descent criterion
            (Davis & Drusvyatskiy, Table 1). Equal to ``literal_input`` for most blocks.
    """

    name: str
    role: Role
    depth: int | None
    shape: tuple[int, int]
    parameter: str
    view: View = View()
    aliases: tuple[str, ...] = ()
    literal_input: Feed | None = None
    criterion_input: Feed | None = None
    stack: str = ""
    composition: Composition | None = None

    def __hash__(self) -> int:
        return hash(self.name)

    @property
    def layer(self) -> str | None:
        """The layer in words: ``3``, or ``encoder 3`` where several stacks count layers.

        Example:
            >>> Block("w", Role.OTHER, 3, (2, 2), "w", stack="encoder").layer
            'encoder 3'
        """
        return None if self.depth is None else f"{self.stack} {self.depth}".lstrip()

    def to_dict(self) -> dict[str, Any]:
        """Plain data for the manifest; :meth:`from_dict` is its inverse."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Block:
        """Rebuild a block from :meth:`to_dict`, even after a round trip through JSON."""
        fields = dict(data)
        fields["role"] = Role(fields["role"])
        fields["shape"] = tuple(fields["shape"])
        fields["aliases"] = tuple(fields["aliases"])
        fields["view"] = _view(fields["view"])
        if (made := fields.get("composition")) is not None:
            parameters, base = tuple(made["parameters"]), _view(made.get("base", {}))
            fields["composition"] = Composition(
                Combination(made["rule"]), parameters, made["scale"], base
            )
        for key in ("literal_input", "criterion_input"):
            if fields[key] is not None:
                feed = dict(fields[key])
                feed["tap"], feed["columns"] = Tap(feed["tap"]), _pairs(feed["columns"])
                feed["also"] = tuple(feed.get("also", ()))
                fields[key] = Feed(**feed)
        return cls(**fields)


def _view(data: Mapping[str, Any]) -> View:
    ranges = {key: _pairs(data[key]) for key in ("rows", "columns") if key in data}
    return View(**{**data, **ranges})


def _pairs(ranges: Any) -> tuple[tuple[int, int], ...]:
    return tuple((int(start), int(stop)) for start, stop in ranges)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A parameter that is not a block, and why."""

    parameter: str
    reason: str
