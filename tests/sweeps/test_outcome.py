from typing import Any

import numpy as np
import pytest

from spectrain.core import RunError
from spectrain.sweeps import read_outcome, write_outcome


def test_an_outcome_comes_back_as_it_was(tmp_path):
    file = tmp_path / "deep" / "a.npz"
    outcome: dict[str, Any] = {"n": 3, "loss": 0.25, "arm": "muon", "ok": True}
    outcome["x"] = np.arange(6.0).reshape(2, 3)
    write_outcome(file, outcome)
    back = read_outcome(file)
    assert np.array_equal(back.pop("x"), outcome.pop("x"))
    assert back == outcome
    assert {type(value) for value in back.values()} == {int, float, str, bool}


def test_what_would_need_unpickling_is_refused_on_writing(tmp_path):
    with pytest.raises(RunError, match="'model' is object"):
        write_outcome(tmp_path / "a.npz", {"model": object()})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 no archive", b"\x93NUMPY"])
def test_a_damaged_file_is_told(tmp_path, damage):
    file = tmp_path / "a.npz"
    file.write_bytes(damage)
    with pytest.raises(RunError, match="delete it and run again"):
        read_outcome(file)


def test_a_pickle_inside_is_not_loaded(tmp_path):
    file = tmp_path / "a.npz"
    np.savez(file, x=np.array([{}], dtype=object))
    with pytest.raises(RunError, match="is not an outcome"):
        read_outcome(file)
