r"""The bytes of a local snapshot: the last values of one lattice, and which stream at which sequence they are of. Pure.

    lattice-store snapshot 1\n
    u32         length of the identity
    JSON        the identity
    u64 × count offsets of the records, from the first record on
    records     in the order of their subjects, so that one is found without an index, and a kind of record lies together
    u32         CRC-32 of all before

    record:     u64 sequence, i64 time, u16 length of the subject, u16 of the header block, u32 of the payload; those three

All numbers are little-endian. Another first line is another format, and not read.
"""

from __future__ import annotations

import sys
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from struct import Struct, error
from typing import Final

import msgspec

from lattice_store.errors import SnapshotError
from lattice_store.headers import NO_HEADERS, Headers
from lattice_store.model import Message

_FORMAT: Final = b"lattice-store snapshot 1\n"
_LENGTH: Final = Struct("<I")
_RECORD: Final = Struct("<QqHHI")
_ANY_BYTES: Final = ("utf-8", "surrogateescape")


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Of which stream a snapshot is, and of when."""

    prefix: str
    stream: str
    created_ns: int
    """When the stream was created: with the name, its identity."""
    sequence: int
    """The values are those of the stream up to here."""
    count: int = 0
    """How many subjects hold a value."""


def encode(identity: Identity, messages: Iterable[Message]) -> Iterator[bytes]:
    """Yield the pieces of a snapshot.

    Args:
        identity: what the values are of; ``count`` is filled in.
        messages: the newest of each subject, in any order.
    """
    by_subject = sorted((message.subject.encode(*_ANY_BYTES), message) for message in messages)
    described = msgspec.json.encode(msgspec.structs.replace(identity, count=len(by_subject)))
    offsets, offset = array("Q"), 0
    for subject, message in by_subject:
        offsets.append(offset)
        offset += _RECORD.size + len(subject) + len(message.headers.block) + len(message.payload)
    if sys.byteorder == "big":
        offsets.byteswap()
    checksum = 0
    for piece in (_FORMAT, _LENGTH.pack(len(described)), described, offsets.tobytes(), *map(_record, by_subject)):
        checksum = zlib.crc32(piece, checksum)
        yield piece
    yield _LENGTH.pack(checksum)


def _record(keyed: tuple[bytes, Message]) -> bytes:
    subject, message = keyed
    block, payload = message.headers.block, message.payload
    head = _RECORD.pack(message.sequence, message.time_ns, len(subject), len(block), len(payload))
    return b"".join((head, subject, block, payload))


class Snapshot:
    """A snapshot that was read, whole and undamaged; a record is decoded when it is asked for.

    Args:
        data: what `encode` yielded.

    Raises:
        SnapshotError: it is something else, or damaged.
    """

    def __init__(self, data: bytes) -> None:
        if not data.startswith(_FORMAT):
            raise SnapshotError("not a snapshot of this format")
        if len(data) < len(_FORMAT) + 2 * _LENGTH.size or _LENGTH.unpack_from(data, len(data) - _LENGTH.size)[0] != (
            zlib.crc32(memoryview(data)[: -_LENGTH.size])
        ):
            raise SnapshotError("the snapshot is damaged")
        begin = len(_FORMAT) + _LENGTH.size
        (length,) = _LENGTH.unpack_from(data, len(_FORMAT))
        try:
            self.identity = msgspec.json.decode(data[begin : begin + length], type=Identity)
            first = begin + length + 8 * self.identity.count
            self._offsets = array("Q", data[begin + length : first])
            if len(self._offsets) != self.identity.count:
                raise SnapshotError("the snapshot is damaged")
        except (msgspec.MsgspecError, ValueError, error) as problem:
            raise SnapshotError(f"the snapshot is damaged: {problem}") from problem
        if sys.byteorder == "big":
            self._offsets.byteswap()
        self._data, self._first = data, first

    def __len__(self) -> int:
        return self.identity.count

    def find(self, subject: str) -> Message | None:
        """Return the message of a subject."""
        wanted = subject.encode(*_ANY_BYTES)
        at = self._position(wanted)
        return self._message(at) if at < len(self) and self._subject(at) == wanted else None

    def __contains__(self, subject: str) -> bool:
        wanted = subject.encode(*_ANY_BYTES)
        at = self._position(wanted)
        return at < len(self) and self._subject(at) == wanted

    def messages(self, start: str = "") -> Iterator[Message]:
        """Yield the messages of all subjects that begin so, in the order of their subjects."""
        wanted = start.encode(*_ANY_BYTES)
        at = self._position(wanted)
        while at < len(self) and self._subject(at).startswith(wanted):
            yield self._message(at)
            at += 1

    def newest(self, count: int) -> list[Message]:
        """Return the messages with the highest sequences, the newest first."""
        sequence, first, data = Struct("<Q"), self._first, self._data
        stamps = [(sequence.unpack_from(data, first + offset)[0], at) for at, offset in enumerate(self._offsets)]
        stamps.sort(reverse=True)
        return [self._message(at) for _, at in stamps[:count]]

    def _position(self, subject: bytes) -> int:
        return bisect_left(range(len(self)), subject, key=self._subject)

    def _subject(self, at: int) -> bytes:
        start = self._first + self._offsets[at]
        _, _, length, _, _ = _RECORD.unpack_from(self._data, start)
        start += _RECORD.size
        return self._data[start : start + length]

    def _message(self, at: int) -> Message:
        data, start = self._data, self._first + self._offsets[at]
        sequence, time_ns, *lengths = _RECORD.unpack_from(data, start)
        subject_end = start + _RECORD.size + lengths[0]
        block_end = subject_end + lengths[1]
        subject = data[start + _RECORD.size : subject_end].decode(*_ANY_BYTES)
        headers = Headers.from_block(data[subject_end:block_end]) if lengths[1] else NO_HEADERS
        return Message(subject, sequence, time_ns, headers, data[block_end : block_end + lengths[2]])
