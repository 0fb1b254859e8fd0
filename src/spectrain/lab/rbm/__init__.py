"""Gaussian restricted Boltzmann machines and what they learn, many runs as one tensor program."""

from spectrain.lab.rbm.lattice import LatticeField
from spectrain.lab.rbm.machine import ScalarRBM
from spectrain.lab.rbm.train import RBMRuns, Target, start_runs, train_rbm

__all__ = ["LatticeField", "RBMRuns", "ScalarRBM", "Target", "start_runs", "train_rbm"]
