"""What rows of the source *noise* hold."""

from __future__ import annotations

from spectrain.core import OWN, QUANTITIES, Quantity, Source, quantities_of
from spectrain.noise.snr import NOISE_MEASURES

_SEED = "“Multiplicative noise model for minibatch gradients”"
_DIRECTION = "singular direction of the mean gradient, by falling singular value"


def _of(measure: str, formula: str, citation: str, *, unit: str = "1") -> Quantity:
    return Quantity(Source.NOISE, measure, unit, formula, citation)


def _each(measure: str, formula: str, citation: str, *, unit: str = "1") -> Quantity:
    return Quantity(Source.NOISE, measure, unit, formula, citation, index=_DIRECTION)


NOISE_QUANTITIES = QUANTITIES.add(
    (
        *quantities_of(NOISE_MEASURES, Source.NOISE),
        _of("zeta_emp", "root of the median of ζ_i² over the leading directions", _SEED),
        _of("zeta_pred", "root of the median of s_i c_L²c_R², beyond chance, signed", _SEED),
        _of("eta_mult", "1 − mean of s_i c_L²c_R², beyond chance, signed", _SEED),
        _of("gamma_echo", "1 − ζ_emp²", _SEED),
        _of("gamma_minus_eta", "γ_echo − η_mult", _SEED),
        _of("noise_model_score", "(g/2) ln(RSS_isotropic/RSS_proportional) of g directions", _SEED),
        _of("noise_model", "−1 isotropic additive, 1 signal-proportional, 0 undecided", _SEED),
        _of("snr_orthogonalized", "‖E P‖²/tr Cov P of the polar factors P of replicas", OWN),
        _of("product_coupling", "1 for multiplicative noise, 0 in the mean for additive", _SEED),
        _each(
            "sigma", "σ_i of the mean gradient", "singular value decomposition", unit="unit of G"
        ),
        _each("signal_p", "p-value of the direction against noise alone", OWN),
        _each("echo", "ζ_i = ‖E û_i v̂_iᵀ‖_F, root of the signed mean over pairs", _SEED),
        _each("overlap_left", "c_L² = E⟨u_i, û_i⟩²", _SEED),
        _each("overlap_right", "c_R² = E⟨v_i, v̂_i⟩²", _SEED),
        _each("echo_isotropic", "√(c_L²c_R²) that isotropic additive noise predicts", _SEED),
        _each("echo_proportional", "√(c_L²c_R²) that noise like the signal predicts", _SEED),
    )
)
"""All of them, from whatever replicas."""
