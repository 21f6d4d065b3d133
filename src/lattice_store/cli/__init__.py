"""The command ``lattice-store``. Nothing of it is loaded until `main` runs, and rich and cyclopts only here."""

import sys

_EXTRA = ("cyclopts", "rich")


def main() -> int:
    """Run the command on the arguments of this process; return its exit code (see `_exit.ExitCode`)."""
    try:
        from lattice_store.cli._app import run
        from lattice_store.cli._session import Session
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in _EXTRA:
            raise
        print(f"lattice-store: {missing} is missing: pip install 'lattice-store[cli]'", file=sys.stderr)
        return 2
    except KeyboardInterrupt:  # loading takes a moment
        return 130
    return run(sys.argv[1:], Session.of_process())
