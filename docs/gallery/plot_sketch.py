"""
A spectrum from a few products
==============================

Norms and ranks are sums over singular values, and such sums can be estimated from products of the
matrix with a few vectors. This example sketches matrices whose singular values are known and shows
the spectral density, the intervals, and when the cheapest method is another one.
"""

import matplotlib.pyplot as plt
import torch

from spectrain.matrix import effective_rank, estimate, nuclear_norm, sketch, spectrum

# %%
# Two matrices: pure noise, and noise on which eight directions stand out.

generator = torch.Generator().manual_seed(0)
rows, columns = 400, 600
noise = torch.randn(rows, columns, generator=generator)
left, right = (torch.randn(n, 8, generator=generator) / n**0.5 for n in (rows, columns))
signal = (left * (400.0 / torch.arange(1, 9))) @ right.mT
matrices = {"noise": noise, "eight directions": noise + signal}

# %%
# A sketch stops when the half widths of its 95 % intervals reach the wanted relative error.

sketches = {name: sketch(a, rtol=0.02, generator=generator) for name, a in matrices.items()}
exact = {name: spectrum(a) for name, a in matrices.items()}
for name, found in sketches.items():
    print(f"{name}: {found.products} products with a vector, a full Gram matrix takes {rows}")
    for label, one, truth in (
        ("nuclear norm", found.nuclear_norm, nuclear_norm(exact[name]).item()),
        ("effective rank", found.effective_rank, effective_rank(exact[name]).item()),
    ):
        print(f"  {label}: {one.value:.1f} in [{one.low:.1f}, {one.high:.1f}], exactly {truth:.1f}")

# %%
# Its nodes and weights are an estimate of the whole distribution; directions that converged on the
# way stand in it with weight one.

figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
for axis, name in zip(axes, matrices, strict=True):
    values = exact[name].values.flip(0)
    axis.step(values, torch.arange(1, rows + 1), color="0.7", linewidth=4, label="exact")
    found = sketches[name]
    axis.step(found.nodes, found.weights.cumsum(0), label="sketched")
    axis.set(title=name, xlabel="singular value", ylabel="number up to it")
axes[0].legend()
figure.show()

# %%
# At this size the Gram matrix is cheaper, and :func:`~spectrain.matrix.estimate` knows it; on a
# large square matrix it would sketch.

found = estimate(noise, ["nuclear_norm", "effective_rank"], rtol=0.02)
print(found.method)

for name, one in sketches.items():
    assert one.half_width <= 0.02
    assert one.effective_rank.low <= effective_rank(exact[name]).item() <= one.effective_rank.high
assert sketches["eight directions"].deflated >= 4
assert found.method.startswith("gram")
