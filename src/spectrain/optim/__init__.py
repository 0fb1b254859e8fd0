"""Optimizers: spectral descent, plans made into parameter groups, the routing linter."""

from spectrain.optim.build import Built, build
from spectrain.optim.lint import Complaint, lint
from spectrain.optim.plan_file import read_plan, write_plan
from spectrain.optim.spectral_descent import SpecGD

__all__ = ["Built", "Complaint", "SpecGD", "build", "lint", "read_plan", "write_plan"]
