"""Messages one after the other in bytes, as a snapshot has them. Pure.

    u64 sequence, i64 time, u32 length of the subject, of the header block and of the payload; those three

All numbers are little-endian.
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct
from typing import Final

from lattice_store.headers import NO_HEADERS, Headers
from lattice_store.model import Message

_HEAD: Final = Struct("<QqIII")
"""What stands before the subject."""
_SUBJECT_LENGTH: Final = Struct("<I")
_SUBJECT_LENGTH_AT: Final = 16
_ANY_BYTES: Final = ("utf-8", "surrogateescape")


def subject_bytes(subject: str) -> bytes:
    """Return a subject, or the beginning of one, as it stands here."""
    return subject.encode(*_ANY_BYTES)


def packed(messages: Iterable[Message]) -> bytes:
    """Return *messages* one after the other."""
    parts: list[bytes] = []
    head = _HEAD.pack
    for message in messages:
        subject, block, payload = message.subject.encode(*_ANY_BYTES), message.headers.block, message.payload
        parts += (
            head(message.sequence, message.time_ns, len(subject), len(block), len(payload)),
            subject,
            block,
            payload,
        )
    return b"".join(parts)


def unpacked(data: bytes, at: int = 0) -> Message:
    """Return the message that begins at *at*."""
    sequence, time_ns, *lengths = _HEAD.unpack_from(data, at)
    subject_end = at + _HEAD.size + lengths[0]
    block_end = subject_end + lengths[1]
    subject = data[at + _HEAD.size : subject_end].decode(*_ANY_BYTES)
    headers = Headers.from_block(data[subject_end:block_end]) if lengths[1] else NO_HEADERS
    return Message(subject, sequence, time_ns, headers, data[block_end : block_end + lengths[2]])


def subject_at(data: bytes, at: int) -> bytes:
    """Return the subject of the message that begins at *at*."""
    start = at + _HEAD.size
    return data[start : start + _SUBJECT_LENGTH.unpack_from(data, at + _SUBJECT_LENGTH_AT)[0]]
