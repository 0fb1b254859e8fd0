"""Shampoo, SOAP and the like: updates whitened by matrices on both sides."""

from __future__ import annotations

from spectrain.optim.rules.orthogonal import DecayAsTold
from spectrain.optim.rules.registry import RULES
from spectrain.optim.rules.rule import Form


@RULES.register("shampoo", "distributed_shampoo", "klshampoo", "psgdkron", "kron", "splus")
class Shampoo(DecayAsTold):
    """L^{-1/4} G R^{-1/4} of the gradient's row and column moments L and R.

    Source:
        Gupta, Koren & Singer 2018, arXiv:1802.09568.
    """

    form = Form.WHITENED


@RULES.register("soap", "klsoap", "soapnadam", "soapademamix", "solp")
class Soap(DecayAsTold):
    """Adam in the eigenbasis of Shampoo's moments; in which basis ``exp_avg`` lies differs.

    Source:
        Vyas et al. 2024, arXiv:2409.11321.
    """

    form = Form.WHITENED
