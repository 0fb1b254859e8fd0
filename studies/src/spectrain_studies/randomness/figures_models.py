"""Figures of one mode, teacher and student, images, and the transformer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from spectrain_studies.frame import Results
from spectrain_studies.randomness.config import Config
from spectrain_studies.randomness.figures import panels
from spectrain_studies.randomness.gpt.experiment import GPTS, ROLES
from spectrain_studies.randomness.gpt.spectra import fit, heads, unfolded_spacings
from spectrain_studies.randomness.images.experiment import IMAGES, TRAINED
from spectrain_studies.randomness.mode.experiment import MODE
from spectrain_studies.randomness.study import STUDY
from spectrain_studies.randomness.teacher.experiment import LINEAR

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@STUDY.figure(
    "fokker-planck",
    caption="One mode: the Fokker-Planck equation (line), a simulated level (filled) and a machine "
    "with one unit (steps) at four times, by g².",
    needs=(MODE,),
)
def draw_fokker_planck(config: Config, mode: Results) -> Figure:
    import matplotlib.pyplot as plt

    times = config.mode.times
    figure, axes = plt.subplots(
        len(mode),
        len(times),
        figsize=(2.6 * len(times), 2.3 * len(mode)),
        layout="constrained",
        squeeze=False,
    )
    plt.close(figure)
    for row, result in zip(axes, mode, strict=True):
        for axis, time, density, level, machine in zip(
            row, times, result["densities"], result["levels"], result["machine"], strict=True
        ):
            low, high = np.quantile(np.concatenate([level, machine]), [0.001, 0.999])
            bins = np.linspace(low, high, 50)
            axis.hist(level, bins, density=True, color="0.8")
            axis.hist(machine, bins, density=True, histtype="step", color="C1")
            axis.plot(result["points"], density, "C3")
            axis.set(
                xlim=(low, high), yticks=[], title=f"g² = {result.case.g_squared}, τ = {time:g}"
            )
            axis.title.set_fontsize(8)
    return figure


@STUDY.figure(
    "double-well",
    caption="The effective potential U(x) of the Fokker-Planck Hamiltonian with its lowest states.",
    needs=(MODE,),
)
def draw_well(config: Config, mode: Results) -> Figure:
    figure, axes = panels(len(mode), wide=4.0)
    for axis, result in zip(axes, mode, strict=True):
        equation = result.case.equation
        energies, states = equation.spectrum(3)
        u = equation.effective_potential(equation.points)
        axis.plot(equation.points, u, "k")
        scale = 0.4 * max(energies[2], 0.05)
        for energy, state in zip(energies, states, strict=True):
            axis.plot(equation.points, energy + scale * state, lw=0.9)
        axis.set(
            ylim=(u.min() * 1.2, 4 * max(energies[2], 0.1)),
            xlabel="x",
            title=f"g² = {result.case.g_squared}",
        )
    return figure


@STUDY.figure(
    "teacher-student",
    caption="Teacher and student: ⟨S⟩ against √((α/|B|)A/(1 − α/2)); dashed: slope √π.",
    needs=(LINEAR,),
)
def draw_linear(config: Config, linear: Results) -> Figure:
    figure, (axis,) = panels(1, wide=4.4, height=3.2)
    x = [
        (r.case.rate / r.case.batch * r.case.noise**2 / (1 - r.case.rate / 2)) ** 0.5
        for r in linear
    ]
    s = [r["values"][:, 1] - r["values"][:, 0] for r in linear]
    axis.errorbar(x, [v.mean() for v in s], [v.std() / v.size**0.5 for v in s], fmt="o", ms=4)
    grid = np.array([0, max(x) * 1.05])
    axis.plot(grid, np.pi**0.5 * grid, "k--", lw=0.8)
    axis.set(xlabel="√((α/|B|)A/(1 − α/2))", ylabel="⟨S⟩")
    return figure


@STUDY.figure(
    "image-modes",
    caption="Modes of the images: κ (divergent), 1/κ (safe), and the course of λ = μ² − x under "
    "contrastive divergence at μ² = 100 (light to dark).",
    needs=(IMAGES, TRAINED),
)
def draw_modes(config: Config, images: Results, trained: Results) -> Figure:
    result, learning = images.only(), trained.only()
    variances = result["variances"]
    figure, axes = panels(4)
    index = np.arange(1, len(variances) + 1)
    kept = variances > 1e-12
    axes[0].semilogy(index[kept], 1 / variances[kept])
    axes[0].axhline(result.case.mass_squared, color="0.5", lw=0.8)
    axes[0].set(title="κ", xlabel="mode")
    axes[1].loglog(index[kept], variances[kept])
    axes[1].set(title="1/κ", xlabel="mode")
    for number, levels in enumerate(learning["levels"]):
        shade = str(0.85 - 0.85 * number / (len(learning["levels"]) - 1))
        axes[2].plot(index[:100], result.case.mass_squared - levels[:100], color=shade, lw=0.8)
    axes[2].set(title="λ in training", xlabel="mode")
    axes[3].semilogx(result.case.masses, result["train_by_mass"], "o-", ms=3, label="data")
    axes[3].semilogx(result.case.masses, result["held_out_by_mass"], "s-", ms=3, label="held-out")
    axes[3].set(title="log-likelihood, nats", xlabel="μ²")
    axes[3].legend(fontsize=7)
    return figure


@STUDY.figure(
    "image-samples",
    caption="Data, and samples of machines that have learnt what N_h hidden units allow at μ² = "
    "100; one row each, the same noise.",
    needs=(IMAGES,),
)
def draw_samples(config: Config, images: Results) -> Figure:
    import matplotlib.pyplot as plt

    result = images.only()
    rows = [("data", result["image"])]
    rows += [(f"{n}", s) for n, s in zip(result.case.hidden, result["samples"], strict=True)]
    drawn = result.case.drawn
    figure, axes = plt.subplots(len(rows), drawn, figsize=(drawn, len(rows)), squeeze=False)
    plt.close(figure)
    for line, (name, pictures) in zip(axes, rows, strict=True):
        for axis, picture in zip(line, pictures, strict=True):
            axis.imshow(picture, cmap="gray", vmin=0, vmax=1)
            axis.set(xticks=[], yticks=[])
        line[0].set_ylabel(name)
    return figure


def _main(config: Config, gpts: Results) -> Results:
    return gpts.where(optimizer=config.transformer.optimizers[0][0])


def _three(readings: Sequence[int]) -> tuple[int, int, int]:
    """The first reading, the document's iteration 1000 or the middle one, and the last."""
    last = len(readings) - 1
    at = readings.index(1000) if 1000 in readings[1:last] else last // 2
    return 0, at, last


