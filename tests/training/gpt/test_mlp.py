import torch

from spectrain.training.gpt.mlp import relu_squared


def test_relu_squared_has_the_slope_2x():
    x = torch.tensor([-1.0, 0.0, 2.0], requires_grad=True)
    relu_squared(x).sum().backward()
    assert x.grad.tolist() == [0.0, 0.0, 4.0]
