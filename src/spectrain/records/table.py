"""One table of one rank: appends parts, and thins them."""

from __future__ import annotations

import io
from pathlib import Path

import polars as pl

from spectrain.records.attempt import Attempt
from spectrain.records.layout import Part, checksum, current, is_sound, list_parts, write_whole
from spectrain.records.schema import SAMPLE
from spectrain.records.thinning import NOTHING, kept, neighbours, stride
from spectrain.records.versions import in_present_format

_MERGE_BYTES = 8 << 20  # a thinning reads and merges about this much at a time
_UNKNOWN = 1 << 62  # the samples that earlier attempts left are not counted


class Table:
    """The parts that a rank has in one table's folder, and the rows on their way there.

    Args:
        folder: the table's folder; it is created. What a killed attempt left unfinished there
            (temporary and superseded files, a thinning that stopped half way) is finished.
        attempt: the attempt that writes.
        may_vanish: whether thinning may in the end drop the first sample of each series too.
    """

    def __init__(self, folder: Path, attempt: Attempt, *, may_vanish: bool) -> None:
        self._folder, self._attempt, self._may_vanish = folder, attempt, may_vanish
        self._pending: list[pl.DataFrame] = []
        self._next_part = 0
        folder.mkdir(exist_ok=True)
        for unfinished in folder.glob(f".rank-{attempt.rank:05d}-*.tmp"):
            unfinished.unlink()
        self._sizes = self._take_stock()
        self.level = max((part.level for part in self._sizes), default=0)
        self.thin_to(self.level)
        self._deepest = _UNKNOWN if self._sizes else 0

    @property
    def size(self) -> int:
        """Bytes of the parts on disk."""
        return sum(self._sizes.values())

    def add(self, rows: pl.DataFrame) -> None:
        """Take rows; the next :meth:`flush` writes them."""
        self._pending.append(rows)

    def flush(self) -> None:
        """Append the rows taken so far as one part.

        Raises:
            OSError: the part could not be written; its rows wait for the next flush.
        """
        if not self._pending:
            return
        rows = pl.concat(self._pending).filter(kept(self.level))
        if rows.is_empty():
            self._pending = []
            return
        content = _parquet(rows)
        part = self._part(content, self._attempt.number, self._next_part, self._next_part)
        try:
            write_whole(self._folder / part.name, content)
        finally:  # a Ctrl-C may come when the part is in place already
            if (self._folder / part.name).exists():
                self._pending = []
                self._next_part += 1
                self._sizes[part] = len(content)
                self._deepest = max(self._deepest, _deepest(rows))

    def next_level(self) -> int | None:
        """The level that keeps fewer rows than the present one; ``None`` where there is none."""
        if not self._sizes or self.level == NOTHING:
            return None
        if self._deepest >= stride(self.level):
            return self.level + 1
        return NOTHING if self._may_vanish else None

    def thin_to(self, level: int) -> None:
        """Keep what the level keeps, on disk and from now on; neighbouring parts are merged.

        Damaged parts stay as they are, for the reader to report.

        Raises:
            OSError: a part could not be written; what is on disk reads completely all the same.
        """
        self.level = level
        self._sizes = self._take_stock()
        self._deepest = 0
        shallow = {
            part: size
            for part, size in self._sizes.items()
            if part.level < level and is_sound(self._folder / part.name)
        }
        for parts in neighbours(shallow, limit=_MERGE_BYTES):
            files = [self._folder / part.name for part in parts]
            rows = pl.concat([_read(file).filter(kept(level)) for file in files])
            content = _parquet(rows)
            merged = self._part(content, parts[0].attempt, parts[0].first, parts[-1].last)
            write_whole(self._folder / merged.name, content, durable=True)
            self._sizes[merged] = len(content)
            for part, file in zip(parts, files, strict=True):
                file.unlink()
                del self._sizes[part]
            self._deepest = max(self._deepest, _deepest(rows))

    def _take_stock(self) -> dict[Part, int]:
        """The rank's parts with their sizes; those that are superseded are deleted."""
        present = {part for part in list_parts(self._folder) if part.rank == self._attempt.rank}
        parts = current(present)
        for part in present.difference(parts):
            (self._folder / part.name).unlink()
        return {part: (self._folder / part.name).stat().st_size for part in parts}

    def _part(self, content: bytes, attempt: int, first: int, last: int) -> Part:
        return Part(self._attempt.rank, attempt, first, last, self.level, checksum(content))


def _read(file: Path) -> pl.DataFrame:
    return in_present_format(pl.scan_parquet(file, glob=False, hive_partitioning=False)).collect()


def _parquet(rows: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    rows.write_parquet(buffer, compression="zstd")
    return buffer.getvalue()


def _deepest(rows: pl.DataFrame) -> int:
    """Number of the last sample among the rows."""
    return int(rows.select(pl.max(SAMPLE)).item() or 0)
