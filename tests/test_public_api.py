"""What users may import: listed, sorted, documented, and cheap until it is used."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import version
from types import ModuleType

import pytest

import lattice_store
from lattice_store.clock import Clock
from lattice_store.storage import Replay, Storage

PUBLIC = (
    "lattice_store",
    "lattice_store.nats",
    "lattice_store.testing",
    "lattice_store_sim",
    "lattice_store_sim.faults",
)
LAZY = ("lattice_store", "lattice_store.nats", "lattice_store_sim")
PROTOCOLS = (Storage, Replay, Clock)  # a method of theirs is described there, once for all who implement it


@pytest.fixture(params=PUBLIC)
def module(request: pytest.FixtureRequest) -> ModuleType:
    return import_module(request.param)


def imported_names(module: ModuleType) -> set[str]:
    """The names *module* imports from our packages: when it is loaded, or for type checkers to see."""
    tree = ast.parse(inspect.getsource(module))
    return {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("lattice_store")
        for alias in node.names
    }


def classes_and_functions(module: ModuleType) -> Iterator[tuple[str, object]]:
    for name in module.__all__:
        value = getattr(module, name)
        if inspect.isclass(value) or inspect.isroutine(value):
            yield name, value


def public_methods(kind: type) -> Iterator[tuple[str, object]]:
    for name, member in vars(kind).items():
        function = member.__func__ if isinstance(member, classmethod | staticmethod) else member
        if not name.startswith("_") and inspect.isfunction(function):
            yield name, function


def test_all_is_what_is_exported(module: ModuleType) -> None:
    assert set(module.__all__) == imported_names(module)


def test_all_is_sorted(module: ModuleType) -> None:
    """Constants, then classes, then functions, as the linter has it."""
    assert module.__all__ == sorted(module.__all__, key=lambda name: (not name.isupper(), not name[0].isupper(), name))


def test_every_name_resolves_and_is_listed(module: ModuleType) -> None:
    assert all(hasattr(module, name) for name in module.__all__)
    assert set(module.__all__) <= set(dir(module))


@pytest.mark.parametrize("name", LAZY)
def test_an_unknown_name_is_an_attribute_error(name: str) -> None:
    with pytest.raises(AttributeError, match=f"module '{name}' has no attribute 'nonsense'"):
        import_module(name).nonsense  # noqa: B018  # reading it is the point


def test_modules_and_names_have_docstrings(module: ModuleType) -> None:
    assert module.__doc__
    undocumented = [
        name
        for name, value in classes_and_functions(module)
        if not value.__doc__ or value.__doc__.startswith(f"{name}(")  # made from the fields, by NamedTuple for one
    ]
    assert undocumented == []


def test_public_methods_have_docstrings(module: ModuleType) -> None:
    undocumented = [
        f"{name}.{method_name}"
        for name, value in classes_and_functions(module)
        if inspect.isclass(value)
        for method_name, method in public_methods(value)
        if not method.__doc__ and not any(hasattr(protocol, method_name) for protocol in PROTOCOLS)
    ]
    assert undocumented == []


def test_the_version_is_that_of_the_distribution() -> None:
    assert lattice_store.__version__ == version("lattice-store")


def loaded_by(statement: str, *, after: str = "pass") -> set[str]:
    """The modules that *statement* loads in a fresh interpreter."""
    script = f"import sys\n{after}\nbefore = set(sys.modules)\n{statement}\nprint(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import lattice_store", {"nats", "asyncio", "attrs", "msgspec", "lattice_store_sim"}),
        ("import lattice_store_sim", {"nats", "asyncio", "attrs", "msgspec"}),
        ("import lattice_store.nats", {"nats", "asyncio", "attrs", "msgspec"}),
        ("from lattice_store import Lattice", {"nats", "lattice_store_sim", "pytest", "rich", "cyclopts"}),
        ("from lattice_store import open_storage", {"nats", "lattice_store_sim"}),
        ("from lattice_store_sim import SimStorage", {"nats", "pytest"}),
        ("from lattice_store.nats import LocalServer", {"nats"}),
        ("from lattice_store.nats import connect", {"lattice_store_sim"}),
        ("import lattice_store.testing", {"nats", "lattice_store_sim", "pytest", "hypothesis"}),
    ],
)
def test_an_import_does_not_load(statement: str, absent: set[str]) -> None:
    loaded = loaded_by(statement)
    assert any(name.startswith("lattice_store") for name in loaded)
    assert loaded & absent == set()


@pytest.mark.slow
def test_the_pytest_plugin_loads_itself_and_nothing_else() -> None:
    assert loaded_by("import lattice_store_sim.pytest_plugin", after="import argparse, pytest") == {
        "lattice_store_sim",
        "lattice_store_sim.pytest_plugin",
    }
