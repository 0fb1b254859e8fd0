"""Descent: the gradient's nuclear rank against the stable rank of what feeds a block."""

from spectrain.answers.descent.columns import by_role, columns
from spectrain.answers.descent.finding import descent, read_ratios
from spectrain.answers.descent.plan import OpenAs, plan_of
from spectrain.answers.descent.row import VERDICTS, DescentGroup, DescentRow
from spectrain.answers.question import QUESTIONS, Heatmap, Question, RoleTable

__all__ = ["DescentGroup", "DescentRow", "OpenAs", "descent", "plan_of"]

QUESTIONS.register(
    Question(
        name="descent",
        text="Which blocks should take spectral updates, and which Euclidean ones?",
        answer=descent,
        verdicts=VERDICTS,
        columns=columns,
        heatmaps=(
            Heatmap(
                "descent",
                "Nuclear over stable rank",
                "of gradient and input",
                "ratio",
                lambda run, blocks: read_ratios(run).rename({"ratio": "value"}),
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
