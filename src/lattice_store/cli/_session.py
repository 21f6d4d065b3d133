"""What a verb works with besides its arguments: streams of text, and a way to open a storage."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from typing import Annotated, Any, BinaryIO, Literal, TextIO, TypeAlias

import attrs
from cyclopts import Parameter
from rich.console import Console

from lattice_store._open import open_storage
from lattice_store.cli._text import to_json
from lattice_store.storage import Storage

Opener: TypeAlias = Callable[..., AbstractAsyncContextManager[Storage]]
OutputForm: TypeAlias = Annotated[Literal["table", "json", "jsonl"], Parameter(name=["--output", "-o"])]


@attrs.frozen
class Session:
    """One run of the command. Tests bring their own streams and storages."""

    stdin: BinaryIO
    stdout: TextIO
    stderr: TextIO
    open_storage: Opener = open_storage

    @classmethod
    def of_process(cls) -> Session:
        """Take this process's own streams."""
        logging.getLogger().addHandler(logging.NullHandler())  # what a client library logs is no second error line
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")  # a name in a script the terminal does not know
        return cls(sys.stdin.buffer, sys.stdout, sys.stderr)

    def say(self, lines: Iterable[str]) -> None:
        """Print results."""
        self.stdout.writelines(f"{line}\n" for line in lines)

    def say_title(self, line: str) -> None:
        """Print a line of results that heads others: bold, if a terminal can."""
        Console(file=self.stdout).print(line, style="bold", markup=False, highlight=False, emoji=False, soft_wrap=True)

    def say_json(self, value: Any, form: str) -> None:
        """Print one JSON value: indented as ``json``, on one line as ``jsonl``."""
        self.say([to_json(value, indent=2 if form == "json" else None)])

    def warn(self, line: str) -> None:
        """Print what is no result: to stderr, in one line."""
        self.stdout.flush()
        print(f"lattice-store: {line}", file=self.stderr)


SessionArgument: TypeAlias = Annotated[Session, Parameter(parse=False)]
"""The parameter through which the runner hands a verb its session."""
