"""Text for terminals and pipes. Pure. What comes from the wire may hold anything; none of it may steer a terminal."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
from rich.cells import cell_len

MASK: Final = "***"
_GAP: Final = "  "
# Inside JSON text these can only stand in strings, where an escape means the same: DEL and C1 controls, and what
# hides or reorders text. C0 controls are escaped by every JSON writer.
_UNSAFE_IN_JSON: Final = re.compile("[\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")


def escaped(text: str) -> str:
    r"""Return *text* with everything that is not printable written as an escape: ``\x1b``."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def columns(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lay out a table as lines, header first. Nothing is ever cut off, so that keys can be copied."""
    table = [list(header), *([escaped(cell) or "-" for cell in row] for row in rows)]
    widths = [max(cell_len(row[position]) for row in table) for position in range(len(header))]
    return [
        _GAP.join(cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]


def fields(named: Iterable[tuple[str, str]]) -> list[str]:
    """Lay out names and values as lines."""
    pairs = list(named)
    width = max(len(name) for name, _ in pairs)
    return [f"{name:<{width}}{_GAP}{escaped(value) or '-'}" for name, value in pairs]


def counted(number: int, what: str) -> str:
    """Return "1 record", "2 records"."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def to_json(value: Any, *, indent: int | None = None) -> str:
    """Write JSON that is safe to show; without *indent* on one line."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    text = _UNSAFE_IN_JSON.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
    return text if indent is None else msgspec.json.format(text, indent=indent)  # json's own takes 8 times as long
