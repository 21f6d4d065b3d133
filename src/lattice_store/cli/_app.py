"""The verbs, and the runner that turns whatever happens into output and an exit code."""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
from collections.abc import Sequence
from typing import Final

from cyclopts import App, CycloptsError, Parameter
from rich.console import Console

from lattice_store.cli._exit import ExitCode, exit_code, explain
from lattice_store.cli._session import Session
from lattice_store.cli._text import escaped
from lattice_store.errors import LatticeStoreError

_TRACEBACK_VARIABLE: Final = "LATTICE_STORE_TRACEBACK"

_HELP: Final = """The wasmCloud lattice cache: look into one, write to it, follow it.

Exit codes: 0 ok, 1 not found, 2 usage, 3 connection (also: JetStream is off, the lattice has no stream),
4 permission, 5 data (invalid or corrupt record, other revision than expected).
"""


def _version() -> str:
    from lattice_store import __version__

    return str(__version__)


app: Final = App(
    name="lattice-store",
    help=_HELP,
    help_format="plaintext",
    version=_version,
    default_parameter=Parameter(negative=()),
)
app.command("lattice_store.cli._demo:demo")
app.command("lattice_store.cli._read:ls")
app.command("lattice_store.cli._read:get")
app.command("lattice_store.cli._write:put")
app.command("lattice_store.cli._write:delete", name="del")
app.command("lattice_store.cli._watch:watch")
app.command("lattice_store.cli._read:dump")
app.command("lattice_store.cli._info:info")


def run(arguments: Sequence[str], session: Session) -> int:
    """Run one command line; return its exit code. All that can go wrong ends as one line on ``session.stderr``."""
    logging.getLogger().addHandler(logging.NullHandler())  # what a client library logs is no second error line
    try:
        code = _run(arguments, session)
        session.stdout.flush()
    except BrokenPipeError:
        _drop_output(session)
        return ExitCode.BROKEN_PIPE
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except CycloptsError as error:
        session.warn(f"{escaped(' '.join(str(error).split()))} See lattice-store --help")
        return ExitCode.USAGE
    except (LatticeStoreError, OSError) as error:
        session.warn(explain(error))
        return exit_code(error)
    except Exception as error:
        if os.environ.get(_TRACEBACK_VARIABLE):
            raise
        session.warn(f"a bug, please report it: {type(error).__name__}; {_TRACEBACK_VARIABLE}=1 shows where")
        return ExitCode.INTERNAL
    return code


def _run(arguments: Sequence[str], session: Session) -> int:
    verb, bound, unparsed = app.parse_args(
        list(arguments), console=Console(file=session.stdout), exit_on_error=False, print_error=False
    )
    if "session" in unparsed:
        bound.arguments["session"] = session
    result = verb(*bound.args, **bound.kwargs)
    return int((asyncio.run(result) if inspect.iscoroutine(result) else None) or ExitCode.OK)


def _drop_output(session: Session) -> None:
    """Let the interpreter flush what is left into nothing, without a second complaint."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, session.stdout.fileno())
    os.close(nowhere)
