import pytest

from spectrain.core import InputError
from spectrain_studies.frame import override
from support.toy_study import Config, Sizes


def test_nested_settings_are_replaced():
    changed = override(Config(), ["sizes.size=3", "rate=2", "seeds=7"])
    assert changed == Config(seeds=7, rate=2.0, sizes=Sizes(3))
    assert override(Config(), ["rate=1e-3"]).rate == 1e-3  # YAML reads 1e-3 as text


@pytest.mark.parametrize(
    ("assignment", "problem"),
    [
        ("sizes.depth=3", "no setting 'sizes.depth'"),
        ("seeds.size=3", "no setting 'seeds.size'"),
        ("seeds=many", "seeds is int, not 'many'"),
        ("seeds=true", "seeds is int"),
        ("rate=fast", "rate is float"),
        ("seeds", "sets nothing"),
        ("seeds=[", "is no YAML"),
    ],
)
def test_what_does_not_fit_is_told(assignment, problem):
    with pytest.raises(InputError, match=problem):
        override(Config(), [assignment])
