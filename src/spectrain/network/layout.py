"""From the weights of one module to matrices: how each is stored, and what it multiplies."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from math import prod

from spectrain.core import Feed, Role, Skipped, Tap, View
from spectrain.network.names import ELEMENTWISE, GAINS, MLP, WEIGHTS, is_bias, is_table, role_in
from spectrain.network.site import Kind, Matrix, Site, Weight

_MHA_PARTS = (Role.ATTENTION_Q, Role.ATTENTION_K, Role.ATTENTION_V)


def matrices_of(site: Site, width: int | None) -> Iterator[Matrix | Skipped]:
    """The matrices of one module, and its parameters that hold none.

    Args:
        site: the module.
        width: of the network's residual stream, where it is known: it shows on which side of a
            stacked expert the input is.
    """
    gain = next((weight.local for weight in site.weights if weight.local in GAINS), None)
    for weight in site.weights:
        if site.kind is Kind.NORM and weight.local == gain:
            yield _diagonal(site, weight, Tap.NORMALIZED, Role.NORM)
        elif site.kind is Kind.MULTIPLIER:
            yield _diagonal(site, weight, Tap.INPUT, Role.MULTIPLIER)
        elif site.kind is Kind.ATTENTION and weight.local.endswith("proj_weight"):
            yield from _attention(site, weight)
        elif site.kind is Kind.RECURRENT and len(weight.shape) == 2:
            yield from _recurrent(site, weight)
        elif site.kind is Kind.EXPERTS and len(weight.shape) == 3:
            yield from _experts(site, weight, width)
        elif weight.local in WEIGHTS and len(weight.shape) > 1 and site.kind in _LAYERS:
            yield _LAYERS[site.kind](site, weight)
        else:
            yield _bare(site, weight)


def _matrix(site: Site, weight: Weight, view: View, feed: Feed | None = None) -> Matrix:
    shape = weight.shape if view.index is None else weight.shape[1:]
    rows, columns = shape[0], prod(shape[1:])
    if view.transpose:
        rows, columns = columns, rows
    address = f"{site.path}.{weight.local}".lstrip(".")
    feed = feed if weight.direct else None
    return Matrix(
        address,
        weight,
        view,
        (rows, columns),
        feed,
        heads=site.heads,
        model_type=site.model_type,
    )


def _feed(site: Site, weight: Weight, tap: Tap = Tap.INPUT) -> Feed:
    return Feed(site.path, tap, also=weight.elsewhere)


def _linear(site: Site, weight: Weight) -> Matrix:
    return _matrix(site, weight, View(), _feed(site, weight))


def _linear_transposed(site: Site, weight: Weight) -> Matrix:
    return _matrix(site, weight, View(transpose=True), _feed(site, weight))


def _embedding(site: Site, weight: Weight) -> Matrix:
    matrix = _matrix(site, weight, View(transpose=True), _feed(site, weight, Tap.TOKENS))
    return replace(matrix, role=Role.EMBEDDING)


def _convolution(site: Site, weight: Weight) -> Matrix:
    return replace(_matrix(site, weight, View(), _feed(site, weight, Tap.UNFOLDED)), role=Role.CONV)


def _convolution_transposed(site: Site, weight: Weight) -> Matrix:
    # With groups the inputs of all groups stand side by side, and no one activation is multiplied.
    feed = _feed(site, weight, Tap.UNFOLDED) if site.groups == 1 else None
    return replace(_matrix(site, weight, View(transpose=True), feed), role=Role.CONV)


_LAYERS = {
    Kind.LINEAR: _linear,
    Kind.LINEAR_TRANSPOSED: _linear_transposed,
    Kind.EMBEDDING: _embedding,
    Kind.CONV: _convolution,
    Kind.CONV_TRANSPOSED: _convolution_transposed,
}


def _diagonal(site: Site, weight: Weight, tap: Tap, role: Role) -> Matrix:
    size = prod(weight.shape)
    matrix = _matrix(site, weight, View(diagonal=True), _feed(site, weight, tap))
    return replace(matrix, shape=(size, size), role=role)


def _attention(site: Site, weight: Weight) -> Iterator[Matrix]:
    """Query, key and value of PyTorch's own attention: its three arguments feed them."""
    matrix = _matrix(site, weight, View())
    height = weight.shape[0] // 3
    for argument, role in enumerate(_MHA_PARTS):
        letter = role.value[-1]
        part = replace(matrix, feed=Feed(site.path, argument=argument), role=role)
        if weight.local == "in_proj_weight":
            yield part.take_rows(((argument * height, (argument + 1) * height),), letter)
        elif weight.local == f"{letter}_proj_weight":
            yield part


