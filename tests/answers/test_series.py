import pytest

from spectrain.answers.series import by_block, read_reasons, read_series
from spectrain.core import Record, Source
from spectrain.records import RunWriter, open_run


@pytest.fixture
def run(tmp_path):
    for rank, shift in ((0, 0.0), (1, 1.0)):
        writer = RunWriter(tmp_path / "run", manifest={}, rank=rank)
        writer.write(
            [
                Record(0, "a", Source.INPUT, "stable_rank", 2.0 + shift, count=16),
                Record(0, "b", Source.INPUT, "stable_rank", None, reason="not finite"),
                Record(2, "a", Source.INPUT, "stable_rank", 4.0 + shift, count=16),
                Record(2, "b", Source.INPUT, "stable_rank", 5.0, count=16),
                Record(2, "b", Source.INPUT, "operator_norm", 9.0),
            ]
        )
        writer.close({})
    return open_run(tmp_path / "run")


def test_values_are_averaged_over_ranks_and_undefined_ones_left_out(run):
    frame = read_series(run, Source.INPUT, "stable_rank")
    series = by_block(frame)
    assert series["a"].rows() == [("a", 0, 2.5, 16), ("a", 2, 4.5, 16)]
    assert series["b"].rows() == [("b", 2, 5.0, 16)]


def test_reasons_by_block(run):
    assert read_reasons(run, Source.INPUT, "stable_rank") == {"b": "not finite"}
