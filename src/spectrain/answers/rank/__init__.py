"""Rank: whether the effective rank of the gradients falls, and whether learning goes with it."""

from spectrain.answers.question import QUESTIONS, Heatmap, Question, RoleTable
from spectrain.answers.rank.columns import by_role, columns, concern
from spectrain.answers.rank.finding import TRANSIENT, rank, read_shares
from spectrain.answers.rank.row import VERDICTS
from spectrain.answers.sufficient import Need
from spectrain.answers.trend import ENOUGH
from spectrain.core import Source

__all__ = ["rank"]

QUESTIONS.register(
    Question(
        name="rank",
        place=2,
        text="Is the effective rank of the gradients falling?",
        answer=rank,
        verdicts=VERDICTS,
        needs=Need(Source.GRADIENT, "effective_rank", ENOUGH, skipped=TRANSIENT),
        columns=columns,
        concern=concern,
        heatmaps=(
            Heatmap(
                "rank",
                "Effective rank",
                "of the gradient, of full rank",
                "share",
                lambda run, blocks: read_shares(run, blocks).rename({"share": "value"}),
            ),
        ),
        compared=(
            RoleTable("gradient rank", "Effective rank of the gradients, early to late.", by_role),
        ),
    )
)
