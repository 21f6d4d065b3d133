"""``python -m lattice_store_sim --port N``: a simulated server in the foreground, without the extra that the command needs."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

import attrs

from lattice_store_sim._serve_options import ServeOptions

_NAME: Final = "python -m lattice_store_sim"
_USAGE, _DATA, _OUTPUT, _INTERRUPTED, _BROKEN_PIPE = 2, 5, 74, 130, 141
"""Exit codes, as those of ``lattice-store``."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=_NAME,
        description="Run a simulated nats-server with JetStream, until Ctrl-C or SIGTERM.",
        allow_abbrev=False,
    )
    for field in attrs.fields(ServeOptions):
        how: dict[str, Any] = {"default": field.default, "help": field.metadata["help"]}
        match field.default:
            case bool():
                how["action"] = "store_true"
            case int():
                how["type"] = int
            case tuple():
                how |= {"action": "append", "default": list(field.default)}
        parser.add_argument(f"--{field.name.replace('_', '-')}", **how)
    return parser


def _warn(line: str) -> None:
    print(f"{_NAME}: {line}", file=sys.stderr, flush=True)


def _say(line: str) -> None:
    if sys.stdout is None:
        raise OSError("standard output is closed")
    print(line, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    options = ServeOptions(**vars(_parser().parse_args(arguments)))
    try:
        return _run(options)
    except KeyboardInterrupt:  # before it heeded signals
        return _INTERRUPTED


def _run(options: ServeOptions) -> int:
    gc.disable()  # what is imported stays: to search it for garbage takes a tenth of the start
    import asyncio

    from lattice_store.errors import DamagedFileError, InvalidArgumentError
    from lattice_store_sim._foreground import run_server

    gc.freeze()
    gc.enable()
    try:
        asyncio.run(run_server(options, _say, _warn))
    except (InvalidArgumentError, DamagedFileError) as error:
        _warn(str(error))
        return _USAGE if isinstance(error, InvalidArgumentError) else _DATA
    except OSError as error:
        _forget_output()
        if isinstance(error, BrokenPipeError):
            return _BROKEN_PIPE
        _warn(f"cannot say where it listens: {error.strerror or error}")
        return _OUTPUT
    return 0


def _forget_output() -> None:
    """Let the interpreter not try again, at its end, to write what cannot be written."""
    with suppress(OSError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
