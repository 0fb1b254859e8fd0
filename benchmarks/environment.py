"""What a benchmark ran on."""

from __future__ import annotations

import os
import platform

import torch


def environment() -> dict[str, str | int]:
    """Versions, processor and threads; nothing that identifies the machine."""
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "machine": platform.machine(),
        "cores": os.cpu_count() or 0,
        "threads": torch.get_num_threads(),
    }
