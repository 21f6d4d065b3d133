"""What the server takes for a name and for a subject: less strict than this library."""

from __future__ import annotations

import string
from typing import Final

_SPACE: Final = frozenset(" \t\n\r\f")
_SEPARATORS: Final = frozenset(".*>")
_SLASHES: Final = frozenset("\\/")
_LENGTH: Final = 8
_LETTERS: Final = string.digits + string.ascii_letters
_STEP: Final = 0x9E3779B97F4A7C15  # shares no divisor with the number of names: none comes twice


def is_asset_name(name: str, *, slashes: bool) -> bool:
    """Return whether *name* may name a stream or consumer (jetstream.go ``isValidAssetName``).

    Args:
        name: what was asked for.
        slashes: whether it may hold slashes.
    """
    refused = _SPACE | _SEPARATORS if slashes else _SPACE | _SEPARATORS | _SLASHES
    return bool(name) and refused.isdisjoint(name)


def has_slash(name: str) -> bool:
    return not _SLASHES.isdisjoint(name)


def is_subject(subject: str) -> bool:
    """Return whether *subject* is a subject or filter at all (sublist.go ``IsValidSubject``)."""
    tokens = subject.split(".")
    return all(tokens) and ">" not in tokens[:-1] and _SPACE.isdisjoint(subject)


def letters(number: int) -> str:
    """Return eight letters and digits that look random, and are the same ones for the same number."""
    number, made = number * _STEP, ""
    for _ in range(_LENGTH):
        number, letter = divmod(number, len(_LETTERS))
        made += _LETTERS[letter]
    return made
