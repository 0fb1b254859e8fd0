from __future__ import annotations

import pytest

from spectrain.records import Run
from support.synthetic_run import write_run


@pytest.fixture(scope="session")
def realistic_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Sixty samples of thirty blocks."""
    return write_run(tmp_path_factory.mktemp("realistic") / "run")
