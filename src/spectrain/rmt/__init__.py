"""Laws and flows of random matrices."""

from spectrain.rmt.coulomb_gas import CoulombGas
from spectrain.rmt.degenerate import Levels, count_zeros, set_apart
from spectrain.rmt.dyson import evolve_levels, evolve_matrices
from spectrain.rmt.ensembles import hermite_eigenvalues, laguerre_eigenvalues
from spectrain.rmt.fokker_planck import FokkerPlanck, Potential
from spectrain.rmt.jackknife import jackknife
from spectrain.rmt.largest_eigenvalue import edge_p_value, edge_ratio_p_value, edge_scaling
from spectrain.rmt.law import Fit, Law
from spectrain.rmt.marchenko_pastur import MarchenkoPastur
from spectrain.rmt.marchenko_pastur_fit import (
    FittedValue,
    MarchenkoPasturFit,
    fit_marchenko_pastur,
)
from spectrain.rmt.number_variance import number_variance, number_variance_law
from spectrain.rmt.power_law import PowerLaw, PowerLawFit, fit_power_law
from spectrain.rmt.rbm_mode import RBMMode
from spectrain.rmt.repelled_bulk import RepelledBulk
from spectrain.rmt.spacing_ratio import (
    LARGE_MATRIX_MEANS,
    SpacingRatio,
    mean_spacing_ratio,
    spacing_ratios,
)
from spectrain.rmt.spiked import SpikedMatrix
from spectrain.rmt.spikes import SpikeCount, count_spikes
from spectrain.rmt.surmise import WignerSurmise, fit_wigner_surmise
from spectrain.rmt.tail_tests import TailComparison, compare_tails, power_law_p_value
from spectrain.rmt.tracy_widom import TracyWidom
from spectrain.rmt.truncated_power_law import (
    TruncatedFit,
    TruncatedPowerLaw,
    fit_truncated_power_law,
)
from spectrain.rmt.two_mode import BINDER, TwoMode, binder_cumulant, fit_two_mode
from spectrain.rmt.unfolding import local_spacings, unfold
from spectrain.rmt.wigner import WignerSemicircle, fit_wigner_semicircle

__all__ = [
    "CoulombGas",
    "Fit",
    "FittedValue",
    "FokkerPlanck",
    "Law",
    "Levels",
    "MarchenkoPastur",
    "MarchenkoPasturFit",
    "Potential",
    "PowerLaw",
    "PowerLawFit",
    "RBMMode",
    "RepelledBulk",
    "SpacingRatio",
    "SpikeCount",
    "SpikedMatrix",
    "TailComparison",
    "TracyWidom",
    "TruncatedFit",
    "TruncatedPowerLaw",
    "TwoMode",
    "WignerSemicircle",
    "WignerSurmise",
    "binder_cumulant",
    "compare_tails",
    "count_spikes",
    "count_zeros",
    "edge_p_value",
    "edge_ratio_p_value",
    "edge_scaling",
    "evolve_levels",
    "evolve_matrices",
    "fit_marchenko_pastur",
    "fit_power_law",
    "fit_truncated_power_law",
    "fit_two_mode",
    "fit_wigner_semicircle",
    "fit_wigner_surmise",
    "hermite_eigenvalues",
    "jackknife",
    "laguerre_eigenvalues",
    "local_spacings",
    "mean_spacing_ratio",
    "number_variance",
    "number_variance_law",
    "power_law_p_value",
    "set_apart",
    "spacing_ratios",
    "unfold",
]
