"""Claims on what the bulk of the character model's matrices is worth."""

from __future__ import annotations

import numpy as np

from spectrain.noise.estimate import Estimate, symmetric
from spectrain_studies.frame import Below, Measured, Results
from spectrain_studies.frame.statistics import over_seeds
from spectrain_studies.randomness.config import Config
from spectrain_studies.randomness.gpt.claims import EMPIRICAL, main
from spectrain_studies.randomness.gpt.experiment import GPTS
from spectrain_studies.randomness.study import STUDY

BULK = f"{EMPIRICAL} (“remove? sparse weight matrices?”)"
LITTLE = Below(0.02, "nats")
CHANGES = ("bulk_truncated", "bulk_randomised", "pruned", "spikes_removed")


def _changes(results: Results, name: str, against: str | None) -> Estimate:
    """Mean change of held-out loss over seeds; with one seed its error over batches."""
    values = results.stack(name)
    if against is not None:
        values = values - results.stack(against) * [1, 0]
    if len(values) > 1:
        return over_seeds(values[:, 0])
    return symmetric(float(values[0, 0]), float(values[0, 1]), replicas=16)


for _name, _statement, _statistic, _criterion, _prefix, _change, _against in (
    (
        "bulk-of-heads-removable",
        "The random part of keys, queries and values can be removed",
        "change of held-out loss with their bulks truncated at the end of training",
        LITTLE,
        "qkv_",
        "bulk_truncated",
        None,
    ),
    (
        "bulk-removable",
        "The random part of all matrices inside the blocks can be removed",
        "change of held-out loss with their bulks truncated at the end of training",
        LITTLE,
        "",
        "bulk_truncated",
        None,
    ),
    (
        "bulk-is-random",
        "The part that looks random is random: another with the same singular values does as well",
        "change of held-out loss with random singular vectors in all bulks",
        LITTLE,
        "",
        "bulk_randomised",
        None,
    ),
    (
        "bulk-against-pruning",
        "At equal energy, removing the bulk costs less than zeroing small entries",
        "change of loss with bulks truncated minus that with small entries pruned",
        Below(0, "nats"),
        "",
        "bulk_truncated",
        "pruned",
    ),
    (
        "bulk-finetuned",
        "After a short finetuning the network does as well without the bulk as with it",
        "loss finetuned without bulk minus loss finetuned with it",
        LITTLE,
        "",
        "bulk_removed_finetuned",
        "finetuned",
    ),
):

    @STUDY.claim(
        _name,
        source=BULK,
        statement=_statement,
        statistic=_statistic,
        criterion=_criterion,
        needs=(GPTS,),
    )
    def surgery(
        config: Config,
        gpts: Results,
        prefix: str = _prefix,
        change: str = _change,
        against: str | None = _against,
    ) -> Measured | Estimate:
        chosen = main(config, gpts)
        if change.endswith("finetuned") and not config.transformer.finetune:
            return Estimate.missing("nothing was finetuned", replicas=len(chosen))
        told = {
            name: float(np.mean(chosen.stack(f"{prefix}change_{name}")[:, 0])) for name in CHANGES
        }
        told["bulk energy"] = float(chosen.stack(f"{prefix or 'bulk_'}energy").mean())
        found = _changes(
            chosen, f"{prefix}change_{change}", f"change_{against}" if against else None
        )
        return Measured(found, details=told)
