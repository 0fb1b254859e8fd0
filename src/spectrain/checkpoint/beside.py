"""What lies beside a model in its own file: optimizer state, counters, moving averages.

Recognised by names and by structure, alike for every format.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

OPTIMIZER = "state of an optimizer"
TRAINING = "state of the training program"
AVERAGE = "a moving average of the weights"

_OPTIMIZER = re.compile(
    r"(?:.*_)?optim(?:izer)?s?(?:_(?:states?|state_dicts?|dict|history|\d+))*", re.I | re.ASCII
)
_TRAINING = re.compile(
    r"(?:lr_)?(?:schedulers?|lr_sched)(?:_(?:states?|state_dicts?))?|(?:grad_?)?scalers?(?:_state.*)?"
    r"|(?:cuda_|torch_|numpy_|np_|python_)?rng_states?|rng_state_.*|random_(?:rng_)?states?.*|amp"
    r"|callbacks|loops|dataloaders?|data_loader|train_state|training_args|rerun_state_machine_state"
    r"|(?:.*_)?replay_buffer",
    re.I | re.ASCII,
)
_AVERAGE = re.compile(
    r"ema|(?:\w+_)?ema|ema_(?:model|state_dict|state|weights|params|net|module|unet|denoiser)"
    r"|(?:model|module|params|net|state_dict|weights)_(?:ema|avg|averaged)|moving_averages?"
    r"|shadow(?:_params)?|averaged_(?:model|params|weights)|swa(?:_model|_state_dict)?",
    re.I | re.ASCII,
)
_MOMENTS = frozenset(
    [
        "exp_avg",
        "exp_avg_sq",
        "exp_avg_sq_row",
        "exp_avg_sq_col",
        "exp_avg_slow",
        "exp_avg_diff",
        "max_exp_avg_sq",
        "momentum_buffer",
        "square_avg",
        "acc_delta",
        "exp_inf",
    ]
)
_SHORT = re.compile(
    r"opts?|opt_?[DGdg]|opt_states?|adamw?|adafactor|sgd|rmsprop|lion|muon|shampoo|sophia",
    re.ASCII,
)
"""Names of optimizers that are too short to mean one except at the top."""


def beside_the_model(parts: Sequence[str]) -> str | None:
    """Why a tensor with this path is not a weight of the model, or ``None``.

    Args:
        parts: the components of its dotted name.

    Example:
        >>> beside_the_model("optimizer.state.0.exp_avg".split("."))
        'state of an optimizer'
        >>> beside_the_model("model_ema.h.0.weight".split("."))
        'a moving average of the weights'
        >>> beside_the_model("opt_model.decoder.layers.0.fc1.weight".split("."))
    """
    if any(part in _MOMENTS for part in parts) or (parts[1:] and _SHORT.fullmatch(parts[0])):
        return OPTIMIZER
    for part in parts[:-1] if len(parts) > 1 else parts:
        if _OPTIMIZER.fullmatch(part):
            return OPTIMIZER
        if _TRAINING.fullmatch(part):
            return TRAINING
        if _AVERAGE.fullmatch(part):
            return AVERAGE
    return None


def is_optimizer_state(value: Any) -> bool:
    """Whether a container is what ``Optimizer.state_dict`` gives, or a list or mapping of such.

    Example:
        >>> is_optimizer_state({"state": {}, "param_groups": []}), is_optimizer_state({"state": {}})
        (True, False)
    """
    if isinstance(value, Mapping):
        if "param_groups" in value and ("state" in value or len(value) == 1):
            return True
        inner: Sequence[Any] = list(value.values())
    elif isinstance(value, list | tuple):
        inner = value
    else:
        return False
    mappings = [part for part in inner if isinstance(part, Mapping)]
    return bool(mappings) and all("param_groups" in part and "state" in part for part in mappings)
