"""One registered file a format of quantized weights: its tensors become the matrix they stand for.

The order of the imports is that in which they are tried; the last reports what nobody understood.
"""

# isort: off
from spectrain.checkpoint.quantized import mxfp4, nvfp4, bitsandbytes, gptq, awq, hqq, mlx, quanto
from spectrain.checkpoint.quantized import packed, integer8, float8, aqlm, unknown

# isort: on
from spectrain.checkpoint.quantized.registry import DECODERS, Claim, decoder, resolve_quantized

__all__ = [
    "DECODERS",
    "Claim",
    "aqlm",
    "awq",
    "bitsandbytes",
    "decoder",
    "float8",
    "gptq",
    "hqq",
    "integer8",
    "mlx",
    "mxfp4",
    "nvfp4",
    "packed",
    "quanto",
    "resolve_quantized",
    "unknown",
]