@STUDY.figure(
    "transformer-histograms",
    caption="Eigenvalues of WᵀW of keys, queries and values (rows), all layers' heads, at three "
    "iterations, with the fitted bulk of area A.",
    needs=(GPTS,),
)
def draw_histograms(config: Config, gpts: Results) -> Figure:
    import matplotlib.pyplot as plt

    main = _main(config, gpts)
    readings = main[0].case.readings
    figure, axes = plt.subplots(
        len(ROLES), 3, figsize=(9, 6.6), layout="constrained", squeeze=False
    )
    plt.close(figure)
    for line, role in zip(axes, ROLES, strict=True):
        for axis, reading in zip(line, _three(readings), strict=True):
            spectra = heads(main, reading, role)
            found = fit(spectra, config.transformer.width, config.law.replicates)
            values = spectra.ravel()
            top = float(np.quantile(values, 0.995))
            bins = np.histogram_bin_edges(values[values <= top], "fd")
            axis.hist(
                values,
                bins,
                weights=np.full(values.size, 1 / values.size / np.diff(bins)[0]),
                color="0.8",
            )
            grid = np.linspace(0, top, 400)
            axis.plot(grid, found.density(grid), "C3")
            title = f"{role}, iteration {readings[reading]}: A = {found.area.value:.2f}"
            axis.set(title=title, xlim=(0, top), yticks=[])
            axis.title.set_fontsize(8)
    return figure


