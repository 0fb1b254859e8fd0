"""Optimizers: spectral descent, interventions, plans made into groups, the routing linter."""

from spectrain.optim.build import Built, build
from spectrain.optim.interventions import Intervened
from spectrain.optim.lint import Complaint, lint
from spectrain.optim.plan_file import read_plan, write_plan
from spectrain.optim.spectral_descent import SpecGD

__all__ = ["Built", "Complaint", "Intervened", "SpecGD", "build", "lint", "read_plan", "write_plan"]
