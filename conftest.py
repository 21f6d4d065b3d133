"""Every code block of README and docs runs: python blocks as they stand, console blocks with their output compared.

`$ lattice-store …` talks to a real nats-server of the page's own, `$ make …` is checked to name a target.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser, SkipParser

from lattice_store.nats import LocalServer

ROOT = Path(__file__).parent

hypothesis.settings.register_profile("lattice-store", deadline=None)  # a busy machine is no bug
hypothesis.settings.load_profile("lattice-store")


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
    """Run each ``$ command``; it must succeed, and print the lines below it if there are any."""
    page = Path(example.path)
    folder = page.parent if "examples" in page.parts else ROOT
    for step in str(example.parsed).strip("\n").removeprefix("$ ").split("\n$ "):
        command, _, expected = step.partition("\n")
        if command.startswith("pip install "):  # the environment of the tests has it all
            continue
        if command.startswith("make "):  # this may be `make test` itself
            command = command.replace("make", "make --dry-run", 1) + " >/dev/null"
        printed, code = run_command(command, folder, example.namespace["docs_server"])
        if code != 0 or (expected and printed.rstrip() != expected.rstrip()):
            return f"$ {command}\nended with {code} and printed\n{printed}\ninstead of\n{expected}"
    return None


def run_command(command: str, folder: Path, server: LazyServer) -> tuple[str, int]:
    environment = {**os.environ, "LATTICE_STORE_URL": server.url, "COLUMNS": "120"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(
        ["sh", "-c", command], cwd=folder, env=environment, check=False, capture_output=True, text=True, timeout=120
    )
    return done.stdout + done.stderr, done.returncode


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(), CodeBlockParser(language="console", evaluator=run_console), SkipParser()],
    patterns=["*.md"],
    excludes=["CHANGELOG.md"],
    fixtures=["docs_server"],
).pytest()
