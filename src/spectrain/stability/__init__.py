"""What may grow towards trouble: gains of weights, bounds of logits, outlying channels."""

from spectrain.stability.channels import STABILITY_MEASURES, channel_kurtosis, top_channel_share
from spectrain.stability.gain import rms_gain, sampled_gain, second_moment_energy
from spectrain.stability.largest import Followed, first_frame, follow_largest
from spectrain.stability.logits import logit_bound
from spectrain.stability.propagation import propagating_gain, propagating_sums

__all__ = [
    "STABILITY_MEASURES",
    "Followed",
    "channel_kurtosis",
    "first_frame",
    "follow_largest",
    "logit_bound",
    "propagating_gain",
    "propagating_sums",
    "rms_gain",
    "sampled_gain",
    "second_moment_energy",
    "top_channel_share",
]
