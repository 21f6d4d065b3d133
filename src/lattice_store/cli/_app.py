"""The verbs, and the runner that turns whatever happens into output and an exit code."""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import Callable, Sequence
from typing import Any, Final

from cyclopts import App, CycloptsError, Parameter

from lattice_store.cli._bench_verbs import bench
from lattice_store.cli._demo import demo
from lattice_store.cli._exit import ExitCode, exit_code, explain
from lattice_store.cli._info import info
from lattice_store.cli._read import dump, get, ls
from lattice_store.cli._session import OutputError, Session, drop
from lattice_store.cli._sim import sim
from lattice_store.cli._text import escaped
from lattice_store.cli._watch import watch
from lattice_store.cli._write import delete, put
from lattice_store.errors import LatticeStoreError

_TRACEBACK_VARIABLE: Final = "LATTICE_STORE_TRACEBACK"
_OUR_VARIABLES: Final = ("LATTICE_STORE_", "NATS_", "WASMCLOUD_")

_HELP: Final = """Look into a wasmCloud lattice cache, write to it, follow it.

Exit codes: 0 ok; 1 not found; 2 usage; 3 connection, also if JetStream is off or the lattice has no stream; \
4 permission; 5 data: a record that is invalid, corrupt or at another revision than expected; \
74 the results cannot be written.
"""
_VERBS: Final[dict[str, Callable[..., Any]]] = {
    "demo": demo,
    "ls": ls,
    "get": get,
    "put": put,
    "del": delete,
    "watch": watch,
    "dump": dump,
    "info": info,
}


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
for _position, (_name, _verb) in enumerate(_VERBS.items()):
    app.command(_verb, name=_name, sort_key=_position)
app.command(sim)
app.command(bench)


def run(arguments: Sequence[str], session: Session) -> int:
    """Run one command line; return its exit code. All that can go wrong ends as one line on ``session.stderr``."""
    try:
        return _run_and_explain(arguments, session)
    except BrokenPipeError:
        drop(session.stdout)
        return ExitCode.BROKEN_PIPE
    except OutputError as error:
        drop(session.stdout)
        session.warn(escaped(str(error)))
        return ExitCode.OUTPUT
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED


def _run_and_explain(arguments: Sequence[str], session: Session) -> int:
    try:
        code = _run(arguments, session)
        session.flush()
    except (BrokenPipeError, OutputError):
        raise  # no mistake of the command line
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
    _forget_empty_variables()
    verb, bound, unparsed = app.parse_args(
        list(arguments), console=session.console(), exit_on_error=False, print_error=False
    )
    if "session" in unparsed:
        bound.arguments["session"] = session
    with session.writing():  # help and version print themselves
        result = verb(*bound.args, **bound.kwargs)
    return int((asyncio.run(result) if inspect.iscoroutine(result) else None) or ExitCode.OK)


def _forget_empty_variables() -> None:
    """Let an empty variable count as not set, as shells have it; cyclopts would take it for a value."""
    for name in [name for name, value in os.environ.items() if not value and name.startswith(_OUR_VARIABLES)]:
        del os.environ[name]
