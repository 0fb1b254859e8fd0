"""What a reader must know about a run before any answer."""

from __future__ import annotations

from spectrain.records import Run, State, first_not_finite


def events(run: Run) -> tuple[str, ...]:
    """Sentences on what happened to a run, the gravest first; none where it ended as it should.

    Example:
        >>> import tempfile
        >>> from spectrain.records import RunWriter, open_run
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     RunWriter(folder, manifest={}).close({"finished": True, "steps": 0})
        ...     print(*events(open_run(folder)))
        No step was taken: the loop ended before its first one, or its optimizer was not watched.
    """
    broken = first_not_finite(run)
    sentences = []
    if broken is not None:
        text = str(broken)
        sentences.append(f"{text[0].upper()}{text[1:]}; spectra say nothing from there on.")
    if run.summary.get("steps") == 0:
        sentences.append(
            "No step was taken: the loop ended before its first one, or its optimizer was not "
            "watched."
        )
    return (*_lost(run), *sentences, *_state(run))


def _lost(run: Run) -> tuple[str, ...]:
    """What is not there, so that its absence is not read as a property of the training."""
    losses = [f"{name} is missing" for name in run.missing if ":" not in name]
    losses += [f"{name} are missing" for name in run.missing if ":" in name]
    damaged = run.damaged
    if damaged:
        more = f" and {len(damaged) - 1:,} more" if len(damaged) > 1 else ""
        losses.append(f"left out because damaged: {damaged[0]}{more}")
    if not losses:
        return ()
    return (f"Records are lost, and answers that need them lack data: {'; '.join(losses)}.",)


def _state(run: Run) -> tuple[str, ...]:
    last = run.last_record_at
    when = "it has no records yet" if last is None else f"its last records are of {last:%F %T} UTC"
    match run.state:
        case State.RUNNING:
            return (f"The run is not over: {when}.",)
        case State.KILLED:
            return (f"The run was killed, or its program ended without closing it: {when}.",)
        case State.FAILED:
            error = run.summary.get("error")
            return (f"The run ended with an exception{f' ({error})' if error else ''}: {when}.",)
        case _:
            return ()
