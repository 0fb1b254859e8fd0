"""Sweeps: many independent pieces of work, spread over processes, that survive a kill.

:func:`run_tasks` runs them, :mod:`spectrain.sweeps.outcome` keeps what they return.
"""

from spectrain.sweeps.outcome import Outcome, read_outcome, write_outcome
from spectrain.sweeps.run import Done, run_tasks
from spectrain.sweeps.task import Task, task_of

__all__ = [
    "Done",
    "Outcome",
    "Task",
    "read_outcome",
    "run_tasks",
    "task_of",
    "write_outcome",
]
