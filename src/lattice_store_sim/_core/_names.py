"""What the server takes for a name and for a subject: less strict than this library."""

from __future__ import annotations

from typing import Final

_SPACE: Final = frozenset(" \t\n\r\f")
_SEPARATORS: Final = frozenset(".*>")
_SLASHES: Final = frozenset("\\/")


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
