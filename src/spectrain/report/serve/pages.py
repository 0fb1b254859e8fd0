"""Pages of runs as they are at the moment: rendered at most so often, kept until they change."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from time import monotonic

MOST_KEPT = 16
PATIENCE = 10.0
"""A page is rendered anew after so many times what rendering took, or so many seconds."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A rendered page: of which version of the records, when, and how long it took."""

    version: str
    content: bytes
    at: float
    seconds: float


class Pages:
    """Rendered pages by key; one is rendered at a time.

    Args:
        clock: seconds.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._lock, self._clock = Lock(), clock

    def get(self, key: str, version: str, render: Callable[[Path], object]) -> Kept:
        """The page of that version, or an older one where it was rendered just now.

        Args:
            key: what it is a page of.
            version: of the records.
            render: writes the page to a file.
        """
        with self._lock:
            kept = self._kept.get(key)
            now = self._clock()
            if kept is not None:
                self._kept.move_to_end(key)
                rest = min(PATIENCE * kept.seconds, PATIENCE * 6)
                if kept.version == version or now - kept.at < max(rest, PATIENCE / 5):
                    return kept
            with TemporaryDirectory() as folder:
                file = Path(folder) / "page.html"
                render(file)
                content = file.read_bytes()
            done = self._clock()
            self._kept[key] = Kept(version, content, done, done - now)
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
            return self._kept[key]
