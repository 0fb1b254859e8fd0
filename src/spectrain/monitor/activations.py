"""Activations reduced on the fly: of each input its Gram matrix or its token counts are kept.

Of wide inputs the leading directions take the place of the Gram matrix (:mod:`.wide`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from weakref import ref

import torch
from jaxtyping import Float, Int
from torch import Tensor

from spectrain.core import Feed, Tap
from spectrain.matrix import top_eigenvalue
from spectrain.matrix.scale import largest_entry, unit_scale
from spectrain.monitor.wide import WIDE, Leading
from spectrain.stability import STABILITY_MEASURES

RTOL = 1e-5
"""Relative error of ‖A‖_op² beyond the rounding of the activation's own precision."""


@dataclass(slots=True)
class SecondMoment:
    """What is kept of the columns of A: A Aᵀ, or the diagonal of it for a token indicator.

    Of wide ones it may be the leading directions alone (``sketched``), whose search starts from
    ``warm``. Several feeds that read the very same tensor (q, k and v of one layer) share one of
    these. ``largest`` is max|x| of the tensor that holds A, ``limit`` the largest number of its
    precision, and ``energy`` the energy of what a norm layer reads, before it is normalised.
    """

    second: Tensor | None = None
    columns: int = 0
    largest: Tensor | None = None
    limit: float = 0.0
    energy: Tensor | None = None
    last: ref[Tensor] | None = None
    sketched: bool = False
    warm: Tensor | None = None
    leading: Leading | None = None

    def add(self, source: Tensor, activation: Tensor, tap: Tap, seen: Tensor) -> None:
        """Add the columns of one forward pass (rows of ``activation``, or token ids).

        ``seen`` is what of ``source`` is in this process.
        """
        self.columns += activation.shape[0]
        self.last = ref(source)
        if tap is not Tap.TOKENS:
            self._add_sizes(seen.detach(), before_norm=tap is Tap.NORMALIZED)
        if self.sketched and tap is not Tap.TOKENS and activation.shape[1] > WIDE:
            one = self.leading
            self.leading = (
                Leading.of(activation, self.warm) if one is None else one.grown(activation)
            )
            return
        second = _counts(activation) if tap is Tap.TOKENS else _gram(activation)
        if self.second is None:
            self.second = second
        elif second.shape == self.second.shape:
            self.second += second
        else:
            self.second = _padded_sum(self.second, second)

    def _add_sizes(self, seen: Tensor, *, before_norm: bool) -> None:
        largest = largest_entry(seen.reshape(1, -1))
        self.largest = largest if self.largest is None else torch.maximum(self.largest, largest)
        self.limit = torch.finfo(seen.dtype).max
        if before_norm:
            precise = torch.promote_types(seen.dtype, torch.float32)
            energy = torch.linalg.vector_norm(seen, dtype=precise).double().square()
            self.energy = energy if self.energy is None else self.energy + energy

    @property
    def channels(self) -> Tensor | None:
        """The energy of each feature; ``None`` of tokens."""
        if self.leading is not None:
            return self.leading.channels
        return None if self.second is None or self.second.ndim == 1 else self.second.diagonal()

    def saw_last(self, source: Tensor) -> bool:
        """Whether the last columns added came from this very tensor."""
        return self.last is not None and self.last() is source


@dataclass(frozen=True, slots=True)
class ActivationNorms:
    """Squared norms of one activation matrix A (features × columns), still on its device.

    ``sizes`` are further numbers by measure: how large its entries are, and in which channels.
    """

    frobenius: Float[Tensor, ""]
    operator: Float[Tensor, ""]
    error: Float[Tensor, ""]
    columns: int
    sizes: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(slots=True)
