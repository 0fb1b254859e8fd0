"""Gaussian restricted Boltzmann machines and what they learn, many runs as one tensor program."""

from spectrain_studies.models.rbm.lattice import LatticeField
from spectrain_studies.models.rbm.machine import ScalarRBM
from spectrain_studies.models.rbm.train import RBMRuns, Target, start_runs, train_rbm

__all__ = ["LatticeField", "RBMRuns", "ScalarRBM", "Target", "start_runs", "train_rbm"]
