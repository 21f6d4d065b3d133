r"""The bytes of a local snapshot: the last values of one lattice, and which stream at which sequence they are of. Pure.

    lattice-store snapshot 1\n
    u32         length of the identity
    JSON        the identity
    u64 × count offsets of the records, from the first record on
    records     as `_packed` has them, in the order of their subjects: one is found without an index
    u32         CRC-32 of all before

All numbers are little-endian. Another first line is another format, and not read.
"""

from __future__ import annotations

import sys
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from functools import partial
from heapq import nlargest
from struct import Struct, error
from typing import Final

import msgspec

from lattice_store._packed import packed, subject_at, subject_bytes, unpacked
from lattice_store.errors import SnapshotError
from lattice_store.model import Message

_FORMAT: Final = b"lattice-store snapshot 1\n"
_LENGTH: Final = Struct("<I")
_NEWEST: Final = 8


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
    newest: tuple[int, ...] = ()
    """Which records have the highest sequences, the newest first: a few of them."""


def encode(identity: Identity, messages: Iterable[Message]) -> Iterator[bytes]:
    """Yield the pieces of a snapshot.

    Args:
        identity: what the values are of; ``count`` and ``newest`` are filled in.
        messages: the newest of each subject, in any order.
    """
    in_order = sorted((subject_bytes(message.subject), message.sequence, packed([message])) for message in messages)
    newest = nlargest(_NEWEST, range(len(in_order)), key=lambda at: in_order[at][1])
    identity = msgspec.structs.replace(identity, count=len(in_order), newest=tuple(newest))
    described = msgspec.json.encode(identity)
    records = [record for _, _, record in in_order]
    offsets, offset = array("Q"), 0
    for record in records:
        offsets.append(offset)
        offset += len(record)
    if sys.byteorder == "big":
        offsets.byteswap()
    checksum = 0
    for piece in (_FORMAT, _LENGTH.pack(len(described)), described, offsets.tobytes(), *records):
        checksum = zlib.crc32(piece, checksum)
        yield piece
    yield _LENGTH.pack(checksum)


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
            if len(self._offsets) != self.identity.count or any(
                not 0 <= at < self.identity.count for at in self.identity.newest
            ):
                raise SnapshotError("the snapshot is damaged")
        except (msgspec.MsgspecError, ValueError, error) as problem:
            raise SnapshotError(f"the snapshot is damaged: {problem}") from problem
        if sys.byteorder == "big":
            self._offsets.byteswap()
        self._data, self._first = data, first

    def __len__(self) -> int:
        return self.identity.count

    def __contains__(self, subject: str) -> bool:
        wanted = subject_bytes(subject)
        at = self._position(wanted)
        return at < len(self) and self._subject(at) == wanted

    def messages(self) -> Iterator[Message]:
        """Yield all messages, in the order of their subjects."""
        return map(self._message, range(len(self)))

    def newest(self) -> Iterator[Message]:
        """Yield a few of the messages with the highest sequences, the newest first."""
        return map(self._message, self.identity.newest)

    def _position(self, subject: bytes) -> int:
        at_in_data, first, offsets = partial(subject_at, self._data), self._first, self._offsets
        return bisect_left(range(len(self)), subject, key=lambda at: at_in_data(first + offsets[at]))

    def _subject(self, at: int) -> bytes:
        return subject_at(self._data, self._first + self._offsets[at])

    def _message(self, at: int) -> Message:
        return unpacked(self._data, self._first + self._offsets[at])
