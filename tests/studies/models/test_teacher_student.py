from math import pi, sqrt

import pytest
import torch

from spectrain.core import InputError
from spectrain_studies.models.teacher_student import TeacherStudent

TEACHER = 2 * torch.eye(2, dtype=torch.float64)


@pytest.mark.parametrize(("rate", "batch"), [(0.1, 16), (0.5, 16), (0.1, 4)])
def test_equal_levels_repel_as_the_theory_says(rate, batch, generator):
    model = TeacherStudent(TEACHER, noise=0.05)
    students = model.train(
        TEACHER.expand(4000, 2, 2),
        rate=rate,
        batch=batch,
        updates=round(8 / rate),
        generator=generator,
    )
    values = torch.linalg.svdvals(students)
    spacing = (values[:, 0] - values[:, 1]).mean().item()
    theory = sqrt(2 * pi) * model.width(rate=rate, batch=batch)
    assert spacing == pytest.approx(theory, rel=0.04)  # standard error 0.8 %, higher orders below


def test_without_noise_the_student_becomes_the_teacher(generator):
    model = TeacherStudent(TEACHER, noise=0.0)
    start = 0.1 * torch.randn(5, 2, 2, dtype=torch.float64, generator=generator)
    end = model.train(start, rate=0.2, batch=64, updates=200, generator=generator)
    assert torch.allclose(end, TEACHER.expand(5, 2, 2), atol=1e-9)


def test_given_data_are_drawn_from(generator):
    model = TeacherStudent(TEACHER, noise=0.0)
    along = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    start = torch.zeros(1, 2, 2, dtype=torch.float64)
    end = model.train(start, rate=0.5, batch=2, updates=100, generator=generator, data=along)
    assert torch.allclose(end[0], torch.diag(torch.tensor([2.0, 0.0], dtype=torch.float64)))


@pytest.mark.parametrize("wrong", [{"rate": -0.1}, {"batch": 0}, {"updates": -1}])
def test_bad_settings_are_refused(wrong, generator):
    settings = {"rate": 0.1, "batch": 1, "updates": 1} | wrong
    with pytest.raises(InputError):
        TeacherStudent(TEACHER, 0.1).train(TEACHER[None], generator=generator, **settings)


def test_negative_noise_is_refused():
    with pytest.raises(InputError):
        TeacherStudent(TEACHER, -0.1)
