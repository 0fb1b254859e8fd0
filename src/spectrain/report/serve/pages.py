"""Pages of runs as they are at the moment: rendered at a limited rate, kept until they change."""

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
"""A page is rendered anew after so many times what rendering took, …"""

LEAST, LONGEST = 2.0, 60.0
"""… but after so many seconds at the soonest, and so many at the latest."""


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

    def rendered(self, key: str) -> str | None:
        """The version that is kept of a page; ``None`` where there is none."""
        kept = self._kept.get(key)
        return None if kept is None else kept.version

    def due(self, key: str, version: str) -> bool:
        """Whether a request for that version would now get a newly rendered page."""
        kept = self._kept.get(key)
        if kept is None:
            return True
        rest = max(min(PATIENCE * kept.seconds, LONGEST), LEAST)
        return kept.version != version and self._clock() - kept.at >= rest

    def get(self, key: str, version: str, render: Callable[[Path], object]) -> Kept:
        """The page of that version, or an older one where it was rendered just now.

        Args:
            key: what it is a page of.
            version: of the records.
            render: writes the page to a file.
        """
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None and not self.due(key, version):
                self._kept.move_to_end(key)
                return kept
            now = self._clock()
            with TemporaryDirectory() as folder:
                file = Path(folder) / "page.html"
                render(file)
                content = file.read_bytes()
            done = self._clock()
            self._kept[key] = Kept(version, content, done, done - now)
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
            return self._kept[key]
