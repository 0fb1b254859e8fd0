import pytest

from spectrain.answers import select_blocks
from spectrain.core import InputError, Role
from support.synthetic_run import Recipe, make_block, write_run


@pytest.fixture
def run(tmp_path):
    names = ("h.0.qkv.weight[q]", "h.0.qkv.weight[k]", "h.0.mlp.weight")
    blocks = [make_block(name, Role.OTHER, 0, (8, 8)) for name in names]
    return write_run(tmp_path / "run", Recipe(blocks=blocks, steps=(0,)))


@pytest.mark.parametrize(
    ("include", "exclude", "names"),
    [
        (("*",), (), ["h.0.qkv.weight[q]", "h.0.qkv.weight[k]", "h.0.mlp.weight"]),
        (("*[q]",), (), ["h.0.qkv.weight[q]"]),
        (("h.?.*",), ("*mlp*", "*[k]"), ["h.0.qkv.weight[q]"]),
        (("*",), ("*",), []),
    ],
)
def test_patterns(run, include, exclude, names):
    found = select_blocks(run, include=include, exclude=exclude)
    assert [block.name for block in found] == names


@pytest.mark.parametrize("patterns", [{"include": ["x*"]}, {"exclude": ["x*"]}])
def test_patterns_that_match_nothing_are_refused(run, patterns):
    with pytest.raises(InputError, match=r"'x\*' matches no block .* such as h\.0\.qkv"):
        select_blocks(run, **patterns)


def test_a_run_without_blocks_has_none(tmp_path):
    run = write_run(tmp_path / "empty", Recipe(blocks=(), steps=()))
    assert select_blocks(run, include=["x*"]) == ()
