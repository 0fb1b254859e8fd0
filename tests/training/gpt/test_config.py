import pytest

from spectrain.core import InputError
from spectrain.training.gpt import GPT, PRESETS, GPTConfig, preset


def count(model):
    return sum(parameter.numel() for parameter in model.parameters())


def test_nanogpt_has_the_published_number_of_parameters():
    model = GPT(preset("nanogpt", vocabulary=65))
    block = 3 * 64 * 64 + (64 * 64 + 64) + (64 * 256 + 256) + (256 * 64 + 64) + 4 * 64
    assert count(model) == 209_729
    assert count(model) == 65 * 64 + 32 * 64 + 4 * block + 2 * 64 + (64 * 65 + 65)


def test_nanogpt_has_one_matrix_of_16_rows_a_head():
    model = GPT(preset("nanogpt", vocabulary=65))
    attention = model.blocks[0].attention
    for heads in (attention.query, attention.key, attention.value):
        assert [tuple(head.weight.shape) for head in heads] == [(16, 64)] * 4
        assert all(head.bias is None for head in heads)


def test_modern_has_no_parameters_but_matrices():
    model = GPT(preset("modern", vocabulary=65))
    assert {parameter.ndim for parameter in model.parameters()} == {2}
    assert model.head.weight is not model.embedding.weight


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_takes_overrides(name):
    config = preset(name, vocabulary=10, layers=2, width=32)
    assert (config.vocabulary, config.layers, config.width) == (10, 2, 32)
    assert config.norm == PRESETS[name]["norm"]


def test_an_unknown_preset_names_the_known_ones():
    with pytest.raises(InputError, match="'gpt5'; choose among nanogpt, modern"):
        preset("gpt5", vocabulary=65)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"layers": 0}, "layers is 0"),
        ({"vocabulary": -1}, "vocabulary is -1"),
        ({"width": 64, "heads": 5}, "does not divide"),
        ({"width": 12, "heads": 4, "position": "rope"}, "3 features"),
        ({"layers": 3, "value_embeddings": 2}, "twice as many"),
        ({"mlp_ratio": 0.001}, "hidden is 0"),
    ],
)
def test_sizes_that_do_not_fit_are_named(fields, message):
    with pytest.raises(InputError, match=message):
        GPTConfig(**{"vocabulary": 65, **fields})
