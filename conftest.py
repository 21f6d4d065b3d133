"""Every code block of README and docs runs: python blocks as they stand, console blocks with their output compared.

`$ lattice-store …` talks to a real nats-server of its own, `$ make …` is checked to name a target.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser, SkipParser

from lattice_store.nats import LocalServer

ROOT = Path(__file__).parent


class LazyServer:
    """Starts a nats-server for the first command that may need one."""

    def __init__(self) -> None:
        self._server: LocalServer | None = None

    @property
    def url(self) -> str:
        if self._server is None:
            self._server = LocalServer()
            self._server.__enter__()
        return self._server.url

    def stop(self) -> None:
        if self._server is not None:
            self._server.__exit__(None, None, None)


@pytest.fixture(scope="module")
def docs_server() -> Iterator[LazyServer]:
    server = LazyServer()
    yield server
    server.stop()


def run_console(example: Example) -> str | None:
    """Run each ``$ command`` and compare what it prints with the lines below it; return what differs."""
    session = str(example.parsed).strip("\n").split("\n$ ")
    for step in session:
        command, _, expected = step.removeprefix("$ ").partition("\n")
        printed = run_command(command, example.namespace["docs_server"])
        if printed is not None and printed.rstrip() != expected.rstrip():
            return f"$ {command}\nprinted\n{printed}\ninstead of\n{expected}"
    return None


def run_command(command: str, server: LazyServer) -> str | None:
    """Return what *command* prints, or ``None`` if it is only checked to exist."""
    words = shlex.split(command, comments=True)
    if words[0] == "make":
        subprocess.run(["make", "--dry-run", *words[1:]], cwd=ROOT, check=True, capture_output=True)
        return None
    if words[0] == "pip":
        return None
    environment = {**os.environ, "LATTICE_STORE_URL": server.url, "COLUMNS": "120"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(
        ["bash", "-c", command], cwd=ROOT, env=environment, check=False, capture_output=True, text=True, timeout=60
    )
    return done.stdout + done.stderr


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(), CodeBlockParser(language="console", evaluator=run_console), SkipParser()],
    patterns=["*.md"],
    excludes=["CHANGELOG.md"],
    fixtures=["docs_server"],
).pytest()
