"""Spectra of matrices and everything that is a function of them; torch only."""

from spectrain.matrix.backends import (
    RECORD_RTOL,
    diagonal_spectrum,
    gram_spectrum,
    spectrum,
)
from spectrain.matrix.entries import ENTRY_MEASURES, zero_columns, zero_entries, zero_rows
from spectrain.matrix.estimate import Costs, Estimates, estimate, measure_costs
from spectrain.matrix.measures import (
    MEASURES,
    UNRESOLVED,
    condition_number,
    effective_rank,
    frobenius_norm,
    intrinsic_dimension,
    nuclear_norm,
    nuclear_rank,
    operator_norm,
    participation_ratio,
    spectral_entropy,
    stable_rank,
    top1_mass,
    top5_mass,
    top10_mass,
)
from spectrain.matrix.polar import PolarFactor, newton_schulz, orthogonalized, polar, residual
from spectrain.matrix.product import product_spectrum
from spectrain.matrix.sketch import SKETCHED, Sketch, SketchEstimate, sketch
from spectrain.matrix.spectrum import REASONS, Spectrum, SpectrumStatus
from spectrain.matrix.top import top_eigenvalue

__all__ = [
    "ENTRY_MEASURES",
    "MEASURES",
    "Costs",
    "Estimates",
    "PolarFactor",
    "Sketch",
    "SketchEstimate",
    "Spectrum",
    "SpectrumStatus",
    "condition_number",
    "diagonal_spectrum",
    "effective_rank",
    "estimate",
    "frobenius_norm",
    "gram_spectrum",
    "intrinsic_dimension",
    "measure_costs",
    "newton_schulz",
    "nuclear_norm",
    "nuclear_rank",
    "operator_norm",
    "orthogonalized",
    "participation_ratio",
    "polar",
    "product_spectrum",
    "residual",
    "sketch",
    "spectral_entropy",
    "spectrum",
    "stable_rank",
    "top1_mass",
    "top5_mass",
    "top10_mass",
    "top_eigenvalue",
    "zero_columns",
    "zero_entries",
    "zero_rows",
]
