"""Names of parts, which of them count, and files that appear whole."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectrain.records import layout
from spectrain.records.layout import Part, checksum, current, is_sound, list_parts, write_whole

numbers = st.integers(0, 10**7)


@given(numbers, numbers, numbers, numbers, st.integers(0, 99), st.binary())
def test_a_part_is_what_its_name_says(
    rank: int, attempt: int, first: int, more: int, level: int, content: bytes
) -> None:
    part = Part(rank, attempt, first, first + more, level, checksum(content))
    assert Part.parse(part.name) == part


@pytest.mark.parametrize(
    "name",
    [
        ".rank-00000-attempt-0001-part-000000-crc-00c0ffee.parquet.tmp",
        "rank-00000-attempt-0001-part-000000.parquet",
        "rank-00000-attempt-0001-part-000000-crc-00c0ffee.parquet\n",
        "rank-0000٣-attempt-0001-part-000000-crc-00c0ffee.parquet",
        "README.md",
        "",
    ],
)
def test_other_files_are_no_parts(name: str) -> None:
    assert Part.parse(name) is None


def superseded(part: Part, by: Part) -> bool:
    """The definition, transcribed."""
    same_writer = (part.rank, part.attempt) == (by.rank, by.attempt)
    inside = by.first <= part.first and part.last <= by.last
    smaller = (part.first, part.last) != (by.first, by.last) or part.level < by.level
    return same_writer and inside and smaller


@st.composite
def thinned_folders(draw: st.DrawFn) -> list[Part]:
    """Parts of two attempts and of the thinnings after them, some of which are deleted already."""
    parts: list[Part] = []
    for attempt in (1, 2):
        spans = [(number, number) for number in range(draw(st.integers(1, 8)))]
        for level in range(draw(st.integers(1, 4))):
            parts += [Part(0, attempt, *span, level, "00000000") for span in spans]
            merged: list[tuple[int, int]] = []
            for first, last in spans:
                joins = bool(merged) and draw(st.booleans())
                merged.append((merged.pop()[0] if joins else first, last))
            spans = merged
    return draw(st.lists(st.sampled_from(parts), unique=True))


@given(thinned_folders())
def test_superseded_parts_do_not_count(parts: list[Part]) -> None:
    chosen = current(parts)
    assert set(chosen) == {p for p in parts if not any(superseded(p, by) for by in parts)}
    assert chosen == sorted(chosen, key=lambda part: (part.rank, part.attempt, part.first))


def test_a_listing_overtaken_by_a_thinning_misses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = (Part(0, 1, 0, 0, level, "00000000") for level in (0, 1))
    (tmp_path / old.name).touch()
    listdir = os.listdir

    def overtaken(folder: Path) -> list[str]:
        """The new part lands behind the listing, the old one is gone before it."""
        if (folder / old.name).exists():
            (folder / old.name).unlink()
            (folder / new.name).touch()
            return []
        return listdir(folder)

    monkeypatch.setattr(layout.os, "listdir", overtaken)
    assert list_parts(tmp_path) == {new}


def test_no_folder_holds_no_parts(tmp_path: Path) -> None:
    assert list_parts(tmp_path / "metrics") == set()


def test_a_failed_write_leaves_the_old_content_and_no_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_whole(tmp_path / "file", b"old")

    def refuse(*_: object) -> None:
        raise OSError("no")

    monkeypatch.setattr(layout.os, "replace", refuse)
    with pytest.raises(OSError, match="no"):
        write_whole(tmp_path / "file", b"new")
    assert {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()} == {"file": b"old"}


@given(content=st.binary(min_size=1), data=st.data())
def test_every_damage_is_noticed(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, data: st.DataObject
) -> None:
    file = tmp_path_factory.mktemp("parts") / Part(0, 1, 0, 0, 0, checksum(content)).name
    file.write_bytes(content)
    assert is_sound(file)
    damaged = bytearray(content)
    at = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        damaged[at] ^= 1 << data.draw(st.integers(0, 7))
    else:
        del damaged[at:]
    file.write_bytes(damaged)
    assert not is_sound(file)
