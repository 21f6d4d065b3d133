"""The page of profiles: every named difference between versions, its values, and the tests that hold to them.

python -m tests.docs.profiles   # rewrites the page
"""

from __future__ import annotations

import ast
import inspect
import itertools
from pathlib import Path
from typing import Final

from lattice_store_sim._core import _differences
from lattice_store_sim._core._profile import PROFILES, ServerProfile
from tests.docs.pins import link, pinned

PAGE: Final = Path(__file__).parents[2] / "docs/reference/profiles.md"

_HEAD: Final = """# Profiles: the differences between server versions

`SimStorage(profile="2.12")` answers as nats-server {versions} does, each as it was observed. What differs between them has a
name, which the core asks for where it matters; it never compares versions. Written by `python -m tests.docs.profiles`.

A dash is "no", a tick is "yes".
"""


def page() -> str:
    """Return the page."""
    texts, tests = _texts(), pinned()
    versions = [profile.version for profile in PROFILES.values()]
    rows = []
    for name in differences():
        values = [_shown(getattr(profile, name)) for profile in PROFILES.values()]
        rows.append([f"`{name}`", texts[name], *values, "<br>".join(map(link, tests[name]))])
    lines = [["difference", "what it says", *versions, "test"], ["---"] * (len(versions) + 3), *rows]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"{_HEAD.format(versions=', '.join(versions[:-1]) + ' or ' + versions[-1])}\n{table}\n"


def differences() -> list[str]:
    """Return the names of all differences."""
    return [name for name in ServerProfile.__struct_fields__ if name != "version"]


def _texts() -> dict[str, str]:
    """Return what is written below each field of the profile."""
    tree = ast.parse(inspect.getsource(_differences))
    body = next(node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "ServerProfile")
    return {
        field.target.id: " ".join(str(text.value.value).split()).replace("``", "`")
        for field, text in itertools.pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
    }


def _shown(value: object) -> str:
    match value:
        case True:
            return "✓"
        case False | None:
            return "–"
        case frozenset() | tuple():
            return ", ".join(f"`{one}`" for one in sorted(map(str, value))) or "–"
        case _:
            return str(value)


if __name__ == "__main__":
    PAGE.write_text(page())
