"""
What a Gram matrix can see
==========================

The singular values of an m × n matrix are the square roots of the eigenvalues of its smaller Gram
matrix. That is several times cheaper than a singular value decomposition, and it squares the
condition number. This example makes matrices whose singular values are known, and shows where each
way of computing them stops being right, and what :func:`spectrain.matrix.spectrum` does about it.
"""

import matplotlib.pyplot as plt
import torch

from spectrain.matrix import diagonal_spectrum, effective_rank, spectrum

# %%
# Matrices with prescribed singular values: A = U diag(σ) Vᵀ with random orthonormal U and V,
# rounded to float32 as a gradient would be.

generator = torch.Generator().manual_seed(0)
rank, columns = 64, 256


def orthonormal(rows: int) -> torch.Tensor:
    gaussian = torch.randn(rows, rank, generator=generator, dtype=torch.float64)
    return torch.linalg.qr(gaussian).Q


prescribed = {
    "flat": torch.ones(rank, dtype=torch.float64),
    "power law": 1 / torch.arange(1, rank + 1, dtype=torch.float64),
    "8 decades": torch.logspace(0, -8, rank, dtype=torch.float64),
    "rank 8": (torch.arange(rank) < 8).double(),
}
matrices = {
    name: ((orthonormal(rank) * values) @ orthonormal(columns).mT).float()
    for name, values in prescribed.items()
}

# %%
# Three ways: a float64 SVD, the Gram matrix in float32, and ``spectrum``.


def gram_float32(matrix: torch.Tensor) -> torch.Tensor:
    eigenvalues = torch.linalg.eigvalsh(matrix @ matrix.mT).flip(-1)
    return eigenvalues.clamp_min(0).sqrt().double()


exact = {name: torch.linalg.svdvals(matrix.double()) for name, matrix in matrices.items()}
single = {name: gram_float32(matrix) for name, matrix in matrices.items()}
ours = {name: spectrum(matrix) for name, matrix in matrices.items()}

floor = 1e-12
figure, axes = plt.subplots(1, 4, figsize=(11, 3), sharey=True, layout="constrained")
for axis, name in zip(axes, matrices, strict=True):
    axis.semilogy(exact[name].clamp_min(floor), color="0.7", linewidth=5, label="SVD, float64")
    axis.semilogy(single[name].clamp_min(floor), label="Gram, float32")
    axis.semilogy(ours[name].values.clamp_min(floor), "k--", label="spectrum")
    axis.set(title=name, xlabel="index", ylim=(floor, 3))
axes[0].set_ylabel("singular value")
axes[0].legend(loc="lower left", fontsize=7)
figure.show()

# %%
# The float32 Gram matrix is blind below √u ≈ 3·10⁻⁴ of the largest value. Whether that matters
# depends on what is asked: norms hardly notice, the effective rank of a low-rank matrix does.


def relative_error(values: torch.Tensor, truth: torch.Tensor) -> float:
    ranks = [effective_rank(diagonal_spectrum(v)) for v in (values, truth)]
    return abs(ranks[0] / ranks[1] - 1).item()


print(f"{'effective rank errs by':24}{'Gram, float32':>16}{'spectrum':>12}")
naive, kept = {}, {}
for name, truth in exact.items():
    naive[name] = relative_error(single[name], truth)
    kept[name] = relative_error(ours[name].values, truth)
    print(f"{name:24}{naive[name]:16.1e}{kept[name]:12.1e}")

assert naive["flat"] < 1e-6
assert naive["rank 8"] > 1e-3
assert max(kept.values()) < 1e-11

# %%
# ``spectrum`` knows: every singular value comes with a bound on its error. The bound is a promise,
# so it is compared with the truth here.

for name, found in ours.items():
    assert ((found.values - exact[name]).abs() <= found.error + 1e-14).all()

# %%
# Cheaper is possible where less is wanted. With ``rtol=0.05`` the float32 Gram matrix is taken for
# the flat spectrum, whose bound allows it, and refused for the others, whose bound does not.

for name, matrix in matrices.items():
    found = spectrum(matrix, rtol=0.05)
    print(f"{name:12}{found.method}, effective rank {effective_rank(found).item():.4f}")

assert spectrum(matrices["flat"], rtol=0.05).method == "gram/float32"
assert spectrum(matrices["rank 8"], rtol=0.05).method == "gram/float64"
