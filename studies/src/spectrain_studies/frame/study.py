"""A study: one source document as configuration, experiments, claims and figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from spectrain.core import InputError
from spectrain_studies.frame.criteria import Criterion
from spectrain_studies.frame.experiment import Experiment, Results
from spectrain_studies.frame.judgement import Judgement, untestable
from spectrain_studies.frame.measured import Found, Untestable

if TYPE_CHECKING:
    import torch
    from matplotlib.figure import Figure

C = TypeVar("C")
Judge = Callable[..., "Found | Judgement"]
Draw = Callable[..., "Figure"]


@dataclass(frozen=True, slots=True)
class Planted:
    """Made-up results in which a claim is true, and others in which it is false.

    Each takes the configuration and a generator, and returns the results of what the claim needs.
    A contract test judges both, and counts over repetitions how often chance changes a verdict.

    Attributes:
        true: a world in which the claim must hold.
        false: a world in which it must fail.
    """

    true: Callable[[Any, torch.Generator], Sequence[Results]]
    false: Callable[[Any, torch.Generator], Sequence[Results]]


@dataclass(frozen=True, slots=True)
class Claim:
    """A statement of a document, and how it is tested on data.

    Attributes:
        id: study and short name, such as ``descent/fig3-specgd-beats-gd``.
        source: document and place.
        statement: what is said there, in our words.
        statistic: what is measured.
        criterion: when the claim holds and when it fails; fixed before the run. It prints itself.
            Text where the judge decides itself.
        needs: the experiments that it reads.
        judge: what the criterion is applied to, from the configuration and the results of
            ``needs``.
        planted: made-up results on which the verdict is known.
        reading: how the statement is read, where the document leaves a term open and each reading
            is a claim of its own; the ledger counts such a statement once.
    """

    id: str
    source: str
    statement: str
    statistic: str
    criterion: Criterion | Untestable | str
    needs: tuple[Experiment[Any], ...]
    judge: Judge
    planted: Planted | None = None
    reading: str = ""

    @property
    def topic(self) -> str:
        """What it is about: the folder of what it reads, or of its own."""
        run = self.needs[0].run if self.needs else self.judge
        while isinstance(run, partial):
            run = run.func
        *_, folder, _ = ("", *run.__module__.split("."))
        return folder.replace("_", " ")

    def judged(self, config: Any, *given: Results) -> Judgement:
        """The verdict on results."""
        if isinstance(self.criterion, Untestable):
            return untestable(self.criterion.why)
        measured = self.judge(config, *given)
        if isinstance(measured, Judgement):
            return measured
        if isinstance(self.criterion, str):
            raise TypeError(f"{self.id} has no criterion to hold {type(measured).__name__} against")
        return self.criterion.judge(measured)


@dataclass(frozen=True, slots=True)
class FigureMaker:
    """A figure: what it shows, what it reads, and how it is drawn."""

    name: str
    caption: str
    needs: tuple[Experiment[Any], ...]
    draw: Draw


class Study(Generic[C]):
    """A source document under test.

    Args:
        name: short name.
        title: what the study asks, one line.
        document: authors and title of the source.
        scales: configurations by name; ``quick`` and ``paper`` at least.
        thinned: per scale, what is smaller there than in the document, in words.

    Example:
        >>> study = Study("toy", title="Is 1 > 0?", document="Peano", scales={"quick": None})
        >>> from spectrain_studies.frame.criteria import Above
        >>> @study.claim("order", source="§1", statement="1 > 0", statistic="1", criterion=Above(0))
        ... def order(config):
        ...     return 1.0
        >>> study.claims["toy/order"].judged(None).verdict
        <Verdict.HOLDS: 'holds'>
    """

    def __init__(
        self,
        name: str,
        *,
        title: str,
        document: str,
        scales: Mapping[str, C],
        thinned: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.name = name
        self.title = title
        self.document = document
        self.scales = dict(scales)
        self.thinned = {scale: tuple((thinned or {}).get(scale, ())) for scale in scales}
        self.claims: dict[str, Claim] = {}
        self.figures: dict[str, FigureMaker] = {}

    def claim(
        self,
        name: str,
        *,
        source: str,
        statement: str,
        statistic: str,
        criterion: Criterion | Untestable | str,
        needs: Sequence[Experiment[C]] = (),
        planted: Planted | None = None,
        reading: str = "",
    ) -> Callable[[Judge], Judge]:
        """Decorate the judge of a claim, a function of the configuration and of each of ``needs``.

        Raises:
            InputError: the study has a claim of that name.
        """
        full = f"{self.name}/{name}"

        def add(judge: Judge) -> Judge:
            if full in self.claims:
                raise InputError(f"the claim {full!r} is made twice", remedy="rename one")
            self.claims[full] = Claim(
                full, source, statement, statistic, criterion, tuple(needs), judge, planted, reading
            )
            return judge

        return add

    def figure(
        self, name: str, *, caption: str, needs: Sequence[Experiment[C]] = ()
    ) -> Callable[[Draw], Draw]:
        """Decorate what draws a figure out of the configuration and each of ``needs``.

        Raises:
            InputError: the study has a figure of that name.
        """

        def add(draw: Draw) -> Draw:
            if name in self.figures:
                raise InputError(f"the figure {name!r} is drawn twice", remedy="rename one")
            self.figures[name] = FigureMaker(name, caption, tuple(needs), draw)
            return draw

        return add

    def config(self, scale: str) -> C:
        """The configuration of a scale.

        Raises:
            InputError: there is no such scale.
        """
        if scale not in self.scales:
            raise InputError(
                f"the study {self.name!r} has no scale {scale!r}",
                remedy=f"choose among {', '.join(self.scales)}",
            )
        return self.scales[scale]

    def select(self, claims: Sequence[str]) -> list[Claim]:
        """Claims by id, with or without the study's name before it; all if none is given.

        Raises:
            InputError: there is no such claim.
        """
        if not claims:
            return list(self.claims.values())
        ids = [name if "/" in name else f"{self.name}/{name}" for name in claims]
        for name in ids:
            if name not in self.claims:
                raise InputError(
                    f"the study {self.name!r} has no claim {name!r}",
                    remedy="see `spectrain study list`",
                )
        return [self.claims[name] for name in ids]
