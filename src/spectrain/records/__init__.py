"""The run folder: what a run leaves on disk, its writer and its reader.

    manifest.json        configuration, block table, skipped parameters, versions, seeds, host
    attempts/*.json      every start of every rank: when, at which step, what watching cost
    metrics/*.parquet    one row a number
    spectra/*.parquet    one row a spectrum

Every file appears whole or not at all, under a name that never stands for other content, so a run
reads while it is written and after it was killed. :func:`open_run` also resolves resumed attempts;
the parts alone, read with another tool, still hold the steps that a later attempt repeated.
"""

from spectrain.records.attempt import Attempt
from spectrain.records.events import LOSS, NOT_FINITE, NotFinite, first_not_finite
from spectrain.records.reader import Run, State, Thinned, open_run
from spectrain.records.schema import SCHEMA_VERSION
from spectrain.records.writer import RunWriter

__all__ = [
    "SCHEMA_VERSION",
    "Attempt",
    "NotFinite",
    "Run",
    "RunWriter",
    "State",
    "Thinned",
    "first_not_finite",
    "open_run",
]
