"""A process that measures: a task on standard input, what it took on standard output."""

from __future__ import annotations

import sys

import msgspec

from lattice_store.cli._bench._task import Task
from lattice_store.cli._bench._worker import measure


def main() -> None:
    task = msgspec.json.decode(sys.stdin.buffer.readline(), type=Task)
    sys.stdout.buffer.write(msgspec.json.encode(measure(task)))


if __name__ == "__main__":
    main()