@STUDY.figure(
    "transformer-course",
    caption="Area A and variance σ² of the bulk of the keys by layer, through training, with 90 % "
    "intervals; mean level of all heads by optimizer.",
    needs=(GPTS,),
)
def draw_transformer(config: Config, gpts: Results) -> Figure:
    main = _main(config, gpts)
    readings = main[0].case.readings
    figure, axes = panels(3, wide=3.6)
    for layer in range(config.transformer.layers):
        fits = [
            fit(heads(main, i, "key", layer), config.transformer.width, config.law.replicates)
            for i in range(len(readings))
        ]
        for axis, name in zip(axes, ("area", "variance"), strict=False):
            estimates = [getattr(found, name) for found in fits]
            y = np.array([each.value for each in estimates])
            low, high = np.array([each.interval for each in estimates]).T
            axis.errorbar(
                readings,
                y,
                [np.maximum(y - low, 0), np.maximum(high - y, 0)],
                fmt="o-",
                ms=3,
                lw=0.8,
                label=f"layer {layer + 1}",
            )
    for name, _ in config.transformer.optimizers:
        chosen = gpts.where(optimizer=name)
        means = np.mean([r["levels"].mean((1, 2, 3, 4)) for r in chosen], axis=0)
        axes[2].plot(chosen[0].case.readings, means, "o-", ms=3, label=name)
    for axis, title in zip(axes, ("A, keys", "σ², keys", "mean level"), strict=True):
        axis.set(title=title, xlabel="iteration")
        axis.legend(fontsize=6)
    return figure


@STUDY.figure(
    "transformer-spacings",
    caption="Unfolded spacings of the keys' levels at three iterations; line: Wigner surmise.",
    needs=(GPTS,),
)
def draw_spacings(config: Config, gpts: Results) -> Figure:
    from spectrain.rmt import WignerSurmise

    main = _main(config, gpts)
    readings = main[0].case.readings
    figure, axes = panels(3)
    grid = np.linspace(0, 3.5, 200)
    for axis, reading in zip(axes, _three(readings), strict=True):
        s = unfolded_spacings(heads(main, reading, "key"))
        axis.hist(s, np.histogram_bin_edges(s, "fd"), density=True, color="0.8")
        axis.plot(grid, WignerSurmise().density(grid), "C3")
        axis.set(title=f"iteration {readings[reading]}", xlabel="s", xlim=(0, 3.5))
    return figure


@STUDY.figure(
    "bulk",
    caption="Change of the held-out loss when the random bulk of the weights is truncated, "
    "randomised, pruned at equal energy, or kept alone; of keys, queries and values, and of all "
    "matrices inside the blocks.",
    needs=(GPTS,),
)
def draw_bulk(config: Config, gpts: Results) -> Figure:
    main = _main(config, gpts)
    figure, axes = panels(2, wide=4.2)
    names = ["bulk_truncated", "bulk_randomised", "pruned", "spikes_removed"]
    for axis, prefix, title in zip(axes, ("qkv_", ""), ("q, k, v", "all in blocks"), strict=True):
        chosen = names if prefix else [*names, "finetuned", "bulk_removed_finetuned"]
        values = [main.stack(f"{prefix}change_{name}")[:, 0] for name in chosen]
        axis.bar(range(len(chosen)), [v.mean() for v in values], color="0.8")
        for i, v in enumerate(values):
            axis.plot(np.full(v.size, i), v, "k.", ms=4)
        labels = [name.replace("_", "\n") for name in chosen]
        axis.set_xticks(range(len(chosen)), labels, fontsize=6)
        axis.set(title=title, ylabel="change of loss, nats")
        axis.axhline(0, color="0.4", lw=0.8)
    return figure
