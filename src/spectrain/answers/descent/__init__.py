"""Descent: the gradient's nuclear rank against the stable rank of what feeds a block."""

from spectrain.answers.descent.columns import by_role, columns
from spectrain.answers.descent.finding import QUESTION, descent, read_ratios
from spectrain.answers.descent.plan import Tried, plan_of
from spectrain.answers.descent.row import VERDICTS, DescentGroup, DescentRow
from spectrain.answers.question import QUESTIONS, Heatmap, Question, RoleTable
from spectrain.answers.sufficient import Need
from spectrain.answers.trend import ENOUGH
from spectrain.core import Source

__all__ = ["DescentGroup", "DescentRow", "Tried", "descent", "plan_of"]

QUESTIONS.register(
    Question(
        name="descent",
        place=1,
        text=QUESTION,
        answer=descent,
        verdicts=VERDICTS,
        needs=Need(Source.GRADIENT, "nuclear_rank", ENOUGH),
        columns=columns,
        heatmaps=(
            Heatmap(
                "descent",
                "Nuclear over stable rank",
                "of gradient and input",
                "ratio",
                lambda run, blocks: read_ratios(run, blocks).rename({"ratio": "value"}),
            ),
        ),
        compared=(
            RoleTable(
                "nr/st",
                "Nuclear rank of the gradient over stable rank of what feeds the block, median "
                "block, last third of the samples; and the blocks that favour the spectral step.",
                by_role,
            ),
        ),
    )
)
