"""The most memory that a process held."""

from __future__ import annotations

import re
import resource
from pathlib import Path

STATUS = Path("/proc/self/status")


def most_resident_bytes() -> int:
    """Of this program alone: ``ru_maxrss`` also knows what its parent held when it was forked."""
    if STATUS.is_file():
        found = re.search(r"^VmHWM:\s*(\d+) kB$", STATUS.read_text("ascii"), re.MULTILINE)
        if found:
            return int(found[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
