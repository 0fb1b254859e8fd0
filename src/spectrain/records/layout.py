"""Names of the files in a run folder, and how a file is written so that it appears whole."""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

MANIFEST = "manifest.json"
ATTEMPTS = "attempts"
METRICS = "metrics"
SPECTRA = "spectra"

_PART = re.compile(
    r"rank-(?P<rank>\d{5,})-attempt-(?P<attempt>\d{4,})"
    r"-part-(?P<first>\d{6,})(?:-(?P<last>\d{6,}))?(?:-thin-(?P<level>\d{2}))?-crc-(?P<crc>[0-9a-f]{8})\.parquet",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Part:
    """One Parquet file of a table: what its name says of it.

    Attributes:
        rank: who wrote it.
        attempt: number of the attempt in which it was written.
        first: number of the part within its rank and attempt; of a merged one, the first of those
            that it stands for.
        last: the last of those that it stands for.
        level: how often the rows were thinned.
        crc: CRC-32 of the content, in hexadecimal digits: Parquet itself would read flipped bits as
            other numbers.

    Example:
        >>> Part(rank=0, attempt=1, first=3, last=3, level=0, crc="00c0ffee").name
        'rank-00000-attempt-0001-part-000003-crc-00c0ffee.parquet'
        >>> Part.parse("rank-00000-attempt-0001-part-000000-000007-thin-02-crc-00c0ffee.parquet")
        Part(rank=0, attempt=1, first=0, last=7, level=2, crc='00c0ffee')
    """

    rank: int
    attempt: int
    first: int
    last: int
    level: int
    crc: str

    @property
    def name(self) -> str:
        """The file's name within its table's folder."""
        last = f"-{self.last:06d}" if self.last != self.first else ""
        level = f"-thin-{self.level:02d}" if self.level else ""
        part = f"part-{self.first:06d}{last}{level}-crc-{self.crc}"
        return f"rank-{self.rank:05d}-attempt-{self.attempt:04d}-{part}.parquet"

    @classmethod
    def parse(cls, name: str) -> Part | None:
        """The part of that name; ``None`` where the name is not a part's (a temporary file)."""
        if not (match := _PART.fullmatch(name)):
            return None
        texts = match.groupdict()
        first, last = int(texts["first"]), int(texts["last"] or texts["first"])
        rank, attempt, level = int(texts["rank"]), int(texts["attempt"]), int(texts["level"] or 0)
        return cls(rank, attempt, first, last, level, texts["crc"])


def checksum(content: bytes) -> str:
    """CRC-32 in hexadecimal digits, as it stands in a part's name."""
    return f"{zlib.crc32(content):08x}"


def is_sound(file: Path) -> bool:
    """Whether a part's content is what its name says was written."""
    part = Part.parse(file.name)
    return part is not None and checksum(file.read_bytes()) == part.crc


def current(parts: Iterable[Part]) -> list[Part]:
    """The parts to read, in the order in which their rows were written.

    A part is superseded by one whose range holds its own, and by one of the same range and a
    deeper level. Since a thinned part is in place before those that it stands for are deleted,
    every moment of a thinning reads without loss and without duplicates.
    """
    chosen: list[Part] = []
    for part in sorted(parts, key=lambda p: (p.rank, p.attempt, p.first, -p.last, -p.level)):
        above = chosen[-1] if chosen else None
        same_writer = above and (above.rank, above.attempt) == (part.rank, part.attempt)
        if not (above and same_writer and part.last <= above.last):
            chosen.append(part)
    return chosen


def list_parts(folder: Path) -> set[Part]:
    """All parts in a table's folder, superseded ones included; none where there is no folder.

    Listing a folder takes no snapshot: a thinning that runs meanwhile could add the new part behind
    the listing and delete the old ones before it. The new part is there when the second listing
    begins.
    """
    names: set[str] = set()
    for _ in range(2):
        with suppress(FileNotFoundError):
            names.update(os.listdir(folder))
    return {part for name in names if (part := Part.parse(name))}


def write_whole(path: Path, content: bytes, *, durable: bool = False) -> None:
    """Write a file under a temporary name beside ``path``, then put it in place in one step.

    Args:
        path: where the file is to be.
        content: what it is to hold.
        durable: wait until the disk has it. Needed where older files are given up for this one: a
            power failure could otherwise keep the deletion and lose the content.

    Raises:
        OSError: the file could not be written; then ``path`` is as it was, and no temporary file
            remains.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
