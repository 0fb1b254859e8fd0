"""Tensors of every quantization format, and the matrices that they stand for by its definition."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

FP4 = [0, 0.5, 1, 1.5, 2, 3, 4, 6]

Made = tuple[dict[str, Tensor], dict[str, Any], Tensor]
"""Tensors of a file, its config.json, and the matrix that they stand for."""


def octets(shape: tuple[int, ...], seed: int) -> Tensor:
    g = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, shape, generator=g, dtype=torch.uint8)


def fp4(code: int) -> float:
    return FP4[code & 7] * (-1 if code & 8 else 1)


def mxfp4() -> Made:
    blocks, scales = octets((2, 3, 2, 16), 1), octets((2, 3, 2), 2) % 20 + 117
    wanted = torch.zeros(2, 3, 64)
    for e in range(2):
        for row in range(3):
            for column in range(64):
                octet = int(blocks[e, row, column // 32, column % 32 // 2])
                code = octet >> 4 if column % 2 else octet & 15
                power = int(scales[e, row, column // 32]) - 127
                wanted[e, row, column] = fp4(code) * 2.0**power
    name = "mlp.experts.gate_up_proj"
    return {f"{name}_blocks": blocks, f"{name}_scales": scales}, {}, wanted


def nvfp4(divides: bool) -> Made:
    packed, scales = octets((4, 16), 3), (torch.rand(4, 2) + 0.5).to(torch.float8_e4m3fn)
    whole = torch.tensor(3.0)
    wanted = torch.zeros(4, 32)
    for row in range(4):
        for column in range(32):
            octet = int(packed[row, column // 2])
            code = octet >> 4 if column % 2 else octet & 15
            factor = 1 / 3.0 if divides else 3.0
            wanted[row, column] = fp4(code) * float(scales[row, column // 16]) * factor
    names = ("weight_packed", "weight_global_scale") if divides else ("weight", "weight_scale_2")
    tensors = {f"q.{names[0]}": packed, "q.weight_scale": scales, f"q.{names[1]}": whole}
    return tensors, {}, wanted


def nf4(nested: bool) -> Made:
    packed, table = octets((32, 1), 4), torch.linspace(-1, 1, 16)
    peaks = torch.rand(4)
    state: dict[str, object] = {"quant_type": "nf4", "blocksize": 16, "shape": [8, 8]}
    tensors = {"q.weight": packed, "q.weight.quant_map": table}
    if nested:
        codes, outer = octets((4,), 5), torch.tensor([0.5, 2.0])
        inner = torch.linspace(-1, 1, 256)
        state |= {"nested_blocksize": 2, "nested_offset": 0.25}
        tensors |= {
            "q.weight.absmax": codes,
            "q.weight.nested_absmax": outer,
            "q.weight.nested_quant_map": inner,
        }
        for block in range(4):
            peaks[block] = inner[int(codes[block])] * outer[block // 2] + 0.25
    else:
        tensors["q.weight.absmax"] = peaks
    text = json.dumps(state).encode()
    tensors["q.weight.quant_state.bitsandbytes__nf4"] = torch.tensor(list(text), dtype=torch.uint8)
    wanted = torch.zeros(64)
    for index in range(64):
        octet = int(packed[index // 2, 0])
        code = octet & 15 if index % 2 else octet >> 4
        wanted[index] = table[code] * peaks[index // 16]
    return tensors, {}, wanted.reshape(8, 8)


def bitsandbytes8() -> Made:
    numbers, scale = octets((4, 3), 6).view(torch.int8), torch.rand(4)
    wanted = numbers.float() * scale[:, None] / 127
    form = torch.tensor(0, dtype=torch.uint8)
    return {"q.weight": numbers, "q.SCB": scale, "q.weight_format": form}, {}, wanted


def into_words(numbers: Tensor, bits: int) -> Tensor:
    """Whole numbers along the last side, packed into int32 with the lowest bits first."""
    rows = []
    for row in numbers.reshape(-1, numbers.shape[-1]).tolist():
        stream = sum(number << (bits * at) for at, number in enumerate(row))
        words = [(stream >> (32 * at)) & 0xFFFFFFFF for at in range(len(row) * bits // 32)]
        rows.append([word - (1 << 32) if word >> 31 else word for word in words])
    return torch.tensor(rows, dtype=torch.int32)


def gptq(bits: int, *, version: int = 1, order: bool = False) -> Made:
    inputs, outputs, groups = 64, 32, 2
    g = torch.Generator().manual_seed(bits)
    numbers = torch.randint(0, 1 << bits, (inputs, outputs), generator=g)
    zeros = torch.randint(1, (1 << bits) - 1, (groups, outputs), generator=g)
    scales = torch.rand(groups, outputs, generator=g).half()
    index = torch.arange(inputs) // 32
    if order:
        index = index[torch.randperm(inputs, generator=g)]
    wanted = torch.zeros(outputs, inputs)
    for i in range(inputs):
        group = int(index[i])
        wanted[:, i] = scales[group].float() * (numbers[i] - zeros[group])
    tensors = {
        "q.qweight": into_words(numbers.T, bits).T.contiguous(),
        "q.qzeros": into_words(zeros - (2 - version), bits),
        "q.scales": scales,
        "q.g_idx": index.int(),
    }
    config = {"checkpoint_format": "gptq_v2" if version == 2 else "gptq", "bits": bits}
    return tensors, {"quantization_config": config}, wanted


def awq() -> Made:
    inputs, outputs, groups = 8, 16, 2
    g = torch.Generator().manual_seed(7)
    numbers = torch.randint(0, 16, (inputs, outputs), generator=g)
    zeros = torch.randint(0, 16, (groups, outputs), generator=g)
    scales = torch.rand(groups, outputs, generator=g).half()
    wanted = scales.float().repeat_interleave(4, 0) * (numbers - zeros.repeat_interleave(4, 0))

    def packed(values: Tensor) -> Tensor:
        order = [0, 2, 4, 6, 1, 3, 5, 7]  # which output stands at each place of a word
        return into_words(values.unflatten(-1, (-1, 8))[..., order].flatten(-2), 4)

    tensors = {"q.qweight": packed(numbers), "q.qzeros": packed(zeros), "q.scales": scales}
    return tensors, {}, wanted.T


def hqq(bits: int) -> Made:
    """A weight of 8 × 16 in groups of 32 along the rows of the grouped weight."""
    g = torch.Generator().manual_seed(8)
    numbers = torch.randint(0, 1 << bits, (8, 16), generator=g, dtype=torch.uint8)
    scale, zero = torch.rand(8, 1, generator=g), torch.rand(8, 1, generator=g)
    wanted = ((numbers.float() - zero) * scale).reshape(16, 8)
    per = 8 // bits
    parts = numbers.reshape(per, -1, 16)
    packed = torch.zeros_like(parts[0])
    for part in parts:
        packed = (packed << bits) | part if bits < 8 else part
    tensors = {
        "q.W_q": packed,
        "q.scale": scale,
        "q.zero": zero,
        "q.shape": torch.tensor([16, 8]),
        "q.nbits": torch.tensor(bits),
        "q.axis": torch.tensor(1),
    }
    return tensors, {}, wanted


def mlx(bits: int) -> Made:
    g = torch.Generator().manual_seed(9)
    numbers = torch.randint(0, 1 << bits, (4, 64), generator=g)
    scales, biases = torch.rand(4, 2, generator=g), torch.rand(4, 2, generator=g)
    wanted = numbers * scales.repeat_interleave(32, 1) + biases.repeat_interleave(32, 1)
    words = into_words(numbers, bits).view(torch.uint32)
    config = {"quantization": {"bits": bits, "group_size": 32}}
    return {"q.weight": words, "q.scales": scales, "q.biases": biases}, config, wanted


def quanto() -> Made:
    numbers, scale = octets((4, 3), 10).view(torch.int8), torch.rand(4, 1)
    return {"q.weight._data": numbers, "q.weight._scale": scale}, {}, numbers * scale


def int8(zero: bool) -> Made:
    numbers, scale = octets((4, 3), 11).view(torch.int8), torch.rand(4, 1)
    tensors = {"q.weight": numbers, "q.weight_scale": scale}
    shifted = numbers.float()
    if zero:
        tensors["q.weight_zero_point"] = torch.tensor([[1], [2], [3], [-4]], dtype=torch.int8)
        shifted = shifted - tensors["q.weight_zero_point"]
    return tensors, {}, shifted * scale


def aqlm() -> Made:
    g = torch.Generator().manual_seed(12)
    codes = torch.randint(-128, 128, (3, 2, 2), generator=g, dtype=torch.int8)
    books, scales = torch.randn(2, 256, 1, 4, generator=g), torch.rand(3, 1, 1, 1, generator=g)
    wanted = torch.zeros(3, 8)
    for row in range(3):
        for column in range(8):
            code = [int(codes[row, column // 4, c]) % 256 for c in range(2)]
            value = sum(float(books[c, code[c], 0, column % 4]) for c in range(2))
            wanted[row, column] = value * float(scales[row])
    return {"q.codes": codes, "q.codebooks": books, "q.scales": scales}, {}, wanted


def fp8(name: str, shape: tuple[int, ...]) -> Made:
    g = torch.Generator().manual_seed(13)
    numbers = torch.randn(200, 300, generator=g).to(torch.float8_e4m3fn)
    scale = torch.rand(shape, generator=g) + 0.5
    full = scale.reshape(-1, 1) if len(shape) < 2 else scale
    if shape == (2, 3):
        full = scale.repeat_interleave(128, 0)[:200].repeat_interleave(128, 1)[:, :300]
    return {"m.weight": numbers, f"m.{name}": scale}, {}, numbers.float() * full


def by_groups(scale: str) -> Made:
    """fp8 of 4 × 96 with a scale for each 32 columns: a number, or a power of two in an octet."""
    g = torch.Generator().manual_seed(14)
    numbers = torch.randn(4, 96, generator=g).to(torch.float8_e4m3fn)
    powers = torch.randint(120, 134, (4, 3), generator=g)
    factor = torch.tensor([[2.0 ** (int(e) - 127) for e in row] for row in powers])
    stored = {
        "numbers": factor * 1.25,
        "octets": powers.to(torch.uint8),
        "E8M0": factor.to(torch.float8_e8m0fnu),
    }[scale]
    full = (factor * (1.25 if scale == "numbers" else 1)).repeat_interleave(32, 1)
    return {"m.weight": numbers, "m.weight_scale": stored}, {}, numbers.float() * full


def pack_quantized(bits: int, zero: bool, order: bool) -> Made:
    """Integers without sign along the inputs; 20 inputs, so that the last word is padded."""
    g = torch.Generator().manual_seed(15)
    rows, columns, groups = 16, 20, 2
    numbers = torch.randint(0, 1 << bits, (rows, columns), generator=g)
    middle = torch.full((rows, groups), 1 << (bits - 1))
    scale = torch.rand(rows, groups, generator=g) + 0.5
    group = torch.arange(columns) // (columns // groups)
    if order:
        group = group[torch.randperm(columns, generator=g)]
    padded = torch.cat([numbers, torch.zeros(rows, -columns % (32 // bits)).long()], 1)
    tensors = {
        "q.weight_packed": into_words(padded, bits),
        "q.weight_scale": scale,
        "q.weight_shape": torch.tensor([rows, columns]),
    }
    if zero:
        middle = torch.randint(0, 1 << bits, (rows, groups), generator=g)
        tensors["q.weight_zero_point"] = into_words(middle.mT.contiguous(), bits).mT
    if order:
        tensors["q.weight_g_idx"] = group.int()
    wanted = torch.zeros(rows, columns)
    for row in range(rows):
        for column in range(columns):
            at = int(group[column])
            wanted[row, column] = scale[row, at] * (numbers[row, column] - middle[row, at])
    return tensors, {}, wanted


FORMATS: dict[str, Callable[[], Made]] = {
    "MXFP4": mxfp4,
    "NVFP4 of ModelOpt": lambda: nvfp4(False),
    "NVFP4 of compressed-tensors": lambda: nvfp4(True),
    "nf4": lambda: nf4(False),
    "nf4, nested": lambda: nf4(True),
    "bitsandbytes int8": bitsandbytes8,
    **{f"GPTQ {bits} bits": partial(gptq, bits) for bits in (2, 3, 4, 8)},
    "GPTQ v2": lambda: gptq(4, version=2),
    "GPTQ with act-order": lambda: gptq(4, order=True),
    "AWQ": awq,
    **{f"HQQ {bits} bits": partial(hqq, bits) for bits in (1, 2, 4, 8)},
    **{f"MLX {bits} bits": partial(mlx, bits) for bits in (2, 3, 4, 6, 8)},
    "quanto": quanto,
    "int8": lambda: int8(False),
    "int8 with zero point": lambda: int8(True),
    "AQLM": aqlm,
    "pack-quantized 4 bits": lambda: pack_quantized(4, zero=False, order=False),
    "pack-quantized 8 bits": lambda: pack_quantized(8, zero=False, order=False),
    "pack-quantized with zero points": lambda: pack_quantized(4, zero=True, order=False),
    "pack-quantized with act-order": lambda: pack_quantized(4, zero=False, order=True),
    "fp8 by groups": lambda: by_groups("numbers"),
    "fp8 by groups, powers of two": lambda: by_groups("octets"),
    "fp8 by groups, E8M0": lambda: by_groups("E8M0"),
    "fp8 scale, as DeepSeek has it": lambda: fp8("scale", (2, 3)),
    **{
        f"fp8 {name} {shape}": partial(fp8, name, shape)
        for name in ("weight_scale_inv", "weight_scale", "scale_weight")
        for shape in ((), (1,), (200,), (200, 1), (1, 300), (2, 3))
    },
}


UNKNOWN: dict[str, dict[str, Tensor]] = {
    "integers": {"q.weight": octets((3, 4), 1), "q.weight_scale": torch.rand(3, 2)},
    "HQQ without bits": {"q.W_q": octets((4, 8), 1), "q.scale": torch.rand(8, 1)},
    "quanto of 4 bits": {
        "q.weight._data": octets((4, 4), 1),
        "q.weight._scale": torch.rand(4, 1),
        "q.weight._shift": torch.rand(4, 1),
    },
    "MLX without config": {
        "q.weight": octets((4, 32), 1).view(torch.int32).view(torch.uint32),
        "q.scales": torch.rand(4, 2),
        "q.biases": torch.rand(4, 2),
    },
    "QuIP#": {"q.Qidxs": octets((4, 8), 1), "q.SU": torch.rand(8), "q.SV": torch.rand(4)},
    "GPTQ without g_idx and config": {
        "q.qweight": octets((4, 32), 1).view(torch.int32),
        "q.qzeros": octets((1, 4), 1).view(torch.int32),
        "q.scales": torch.rand(1, 8),
    },
    "int8 of bitsandbytes without its layout": {
        "q.weight": octets((4, 8), 1).view(torch.int8),
        "q.SCB": torch.rand(4),
    },
    "EXL2": {
        "q.q_weight": octets((4, 8), 1).view(torch.int32),
        "q.q_scale": octets((2, 8), 1).view(torch.int32),
        "q.q_scale_max": torch.rand(2),
        "q.q_groups": torch.ones(4, dtype=torch.int16),
    },
    "EXL3": {
        "q.trellis": torch.ones(2, 2, 16, dtype=torch.int16),
        "q.suh": torch.rand(8),
        "q.svh": torch.rand(8),
    },
    "VPTQ": {
        "q.indices": torch.ones(1, 4, 8, dtype=torch.int16),
        "q.centroids.weight": torch.rand(4, 16),
        "q.res_centroids.weight": torch.rand(4, 16),
        "q.weight_scale": torch.rand(8),
    },
    "SpQR": {
        "q.dense_weights": torch.ones(16, dtype=torch.int64),
        "q.row_offsets": torch.ones(5, dtype=torch.int32),
        "q.in_perm": torch.arange(8),
    },
    "HIGGS": {
        "q.weight": torch.ones(4, 8, dtype=torch.int16),
        "q.scales": torch.rand(2, 8),
        "q.tables": torch.rand(16, 2),
        "q.tables2": torch.rand(16, 2),
    },
    "QTIP": {
        "q.trellis": torch.ones(4, 8, dtype=torch.int16),
        "q.SU": torch.rand(8),
        "q.SV": torch.rand(4),
        "q.tlut": torch.rand(64, 2),
    },
    "EETQ": {
        "q.weight": octets((4, 4), 1).view(torch.int8),
        "q.weight_scales": torch.rand(4),
    },
    "torchao": {
        "q._weight_qdata": octets((4, 8), 1).view(torch.int8),
        "q._weight_scale": torch.rand(4, 2),
        "q._weight_zero_point": octets((4, 2), 1).view(torch.int8),
    },
    "SINQ": {
        "q.W_q": octets((4, 8), 1),
        "q.scale": torch.rand(8, 1),
        "q.zero": torch.rand(8, 1),
        "q.scale2": torch.rand(1, 8),
        "q.nbits": torch.tensor(4),
        "q.shape": torch.tensor([8, 8]),
    },
    "BitNet": {"q.weight": octets((4, 8), 1), "q.weight_scale": torch.rand(1)},
    "codes of 64 bits": {
        "q.codes": torch.ones(4, 8, dtype=torch.int64),
        "q.codebook": torch.rand(16, 8),
        "q.scales": torch.rand(4, 1),
    },
    "fp8 beside an unknown scale": {
        "q.weight": torch.ones(4, 8).to(torch.float8_e4m3fn),
        "q.fp8_scale": torch.rand(4, 4),
    },
    "pack-quantized without its shape": {
        "q.weight_packed": octets((4, 8), 1).view(torch.int32),
        "q.weight_scale": torch.rand(4, 2),
    },
    "words": {"q.qweight": octets((4, 8), 1).view(torch.int32), "q.scales": torch.rand(3, 5)},
}
