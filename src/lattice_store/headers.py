"""Message headers, as JetStream stores them. Pure.

A message keeps its header block byte for byte: order, case and repeated names count. Looking up a
name is case-sensitive and the first occurrence wins, as in nats-server (``getHeader``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from lattice_store.errors import InvalidHeaderError

MESSAGE_ID: Final = "Nats-Msg-Id"
ROLLUP: Final = "Nats-Rollup"
EXPECTED_STREAM: Final = "Nats-Expected-Stream"
EXPECTED_LAST_SEQUENCE: Final = "Nats-Expected-Last-Sequence"
EXPECTED_LAST_SUBJECT_SEQUENCE: Final = "Nats-Expected-Last-Subject-Sequence"
EXPECTED_LAST_SUBJECT_SEQUENCE_SUBJECT: Final = "Nats-Expected-Last-Subject-Sequence-Subject"
EXPECTED_LAST_MESSAGE_ID: Final = "Nats-Expected-Last-Msg-Id"

_VERSION_LINE: Final = b"NATS/1.0\r\n"
_NAME: Final = re.compile(r"(?:(?!:)[!-~])+")
_VALUE: Final = re.compile(r"(?:[!-~](?:[ -~]*[!-~])?)?")


class Headers(Mapping[str, str]):
    """An immutable header block, read as a mapping from name to first value.

    Args:
        headers: names and values; names are printable ASCII without colon and space, values printable
            ASCII with no space at either end (a client may strip it, so it would not survive).

    Raises:
        InvalidHeaderError: a name or value would not arrive unchanged.
    """

    __slots__ = ("_first", "block")

    block: Final[bytes]
    """The raw block, from ``NATS/1.0`` to the empty line; empty if there are no headers."""

    def __init__(self, headers: Mapping[str, str] | None = None) -> None:
        self._first: dict[str, str] | None = None
        lines = []
        for name, value in (headers or {}).items():
            if _NAME.fullmatch(name) is None:
                raise InvalidHeaderError(f"header name {name!r} is not printable ASCII without colon and space")
            if _VALUE.fullmatch(value) is None:
                raise InvalidHeaderError(f"the value of header {name} is not printable ASCII without spaces around it")
            lines.append(f"{name}: {value}\r\n")
        self.block = _VERSION_LINE + "".join(lines).encode() + b"\r\n" if lines else b""

    @classmethod
    def single(cls, name: str, value: str) -> Headers:
        """Return a block of one header, checked as any other; *name* is known to be one. Most publishes have no more."""
        if not value.isascii() or not value.isprintable() or value != value.strip(" "):
            return cls({name: value})  # which says what is wrong
        return cls.from_block(f"NATS/1.0\r\n{name}: {value}\r\n\r\n".encode())

    @classmethod
    def from_block(cls, block: bytes) -> Headers:
        """Take a stored header block as it is; it is parsed when first read, and never refused."""
        headers = cls.__new__(cls)
        headers.block = block  # type: ignore[misc]  # made here, in place of `__init__`
        headers._first = None
        return headers

    def _lookup(self) -> dict[str, str]:
        if self._first is None:
            first: dict[str, str] = {}
            for line in self.block.split(b"\r\n")[1:]:
                name, colon, value = line.decode("utf-8", "surrogateescape").partition(":")
                if colon:
                    first.setdefault(name, value.lstrip(" "))
            self._first = first
        return self._first

    def __getitem__(self, name: str) -> str:
        return self._lookup()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._lookup())

    def __len__(self) -> int:
        return len(self._lookup())

    def __bool__(self) -> bool:
        return bool(self.block)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Headers):
            return self.block == other.block
        return isinstance(other, Mapping) and dict(self) == dict(other)

    __hash__ = None  # type: ignore[assignment]  # equal to plain mappings, which cannot be hashed either

    def __repr__(self) -> str:
        return f"Headers({dict(self)!r})"


NO_HEADERS: Final = Headers()
