"""Which test pins which surprise, and which difference between versions.

A test says so itself: ``@pytest.mark.pins("surprise 3", "duplicate_first")``. The pages list what is found here.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Final

_TESTS: Final = Path(__file__).parents[1]


@cache
def pinned() -> Mapping[str, list[str]]:
    """Return the tests of each pin, as ``path/to/test_file.py::test_name``, in order."""
    found: dict[str, list[str]] = defaultdict(list)
    for file in sorted(_TESTS.rglob("test_*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for pin in _pins(node):
                    found[pin].append(f"{file.relative_to(_TESTS.parent)}::{node.name}")
    return dict(found)


def _pins(test: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    for decorator in test.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.pins":
            yield from (str(ast.literal_eval(argument)) for argument in decorator.args)


def link(test: str) -> str:
    """Return a link from a page of the reference to a test."""
    path, name = test.split("::")
    return f"[`{name}`](../../{path})"
