"""The batched program against runs one by one, by autograd and torch's own AdamW."""

import pytest
import torch

from spectrain.core import InputError
from spectrain.noise import NOISE_MEASURES, Moments
from spectrain_studies.models.minimal_model import (
    Arm,
    Problem,
    batch_gradient,
    batch_indices,
    batch_moments,
    gradient,
    run_minimal_model,
)
from spectrain_studies.models.minimal_model_noise import full_moments, gradient_noise, losses

PROBLEM = Problem(dimension=5, samples=200)
ARMS = [
    Arm(batch_size=4, learning_rate=0.02),
    Arm(batch_size=32, weight_decay=0.0),
    Arm(batch_size=8, multiplier_learning_rate=0.001, multiplier_weight_decay=0.3),
]


def one_run(problem, arm, seed, *, steps, largest):
    """A run as one would write it down."""
    data, start = problem.draw(seed)
    weight = torch.nn.Parameter(start[:, :-1].clone())
    gamma = torch.nn.Parameter(start[:, -1].clone())
    optimizer = torch.optim.AdamW(
        [
            {"params": [p], "lr": rate, "weight_decay": decay}
            for p, rate, decay in zip((weight, gamma), arm.rates, arm.decays, strict=True)
        ]
    )
    d, done = problem.dimension, 0
    for block in batch_indices(seed, problem.samples, largest):
        for indices in block:
            if done == steps:
                return torch.cat([weight.detach(), gamma.detach()[:, None]], 1)
            x, y = data[indices[: arm.batch_size]].split(d, 1)
            loss = (gamma * (x @ weight.mT) - y).square().sum() / (2 * arm.batch_size)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            done += 1


def test_the_program_equals_the_loop():
    course = run_minimal_model(PROBLEM, ARMS, [0, 7], steps=120, records=[120])
    for place, arm in enumerate(ARMS):
        for number, seed in enumerate([0, 7]):
            alone = one_run(PROBLEM, arm, seed, steps=120, largest=32)
            torch.testing.assert_close(
                course.parameters[0, place, number], alone, rtol=1e-9, atol=1e-9
            )  # 2e-14


def test_a_run_does_not_depend_on_its_company():
    alone = run_minimal_model(PROBLEM, [ARMS[0]], [7], steps=40, records=[0, 10, 40], largest=32)
    course = run_minimal_model(PROBLEM, ARMS, [0, 7], steps=40, records=[0, 10, 40])
    assert alone.steps == course.steps == (0, 10, 40)
    torch.testing.assert_close(alone.weights[:, 0, 0], course.weights[:, 0, 1])
    torch.testing.assert_close(alone.multipliers[:, 0, 0], course.multipliers[:, 0, 1])


def test_few_rows_of_a_wide_model_take_the_other_way():
    wide = Problem(dimension=12, samples=200)
    batch = wide.draw(0)[0][:4]
    start = wide.draw(0)[1]
    (moments,) = batch_moments(batch, [4])
    torch.testing.assert_close(batch_gradient(start, batch), gradient(start, moments))
    course = run_minimal_model(wide, ARMS[:1], [0, 1], steps=50, records=[50])
    for seed in range(2):
        alone = one_run(wide, ARMS[0], seed, steps=50, largest=4)
        torch.testing.assert_close(course.parameters[0, 0, seed], alone, rtol=1e-9, atol=1e-9)


def test_exact_noise_is_that_of_the_examples():
    draws = [PROBLEM.draw(seed) for seed in (1, 2)]
    data, start = (torch.stack(parts) for parts in zip(*draws, strict=True))
    parameters = start + 0.1 * torch.arange(30.0, dtype=torch.float64).reshape(5, 6)
    weight, gamma = gradient_noise(parameters, data)
    examples = torch.stack(
        [gradient(parameters[1], full_moments(data[1][i : i + 1])) for i in range(200)]
    )
    for noise, part in ((weight, examples[..., :-1]), (gamma, examples[..., -1:])):
        flat = part.flatten(1)
        torch.testing.assert_close(noise.mean[1], flat.mean(0))
        torch.testing.assert_close(noise.variance[1], flat.var(0, unbiased=False))


@pytest.mark.parametrize("batch_size", [1, 16])
def test_ratios_are_the_limits_of_the_replica_statistics(batch_size):
    data, start = PROBLEM.draw(1)
    _, noise = gradient_noise(start[None], data[None])
    examples = torch.stack(
        [gradient(start, full_moments(data[i : i + 1]))[:, -1] for i in range(200)]
    )
    total = Moments.of(examples[0], entrywise=True)
    for example in examples[1:]:
        total = total.merge(Moments.of(example, entrywise=True))
    for name, value in noise.ratios(batch_size).items():
        measured = NOISE_MEASURES[name](total).item()  # of one example, variance over 199
        growth = batch_size * 200 / 199
        expected = measured * (growth if name == "snr_power" else growth**0.5)
        assert value.item() == pytest.approx(expected, rel=1e-9)


def test_loss_is_the_mean_over_samples():
    data, start = PROBLEM.draw(1)
    x, y = data.split(5, 1)
    naive = 0.5 * (start[:, -1] * (x @ start[:, :-1].mT) - y).square().sum(1).mean()
    torch.testing.assert_close(losses(start[None], data[None])[0], naive)


def test_without_label_noise_it_fits():
    problem = Problem(dimension=4, samples=256, label_noise=0.0)
    course = run_minimal_model(
        problem, [Arm(learning_rate=0.01, weight_decay=0.0)], [0], steps=2000, records=[0, 2000]
    )
    data = problem.draw(0)[0][None]
    first, last = losses(course.parameters, data).flatten().tolist()
    assert last < 1e-3 * first


def test_sweeps_need_arms_and_room():
    with pytest.raises(InputError, match="0 arms"):
        run_minimal_model(PROBLEM, [], [0], steps=1, records=[])
    with pytest.raises(InputError, match="up to 2"):
        run_minimal_model(PROBLEM, ARMS, [0], steps=1, records=[1], largest=2)
