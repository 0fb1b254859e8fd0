"""The glossary that a page carries: what each term on it means."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

from spectrain.core import QUANTITIES, Registry
from spectrain.matrix import ENTRY_MEASURES, MEASURES
from spectrain.noise import NOISE_MEASURES
from spectrain.page.elements import fold
from spectrain.page.html import Html, element
from spectrain.regime.measures import REGIME_MEASURES

_REGISTRIES: tuple[Registry, ...] = (MEASURES, ENTRY_MEASURES, NOISE_MEASURES, REGIME_MEASURES)


@dataclass(frozen=True, slots=True)
class Term:
    """One entry.

    Attributes:
        names: of the term, the usual one first.
        text: what it means.
        formula: its definition in symbols.
        citation: where that is taken from.
    """

    names: tuple[str, ...]
    text: str
    formula: str = ""
    citation: str = ""


_WORDS = (
    Term(("block",), "One trainable matrix W (outputs × inputs), with a name, a role and a depth."),
    Term(("role",), "What a block does in its network, such as attention.q or mlp.out."),
    Term(
        ("singular values", "singular value"),
        "The lengths σ₁ ≥ σ₂ ≥ … of the semi-axes of the ellipsoid into which a matrix maps the "
        "unit ball. Their squares are the eigenvalues of WᵀW.",
    ),
    Term(("spectrum", "spectra"), "All singular values of a matrix together."),
    Term(("gradient",), "As the optimizer gets it: accumulated, unscaled and clipped."),
    Term(("update", "updates"), "Difference of the weights over one step of the optimizer."),
    Term(
        ("spectral step", "spectral steps", "spectral update", "spectral updates"),
        "A step that sets all singular values of the gradient to one, as Muon does: the steepest "
        "descent of the largest singular value.",
    ),
    Term(
        ("Euclidean step", "Euclidean steps", "Euclidean update", "Euclidean updates"),
        "A step along the gradient itself, as SGD does: steepest descent of the Frobenius norm.",
    ),
    Term(
        ("nr/st",),
        "Nuclear rank of the gradient over the stable rank of what feeds the block. Above 1 the "
        "one-step guarantee of the spectral step is the larger one.",
    ),
    Term(("share of full rank", "full rank"), "Full rank is the smaller side of the matrix."),
    Term(("noise",), "Difference of a batch's gradient from the mean over all data."),
    Term(
        ("noise scale",),
        "Batch size at which signal and noise of the gradient are equally large, for SGD.",
        "B_noise = tr Σ/‖g‖²",
        "McCandlish et al. (2018) §2",
    ),
    Term(("replicas",), "Gradients of the same weights on different parts of the data."),
    Term(
        ("signal-to-noise ratio", "SNR"), "Energy of the mean gradient over that of its deviations."
    ),
    Term(
        ("noise twin", "twin"),
        "The same optimizer and schedule on gradients without any signal, from the same first "
        "norm: what noise and weight decay alone would make of a block.",
    ),
    Term(
        ("equilibrium",),
        "Norm at which what noise adds and what weight decay takes away are even.",
    ),
    Term(("weight decay",), "Share λ of the weights that each step takes away, times the rate η."),
    Term(
        ("Marchenko-Pastur", "random bulk", "bulk"),
        "Where the eigenvalues of a matrix of independent random entries lie, between two sharp "
        "edges.",
        "x± = σ²(1 ± √r)²",
        "Marchenko & Pastur (1967)",
    ),
    Term(("spikes", "spike"), "Eigenvalues that stand significantly above the random bulk."),
    Term(("power law", "exponent"), "Density of the largest eigenvalues as λ to a power −α."),
    Term(("clipping", "clipped"), "Scaling a gradient down where its norm is above a limit."),
    Term(("held-out loss",), "Loss on data that is not trained on."),
    Term(
        ("false discovery rate",),
        "Expected share of wrong ones among what is said to be found.",
        citation="Benjamini & Hochberg (1995)",
    ),
    Term(
        ("standard error",),
        "Standard deviation that an estimate would have if it were repeated.",
    ),
    Term(
        ("95 % interval", "90 % interval", "interval"),
        "Range that contains the true value in that share of repetitions.",
    ),
    Term(("warm-up",), "First part of a schedule, in which the learning rate grows."),
    Term(("steps", "step"), "Steps of the optimizer, the first one is step 0."),
)


def terms(recorded: Iterable[str] = ()) -> list[Term]:
    """All terms: words, registered measures, and what else of ``source/measure`` is recorded."""
    by_name = {term.names[0]: term for term in _WORDS}
    for registry in _REGISTRIES:
        for measure in registry.values():
            word = measure.name.replace("_", " ")
            lines = (measure.function.__doc__ or "").strip().splitlines()
            text = re.sub(r"[`*]", "", lines[0]) if lines else ""
            by_name.setdefault(word, Term((word,), text, measure.formula, measure.citation))
    for name in recorded:
        if (quantity := QUANTITIES.get(name)) is not None:
            word = quantity.measure.replace("_", " ")
            term = Term((word,), quantity.formula, citation=quantity.citation)
            by_name.setdefault(word, term)
    return sorted(by_name.values(), key=lambda term: term.names[0].lower())


def names_of(entries: Sequence[Term]) -> dict[str, str]:
    """For the page's script: the element of the entry of every name.

    Example:
        >>> names_of([Term(("spikes", "spike"), "…")])
        {'spikes': 'term-spikes', 'spike': 'term-spikes'}
    """
    return {name: _place(term) for term in entries for name in term.names}


def glossary(entries: Sequence[Term]) -> Html:
    """The section at the end of the page."""
    rows = (
        element(
            "div",
            element("dt", ", ".join(term.names[:1])),
            element("dd", *_described(term)),
            id=_place(term),
            tabindex="-1",
        )
        for term in entries
    )
    return fold(
        "glossary", "Glossary", f"{len(entries):,} terms", element("dl", *rows, class_="glossary")
    )


def _described(term: Term) -> Iterator[str]:
    yield term.text
    if term.formula:
        yield " "
        yield element("span", formula(term.formula), class_="formula")
    if term.citation:
        yield " "
        yield element("cite", term.citation)


def formula(text: str) -> Html:
    """Index letters set as such: ‖A‖_op becomes ‖A‖ with a small op below."""
    return Html(re.sub(r"_([A-Za-z]+|\*)", r"<sub>\1</sub>", escape(text)))


def _place(term: Term) -> str:
    return "term-" + re.sub(r"[^a-z0-9]+", "-", term.names[0].lower()).strip("-")
