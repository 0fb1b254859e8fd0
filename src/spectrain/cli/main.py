"""``spectrain COMMAND``: finds the command, runs it, and turns errors into one line and a status.

A command is a module with a function ``run`` whose typed arguments Tyro turns into options: one of
this package, or one that another distribution names among its entry points. It prints its result on
standard output; bars and errors go to standard error. What it returns, if anything, is the exit
status.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from difflib import get_close_matches
from importlib import import_module, metadata
from io import TextIOWrapper
from types import ModuleType

COMMANDS = {
    "demo": "train a small GPT with AdamW and with Muon under watch, and explain both",
    "train": "train a small GPT on a text under watch",
    "explain": "say what the records of a run tell, question by question",
    "report": "write the page of a run",
    "compare": "put runs side by side",
    "figure": "draw a figure of a run for a paper",
    "serve": "show a folder of runs in the browser, live",
    "follow": "follow a run in the terminal while it trains",
    "advise": "plan which blocks take spectral updates",
    "trial": "try changes of an optimizer set-up on short branches of a training",
    "inspect": "the spectral health of a checkpoint, without the model's code or data",
    "study": "put the claims of the source documents to the test",
}
APART = {"study": "spectrain-studies"}
"""Commands that another distribution brings: its entry points in the group spectrain.commands."""

FAILED = 2
INTERRUPTED = 130
UNHEARD = 141
"""As for a program that SIGPIPE ends: the reader of the output is gone."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Returns:
        The exit status: what the command returns, 0 if nothing; 2 where an input cannot be used or
        the output cannot be written, 130 if Ctrl-C ended it, 141 if nobody reads the output.
    """
    name = "spectrain"
    try:
        _speak_any_encoding()
        arguments = sys.argv[1:] if arguments is None else arguments
        name = f"spectrain {arguments[0]}" if arguments[:1] and arguments[0] in COMMANDS else name
        try:
            status = _main(arguments)
        finally:
            sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        problem, status = "interrupted", INTERRUPTED
    except BrokenPipeError:
        problem, status = "", UNHEARD
    except OSError as error:
        where = "" if error.filename is None else f"{error.filename!r}: "
        problem, status = f"{where}{error.strerror or error}", FAILED
        if error.filename is None:
            problem = f"the output cannot be written: {problem}"
    with suppress(OSError):
        if problem:
            print(f"{name}: {problem}", file=sys.stderr)
    _leave_in_silence()
    return status


def _speak_any_encoding() -> None:
    """Let a terminal that lacks a character show a question mark instead."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


def _leave_in_silence() -> None:
    """Drop what could not be written, so that the interpreter does not try again and complain."""
    with suppress(OSError, ValueError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stdout.fileno())
        os.close(nothing)


def _main(arguments: Sequence[str]) -> int:
    match arguments:
        case ["-h" | "--help", *_]:
            print(usage())
            return 0
        case ["--version", *_]:
            print(f"spectrain {metadata.version('spectrain')}")
            return 0
        case [name, *rest] if name in COMMANDS:
            return _run(name, rest)
        case _:
            print(f"spectrain: {_unknown(arguments)}\n\n{usage()}", file=sys.stderr)
            return FAILED


def _unknown(arguments: Sequence[str]) -> str:
    """What is wrong with a call that names no command, and which command it may have meant."""
    if not arguments:
        return "no command given"
    close = get_close_matches(arguments[0], COMMANDS, n=1)
    meant = f"; did you mean {close[0]}?" if close else ""
    return f"there is no command {arguments[0]!r}{meant}"


def _one_blas_thread() -> None:
    """Let NumPy and SciPy compute a spectrum on one thread, unless the user says otherwise.

    It only helps before they are imported. Several threads wait for each other in a loop: on cores
    that are busy, with training or with other spectra, that costs many times what they bring.
    """
    chosen = os.environ.keys() & {"OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"}
    if not chosen and "numpy" not in sys.modules:
        os.environ["OPENBLAS_NUM_THREADS"] = "1"


def usage() -> str:
    """The commands, a line each."""
    lines = [f"  {name:<10}{summary}" for name, summary in COMMANDS.items()]
    return "\n".join(
        ["usage: spectrain COMMAND ...", "", *lines, "", "spectrain COMMAND --help tells more."]
    )


def _command(name: str) -> ModuleType:
    """The module of a command."""
    from spectrain.core import InputError

    if name not in APART:
        return import_module(f"spectrain.cli.{name}")
    entries = metadata.entry_points(group="spectrain.commands", name=name)
    if not entries:
        raise InputError(
            f"this command belongs to {APART[name]}, which is not installed",
            remedy=f"run `pip install {APART[name]}`, or `pip install ./studies` in a clone",
        )
    command: ModuleType = next(iter(entries)).load()
    return command


def _run(name: str, arguments: Sequence[str]) -> int:
    _one_blas_thread()
    import tyro

    from spectrain.cli.plain_help import plainly
    from spectrain.core import SpectrainError

    try:
        command = _command(name)
        status = tyro.cli(
            plainly(command.run),
            args=arguments,
            prog=f"spectrain {name}",
            config=(tyro.conf.FlagCreatePairsOff,),
        )
    except SpectrainError as error:
        print(f"spectrain {name}: {error}", file=sys.stderr)
        return FAILED
    return status or 0
