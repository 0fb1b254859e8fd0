"""The run folder as a sink: buffers records and appends them to the run's tables."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from spectrain.core import InputError, Record, RunError, SpectrumRecord
from spectrain.records.attempt import attempt_names, claim_attempt, lock_rank
from spectrain.records.layout import ATTEMPTS, MANIFEST, METRICS, SPECTRA
from spectrain.records.manifest import compose_manifest, now, read_manifest, write_manifest
from spectrain.records.schema import metrics_frame, spectra_frame
from spectrain.records.table import Table
from spectrain.records.thinning import Samples, stride

_FLUSH_VALUES = 1 << 20  # singular values that are buffered at most: 4 MiB


class RunWriter:
    """Writes one rank's records into a run folder; a :class:`~spectrain.core.Sink`.

    Records are buffered and written as immutable Parquet parts, so that a kill at any moment loses
    at most what was not flushed. A writer on the folder of an earlier one is a new attempt: with
    ``start_step=s`` it replaces the steps from s on as soon as it has written anything.

    When the parts of this rank outgrow ``disk_budget``, every second sample of each spectrum's
    series is dropped, and of what follows only every second is kept; again and again until no
    spectrum is left. Only then are the numbers thinned likewise, down to the first sample of each
    series. :attr:`Run.thinned` says what was thinned.

    Args:
        path: the run folder; it is created with its parents.
        manifest: what the run is: ``config``, ``blocks``, ``skipped``, ``seeds``, and whatever else
            becomes JSON. Versions and host facts are added. Rank 0 writes it.
        rank: this process's rank; every rank has a writer of its own.
        start_step: the first step that this writer will record.
        resume: go on in a folder that holds a run.
        disk_budget: bytes that this rank may fill.
        flush_rows: rows that are buffered before they are written unasked.

    Raises:
        InputError: the folder holds a run and ``resume`` is false, or an argument is out of range.
        RunError: the folder cannot be written, belongs to a newer spectrain, or has another writer
            at work on this rank.

    Example:
        >>> import tempfile
        >>> from spectrain.core import Record, Source
        >>> from spectrain.records import open_run
        >>> folder = tempfile.mkdtemp()
        >>> writer = RunWriter(folder, manifest={"config": {"lr": 0.1}})
        >>> writer.write([Record(0, None, Source.TRAINING, "loss", 2.5)])
        >>> writer.close({"overhead": 0.01})
        >>> run = open_run(folder)
        >>> run.metrics(measure="loss")["value"].to_list(), run.summary
        ([2.5], {'overhead': 0.01})
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        manifest: Mapping[str, Any],
        rank: int = 0,
        start_step: int = 0,
        resume: bool = False,
        disk_budget: int = 1 << 30,
        flush_rows: int = 20_000,
    ) -> None:
        for name, number, least in (
            ("rank", rank, 0),
            ("start_step", start_step, 0),
            ("disk_budget", disk_budget, 1),
            ("flush_rows", flush_rows, 1),
        ):
            if number < least:
                raise InputError(f"{name} is {number}", remedy=f"pass at least {least}")
        self.path = Path(path)
        self._rank, self._start_step = rank, start_step
        self._disk_budget, self._flush_rows = disk_budget, flush_rows
        self._records: list[Record] = []
        self._spectra: list[SpectrumRecord] = []
        self._values = 0
        self._record_samples, self._spectrum_samples = Samples(), Samples()
        self._closed = False
        attempts = self.path / ATTEMPTS
        with self._reporting(), ExitStack() as on_failure:
            created_at = self._admit(resume=resume)
            attempts.mkdir(parents=True, exist_ok=True)
            self._lock = on_failure.enter_context(lock_rank(attempts, rank=rank))
            if rank == 0:
                write_manifest(self.path, compose_manifest(manifest, created_at=created_at))
            self._attempt = claim_attempt(attempts, rank=rank, start_step=start_step)
            self._tables = {
                METRICS: Table(self.path / METRICS, self._attempt, may_vanish=False),
                SPECTRA: Table(self.path / SPECTRA, self._attempt, may_vanish=True),
            }
            self._save_attempt()
            on_failure.pop_all()

    def write(self, records: Sequence[Record]) -> None:
        """Buffer numbers, and flush when ``flush_rows`` have come together.

        Raises:
            InputError: a step lies before ``start_step``.
            RunError: as for :meth:`flush`.
        """
        self._check([record.step for record in records])
        self._records.extend(records)
        self._flush_if_full()

    def write_spectra(self, spectra: Sequence[SpectrumRecord]) -> None:
        """Buffer copies of spectra, in float32, and flush when enough have come together.

        Raises:
            InputError: a step lies before ``start_step``, or the values are not a vector.
            RunError: as for :meth:`flush`.
        """
        self._check([spectrum.step for spectrum in spectra])
        with np.errstate(over="ignore"):  # beyond float32 is infinite
            copies = [replace(s, values=np.array(s.values, dtype=np.float32)) for s in spectra]
        for spectrum in copies:
            if spectrum.values.ndim != 1:
                raise InputError(
                    f"the spectrum of {spectrum.block!r} has shape {spectrum.values.shape}",
                    remedy="write one vector of singular values per record",
                )
        self._spectra.extend(copies)
        self._values += sum(spectrum.values.size for spectrum in copies)
        self._flush_if_full()

    def flush(self) -> None:
        """Write what is buffered, then thin what exceeds the disk budget.

        Raises:
            RunError: the disk refused. Nothing is lost: the next flush tries again.
            InputError: a record's field has the wrong type; the records buffered with it are lost.
        """
        self._hand_over()
        with self._reporting():
            for name in (METRICS, SPECTRA):  # where space is short, numbers first
                self._tables[name].flush()
            self._keep_budget()

    def close(self, summary: Mapping[str, Any]) -> None:
        """Flush and mark the attempt as finished. Closing again does nothing.

        Args:
            summary: what watching cost and what was skipped.

        Raises:
            RunError: the disk refused; the writer stays open, so that closing can be tried again.
        """
        if self._closed:
            return
        self.flush()
        self._attempt = replace(self._attempt, finished_at=now(), summary=summary)
        with self._reporting():
            self._save_attempt()
        self._closed = True
        self._lock.close()

    def abandon(self) -> None:
        """Flush and let go of the folder; the attempt stays one that was not finished.

        Raises:
            RunError: the disk refused.
        """
        if not self._closed:
            self._closed = True
            try:
                self.flush()
            finally:
                self._lock.close()

    def describe(self, manifest: Mapping[str, Any]) -> None:
        """Replace what the manifest says of the run, where the run has changed; rank 0 writes it.

        Raises:
            RunError: the disk refused.
        """
        if self._rank == 0:
            with self._reporting():
                created_at = str(read_manifest(self.path)["created_at"])
                write_manifest(self.path, compose_manifest(manifest, created_at=created_at))

    def _admit(self, *, resume: bool) -> str | None:
        """Refuse a folder that is not ours to write; when an earlier attempt began the run."""
        begun = (self.path / MANIFEST).exists()
        used = any(rank == self._rank for rank, _ in attempt_names(self.path / ATTEMPTS))
        if not resume and (used or (begun and self._rank == 0)):
            raise InputError(
                f"{self.path} already holds a run",
                remedy="write into another folder, or pass resume=True and the start_step",
            )
        return str(read_manifest(self.path)["created_at"]) if begun else None

    def _check(self, steps: list[int]) -> None:
        if self._closed:
            raise RunError(f"the writer of {self.path} is closed", remedy="open a new one")
        if steps and min(steps) < self._start_step:
            raise InputError(
                f"step {min(steps)} lies before this writer's start_step {self._start_step}",
                remedy="pass the first step that will be recorded as start_step",
            )

    def _flush_if_full(self) -> None:
        rows = len(self._records) + len(self._spectra)
        if rows >= self._flush_rows or self._values >= _FLUSH_VALUES:
            self.flush()

    def _hand_over(self) -> None:
        """Turn the buffers into rows of the tables."""
        records, spectra = self._records, self._spectra
        try:
            if records:
                samples = self._record_samples.number(
                    ((r.block, r.source, r.measure), r.step) for r in records
                )
                rows = metrics_frame(records, samples=samples, rank=self._rank)
                self._tables[METRICS].add(rows)
                records.clear()
            if spectra:
                samples = self._spectrum_samples.number(
                    ((s.block, s.source), s.step) for s in spectra
                )
                rows = spectra_frame(spectra, samples=samples, rank=self._rank)
                self._tables[SPECTRA].add(rows)
                spectra.clear()
                self._values = 0
        except Exception:  # one bad record must not keep all later ones from the disk
            records.clear()
            spectra.clear()
            raise

    def _keep_budget(self) -> None:
        while sum(table.size for table in self._tables.values()) > self._disk_budget:
            possible = ((name, self._tables[name].next_level()) for name in (SPECTRA, METRICS))
            name, level = next((choice for choice in possible if choice[1] is not None), ("", None))
            if level is None:
                return
            self._save_attempt(**{name: level})  # first, so that a kill leaves no silent thinning
            self._tables[name].thin_to(level)

    def _save_attempt(self, **deeper: int) -> None:
        levels = {name: table.level for name, table in self._tables.items()} | deeper
        thinned = {name: stride(level) for name, level in levels.items() if level}
        self._attempt = replace(self._attempt, thinned=thinned)
        self._attempt.save(self.path / ATTEMPTS)

    @contextmanager
    def _reporting(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise RunError(
                f"cannot write the run folder {self.path}: {error.strerror or error}",
                remedy="free disk space or check its permissions; buffered records are kept",
            ) from error