_GATES = {1: ("",), 3: ("r", "z", "n"), 4: ("i", "f", "g", "o")}
"""Gates that the rows of a recurrent layer stack, by their number: RNN, GRU, LSTM."""


def _recurrent(site: Site, weight: Weight) -> Iterator[Matrix]:
    """The maps into each gate, from the input and from the hidden state.

    Source:
        PyTorch's documentation of ``torch.nn.LSTM`` and ``GRU``: order of the gates.
    """
    kind = weight.local.removeprefix("weight_")[:2]
    first = weight.local in {"weight_ih", "weight_ih_l0", "weight_ih_l0_reverse"}
    whole = _matrix(site, weight, View(), Feed(site.path) if first else None)
    if kind == "hr":
        yield replace(whole, role=Role.RECURRENT_OUT)
        return
    role = Role.RECURRENT_INPUT if kind == "ih" else Role.RECURRENT_HIDDEN
    if kind == "hh":
        whole = replace(whole, feed=_states(site, weight.local))
    shapes = {other.local: other.shape for other in site.weights}
    suffix = weight.local.removeprefix(f"weight_{kind}")
    state = shapes.get(f"weight_hr{suffix}", shapes.get(f"weight_hh{suffix}", (0, 0)))[1]
    letters = _GATES.get(whole.shape[0] // state if state else 0, ("",))
    if len(letters) == 1 or whole.shape[0] != len(letters) * state:
        yield replace(whole, role=role)
        return
    for at, letter in enumerate(letters):
        yield whole.take_rows(((at * state, (at + 1) * state),), letter, role)


def _states(site: Site, local: str) -> Feed | None:
    """The states of the last layer are what the module outputs; those of others are not seen."""
    layers = [m for w in site.weights if (m := re.fullmatch(r"weight_hh_l(\d{1,9})", w.local))]
    last = max(layers, key=lambda match: int(match[1]), default=None)
    back = local.endswith("_reverse")
    if last is None or local.removesuffix("_reverse") != last[0]:
        return None
    return Feed(site.path, Tap.STATES_BACK if back else Tap.STATES)


def _experts(site: Site, weight: Weight, width: int | None) -> Iterator[Matrix]:
    """One matrix for each expert: the side as wide as the network is the input, or the output."""
    address = f"{site.path}.{weight.local}".lstrip(".")
    contracts = role_in(MLP, address) is Role.MLP_OUT
    stored_input_first = weight.shape[1] == width != weight.shape[2]
    stored_output_last = weight.shape[2] == width != weight.shape[1]
    transpose = stored_output_last if contracts else stored_input_first
    for index in range(weight.shape[0]):
        matrix = _matrix(site, weight, View(index=index, transpose=transpose))
        yield replace(matrix, part=f"expert {index}")


def _bare(site: Site, weight: Weight) -> Matrix | Skipped:
    """A parameter whose use no module declares: its shape and name must do."""
    shape, dims = weight.shape, len(weight.shape)
    table = is_table(weight.local)
    reason = None
    if dims == 0:
        reason = "0-d scalar"
    elif is_bias(weight.local) and not (table and dims == 2):
        reason = f"{dims}-D bias"
    elif weight.local in ELEMENTWISE:
        reason = "used entry by entry: no map"
    elif dims == 1:
        reason = "1-D vector"
    elif max(shape) == prod(shape):
        reason = f"vector of shape {shape}"
    elif dims > 3 or (dims == 3 and shape[0] > 1):
        reason = f"{dims}-D tensor that is no stack of experts"
    if reason is not None:
        return Skipped(weight.parameter, reason)
    view = View(index=0 if dims == 3 else None, transpose=table)
    return replace(_matrix(site, weight, view), role=Role.EMBEDDING if table else None, bare=True)
