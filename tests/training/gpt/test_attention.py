import torch
from hypothesis import given
from hypothesis import strategies as st

from spectrain.training.gpt.attention import normalize, rotary_table, rotate

positions = st.integers(0, 20)


@given(query=positions, key=positions, shift=st.integers(0, 20), seed=st.integers(0, 99))
def test_rotated_products_depend_on_the_distance_alone(query, key, shift, seed):
    generator = torch.Generator().manual_seed(seed)
    q, k = torch.randn(2, 16, generator=generator).double()
    cosine, sine = rotary_table(64, 16)

    def product(at_query, at_key):
        turned = rotate(q[None], cosine[at_query][None], sine[at_query][None])
        return (turned * rotate(k[None], cosine[at_key][None], sine[at_key][None])).sum()

    # The table is in float32: its error is 3e-8 a factor, and |q||k| is about 16.
    torch.testing.assert_close(
        product(query, key), product(query + shift, key + shift), rtol=0, atol=2e-5
    )


def test_rotation_keeps_lengths_and_position_zero():
    x = torch.randn(2, 3, 8, 16, generator=torch.Generator().manual_seed(0))
    turned = rotate(x, *rotary_table(8, 16))
    torch.testing.assert_close(turned.norm(dim=-1), x.norm(dim=-1))
    assert torch.equal(turned[..., 0, :], x[..., 0, :])
    assert not torch.allclose(turned[..., 1, :], x[..., 1, :])


def test_helpers_follow_the_dtype():
    x = torch.ones(1, 4, 8, dtype=torch.bfloat16)
    assert rotate(x, *rotary_table(4, 8)).dtype == torch.bfloat16
    assert normalize(x).dtype == torch.bfloat16
    torch.testing.assert_close(normalize(3 * x.double()), x.double())