class ActivationStore:
    """The moments of all feeds over one sampled step.

    Attributes:
        feeds: all that may be seen, in an order that is the same on every process.
        sketched: keep leading directions of wide feeds; they do not add up over processes.
        warm: those of the sample before.
        inseparable: feeds that shared a tensor with another feed at first and not later on, so
            that their own moments are not known.
        unseen: feeds whose absence is to be reported.
    """

    feeds: tuple[Feed, ...] = ()
    moments: dict[Feed, SecondMoment] = field(default_factory=dict)
    sketched: bool = False
    warm: dict[Feed, Tensor] = field(default_factory=dict)
    inseparable: set[Feed] = field(default_factory=set)
    unseen: set[Feed] = field(default_factory=set)
    _latest: SecondMoment | None = None
    _calls: Counter[Feed] = field(default_factory=Counter)

    def add(
        self, feed: Feed, source: Tensor, activation: Tensor, seen: Tensor | None = None
    ) -> None:
        """Take in what ``feed`` saw in one forward pass; ``source`` tells who saw the same.

        ``seen`` is what of ``source`` is in this process, where it is not all.
        """
        if feed in self.inseparable:
            return
        self._calls[feed] += 1
        own, latest = self.moments.get(feed), self._latest
        shareable = feed.tap is Tap.INPUT and not feed.columns
        if shareable and latest is not None and latest.saw_last(source):
            if own is latest:
                return
            if own is None and latest.columns == activation.shape[0]:
                self.moments[feed] = latest
                return
        if own is None:
            own = self.moments[feed] = SecondMoment(
                sketched=self.sketched, warm=self.warm.get(feed)
            )
        elif sum(moments is own for moments in self.moments.values()) > 1 and self._lags(feed, own):
            self.inseparable.add(feed)
            del self.moments[feed]
            return
        own.add(source, activation, feed.tap, source if seen is None else seen)
        if shareable:
            self._latest = own

    def settle(self) -> None:
        """At the end of a step: where feeds share, one that saw less has no moments of its own."""
        most: dict[int, int] = defaultdict(int)
        for feed, moments in self.moments.items():
            most[id(moments)] = max(most[id(moments)], self._calls[feed])
        self.inseparable |= {
            feed for feed, moments in self.moments.items() if self._calls[feed] < most[id(moments)]
        }
        for feed in self.inseparable & self.moments.keys():
            del self.moments[feed]

    def missing(self, feed: Feed) -> str | None:
        """Why a feed has no moments, where a reason is to be recorded."""
        if feed in self.inseparable:
            return "several modules shared this input at first and not later in the step"
        if feed in self.unseen:
            return "no forward pass was seen: unused, or compiled before it was watched"
        return None

    def _lags(self, feed: Feed, own: SecondMoment) -> bool:
        """Whether the others of a shared group are a forward pass ahead of this feed."""
        first = next(other for other, moments in self.moments.items() if moments is own)
        return first != feed

    def norms(self) -> dict[Feed, ActivationNorms]:
        """Squared Frobenius and operator norm of every feed; equal sizes in one batch."""
        groups: dict[tuple[torch.Size, torch.dtype, torch.device], list[SecondMoment]] = (
            defaultdict(list)
        )
        distinct = _distinct(self.moments.values())
        sizes = sizes_of(distinct)
        by_moments: dict[int, ActivationNorms] = {}
        for moments in distinct:
            second, leading = moments.second, moments.leading
            if leading is not None:
                operator, error = leading.operator()
                by_moments[id(moments)] = ActivationNorms(
                    leading.energy, operator, error, moments.columns, sizes[id(moments)]
                )
            elif second is not None:
                groups[second.shape, second.dtype, second.device].append(moments)
        for group in groups.values():
            stack = torch.stack([m.second for m in group if m.second is not None])
            norms = zip(*(one.unbind() for one in _squared_norms(stack)), strict=True)
            for m, (frobenius, operator, error) in zip(group, norms, strict=True):
                by_moments[id(m)] = ActivationNorms(
                    frobenius, operator, error, m.columns, sizes[id(m)]
                )
        return {feed: by_moments[id(moments)] for feed, moments in self.moments.items()}

    def directions(self) -> dict[Feed, Tensor]:
        """What to start the next sample's wide feeds from."""
        return {f: m.leading.basis for f, m in self.moments.items() if m.leading is not None}

    @property
    def nbytes(self) -> int:
        """Memory that the moments hold."""
        kept = [(m.second, m.leading) for m in _distinct(self.moments.values())]
        return sum(one.nbytes for pair in kept for one in pair if one is not None)


def sizes_of(every: Sequence[SecondMoment]) -> dict[int, dict[str, Tensor]]:
    """By identity: measures of the channels, the margin to overflow, the size before a norm layer.

    Equal numbers of channels are measured in one batch.
    """
    sizes: dict[int, dict[str, Tensor]] = {id(moments): {} for moments in every}
    groups: dict[tuple[torch.Size, torch.dtype, torch.device], list[tuple[int, Tensor]]]
    groups = defaultdict(list)
    for moments in every:
        own, channels = sizes[id(moments)], moments.channels
        if channels is not None:
            key = channels.shape, channels.dtype, channels.device
            groups[key].append((id(moments), channels))
            if moments.energy is not None:
                entries = moments.columns * len(channels)
                own["stream_rms"] = (moments.energy / entries).sqrt()
        if moments.largest is not None:
            own["overflow_margin"] = (moments.limit / moments.largest).log2()
    for group in groups.values():
        stack = torch.stack([channels for _, channels in group])
        for name, measure in STABILITY_MEASURES.items():
            for (owner, _), value in zip(group, measure(stack).unbind(), strict=True):
                sizes[owner][name] = value
    return sizes


def _squared_norms(stack: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    if stack.ndim == 2:
        counts = stack.double()
        return counts.sum(-1), counts.amax(-1), torch.zeros_like(counts[:, 0])
    largest = largest_entry(stack)
    unit, scale = unit_scale(stack, largest, stack.dtype)
    trace = unit.diagonal(dim1=-2, dim2=-1).double().sum(-1) * scale
    operator, error = top_eigenvalue(unit, rtol=RTOL)
    finite = largest.isfinite()
    return (
        torch.where(finite, trace, torch.nan),
        torch.where(finite, operator.double() * scale, torch.nan),
        error.double() * scale,
    )


def _gram(activation: Float[Tensor, "n d"]) -> Float[Tensor, "d d"]:
    work = activation.float() if activation.dtype.itemsize < 4 else activation
    return work.mT @ work


def _counts(tokens: Int[Tensor, " n"]) -> Int[Tensor, " v"]:
    return torch.bincount(tokens)


def _padded_sum(one: Int[Tensor, " v"], other: Int[Tensor, " w"]) -> Int[Tensor, " x"]:
    longer, shorter = (one, other) if len(one) >= len(other) else (other, one)
    total = longer.clone()
    total[: len(shorter)] += shorter
    return total


def _distinct(moments: Iterable[SecondMoment]) -> list[SecondMoment]:
    return list({id(m): m for m in moments}.values())
