import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectrain.page.format import duration, number, percent, rounded, shape, size


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (2.0, "2.00"),
        (-0.5, "-0.500"),
        (999.6, "1,000"),
        (123456.0, "123,456"),
        (1.5e9, "1.50×10⁹"),
        (float("nan"), "–"),
        (float("inf"), "–"),
    ],
)
def test_numbers(value, text):
    assert number(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_rounding_keeps_four_digits(value):
    assert rounded(value) == pytest.approx(value, rel=5.1e-4, abs=5e-324)


def test_what_is_no_number_is_none():
    assert rounded(None) is rounded(float("nan")) is rounded(float("-inf")) is None


def test_readers_units():
    assert (percent(0.0), percent(1.0), percent(0.05)) == ("0 %", "100 %", "5.0 %")
    assert (size(12), size(5.1e6), size(2e9)) == ("12 bytes", "5.1 MB", "2 GB")
    assert (duration(59.94), duration(61), duration(None)) == ("59.9 s", "1 min 1 s", "–")
    assert shape((50304, 768)) == "50,304 × 768"
