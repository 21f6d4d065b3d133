"""What a verb works with besides its arguments: streams of text, and a way to open a storage."""

from __future__ import annotations

import contextlib
import errno
import io
import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Annotated, Any, BinaryIO, Final, Literal, TextIO, TypeAlias

import attrs
from cyclopts import Parameter
from rich.console import Console

from lattice_store._open import open_storage
from lattice_store.cli._text import to_json
from lattice_store.storage import Storage

Opener: TypeAlias = Callable[..., AbstractAsyncContextManager[Storage]]
OutputForm: TypeAlias = Annotated[Literal["table", "json", "jsonl"], Parameter(name=["--output", "-o"])]

_NARROWEST: Final = 20  # columns; in fewer, rich wraps letter by letter or not at all


class OutputError(Exception):
    """Results cannot be written where they should go."""


class _ClosedStream(io.StringIO):
    """Stands for a standard stream that was closed when the process began (``>&-``)."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def write(self, text: str, /) -> int:
        raise OSError(errno.EBADF, f"{self._name} is closed")


@attrs.frozen
class Session:
    """One run of the command. Tests bring their own streams and storages."""

    stdin: BinaryIO
    stdout: TextIO
    stderr: TextIO
    open_storage: Opener = open_storage

    @classmethod
    def of_process(cls) -> Session:
        """Take this process's own streams; Python has None for those that were closed when it began."""
        logging.getLogger().addHandler(logging.NullHandler())  # what a client library logs is no second error line
        for stream in (sys.stdin, sys.stdout, sys.stderr):
            if stream is None:
                os.open(os.devnull, os.O_RDWR)  # takes its number, or else a socket would
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")  # a name in a script the terminal does not know
        stdin = io.BytesIO() if sys.stdin is None else sys.stdin.buffer
        return cls(stdin, sys.stdout or _ClosedStream("standard output"), sys.stderr or io.StringIO())

    def console(self, file: TextIO | None = None) -> Console:
        """Return what lays out text for stdout, or for *file*."""
        console = Console(file=file or self.stdout)
        console.width = max(console.width, _NARROWEST)
        return console

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Tell failures to print results, but for a reader that went away, from all others.

        Raises:
            OutputError: what the block printed could not be written.
        """
        try:
            yield
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputError(f"cannot write the results: {error.strerror or error}") from error

    def say(self, lines: Iterable[str]) -> None:
        """Print results."""
        with self.writing():
            self.stdout.writelines(f"{line}\n" for line in lines)

    def say_title(self, line: str) -> None:
        """Print a line of results that heads others: bold, if a terminal can."""
        with self.writing():
            self.console().print(line, style="bold", markup=False, highlight=False, emoji=False, soft_wrap=True)

    def flush(self) -> None:
        """Let the reader of the results have what was printed so far."""
        with self.writing():
            self.stdout.flush()

    def say_json(self, value: Any, form: str) -> None:
        """Print one JSON value: indented as ``json``, on one line as ``jsonl``."""
        self.say([to_json(value, indent=2 if form == "json" else None)])

    def warn(self, line: str) -> None:
        """Print what is no result: to stderr, in one line."""
        self.flush()
        try:
            print(f"lattice-store: {line}", file=self.stderr, flush=True)
        except OSError:  # nowhere is left to complain; the exit code says it still
            drop(self.stderr)


def drop(stream: TextIO) -> None:
    """Let the interpreter flush what is left in *stream* into nothing: it would end with 120 otherwise."""
    with contextlib.suppress(OSError):  # of a stream without a number, which nobody flushes
        number = stream.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, number)
        os.close(nowhere)


SessionArgument: TypeAlias = Annotated[Session, Parameter(parse=False)]
"""The parameter through which the runner hands a verb its session."""
