"""The file of one stream: how it is written, and how it is read again. Pure: bytes in, bytes out.

A file is a line that names the format, then frames. A frame is three numbers of four bytes, most significant first,
and a body: the body's length, the CRC-32 of those four bytes, the CRC-32 of the body. The body is MessagePack, a map:

    removed    pairs of sequences: from the first up to the second, what was stored there is gone
    added      messages, ascending: sequence, time in ns, subject, header block, payload
    stream     its configuration and when it was created
    state      where its sequences stand, and how far it has read the streams that it takes from
    consumers  all of its consumers

The last three replace what was known before. Every field may be missing. A frame is appended by one write. What a write
that was cut short has left at the end of a file counts as not written. Anything else that is wrong is damage.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Final
from zlib import crc32

import msgspec

from lattice_store.errors import DamagedFileError
from lattice_store.headers import NO_HEADERS, Headers
from lattice_store.model import Message
from lattice_store_sim._core._image import ConsumerImage, Kept, State, StreamImage

FORMAT: Final = b"lattice-store-sim stream 1\n"
_HEAD: Final = struct.Struct(">III")
_LENGTH: Final = struct.Struct(">I")
_PER_FRAME: Final = 4096
"""How many messages a frame of a whole stream holds."""

_Stored = tuple[int, int, str, bytes, bytes]


class _Frame(msgspec.Struct, frozen=True, omit_defaults=True):
    removed: list[tuple[int, int]] = []
    added: list[_Stored] = []
    stream: StreamImage | None = None
    state: State | None = None
    consumers: list[ConsumerImage] | None = None


@cache
def _decoder() -> msgspec.msgpack.Decoder[_Frame]:
    return msgspec.msgpack.Decoder(_Frame)


# -- writing ----------------------------------------------------------------------------------------


def frame(
    *,
    removed: Iterable[int] = (),
    added: Iterable[Message] = (),
    stream: StreamImage | None = None,
    state: State | None = None,
    consumers: list[ConsumerImage] | None = None,
) -> bytes:
    """Return what is appended to a file when something has changed.

    Args:
        removed: sequences.
        added: messages, ascending.
        stream: as it is now, if that has changed.
        state: as it is now, if that has changed.
        consumers: all of them as they are now, if any has changed.
    """
    written = _Frame(_ranges(removed), [_stored(each) for each in added], stream, state, consumers)
    body = msgspec.msgpack.encode(written)
    return _HEAD.pack(len(body), crc32(_LENGTH.pack(len(body))), crc32(body)) + body


def whole(
    stream: StreamImage, state: State, consumers: list[ConsumerImage], messages: Mapping[int, Message]
) -> list[bytes]:
    """Return a file from its beginning, in pieces. It is complete when it says which stream it is."""
    stored = list(messages.values())
    filled = [frame(added=stored[at : at + _PER_FRAME]) for at in range(0, len(stored), _PER_FRAME)]
    return [FORMAT, *filled, frame(stream=stream, state=state, consumers=consumers)]


def _stored(message: Message) -> _Stored:
    return message.sequence, message.time_ns, message.subject, message.headers.block, message.payload


def _ranges(sequences: Iterable[int]) -> list[tuple[int, int]]:
    """Return numbers as ranges, each with both of its ends."""
    ranges: list[tuple[int, int]] = []
    for sequence in sorted(sequences):
        if ranges and ranges[-1][1] == sequence - 1:
            ranges[-1] = ranges[-1][0], sequence
        else:
            ranges.append((sequence, sequence))
    return ranges


# -- reading ----------------------------------------------------------------------------------------


def read(data: bytes, name: str) -> Kept:
    """Return what a file holds, up to a frame that was never written to its end.

    Raises:
        DamagedFileError: it was changed since it was written, or is no such file; *name* says which one.
    """
    if not data.startswith(FORMAT):
        raise DamagedFileError(name, "it does not begin as a stream of this format does")
    at, known = len(FORMAT), _Known()
    while (body := _body(data, at, name)) is not None:
        try:
            known.apply(_decoder().decode(body))
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise DamagedFileError(name, f"what is written at byte {at} makes no sense: {error}") from error
        at += _HEAD.size + len(body)
    if known.stream is None or known.state is None:
        raise DamagedFileError(name, "it ends before it says which stream it is")
    return Kept(known.stream, known.state, known.consumers, known.messages)


def _body(data: bytes, at: int, name: str) -> bytes | None:
    """Return the body of the frame that begins there, None if there is no whole one."""
    head = data[at : at + _HEAD.size]
    if len(head) < _HEAD.size:
        return None
    length, of_length, of_body = _HEAD.unpack(head)
    body = data[at + _HEAD.size : at + _HEAD.size + length]
    if crc32(head[: _LENGTH.size]) != of_length or (len(body) == length and crc32(body) != of_body):
        raise DamagedFileError(name, f"a checksum at byte {at} is wrong")
    return body if len(body) == length else None


class _Known:
    """What a file has said so far."""

    def __init__(self) -> None:
        self.stream: StreamImage | None = None
        self.state: State | None = None
        self.consumers: list[ConsumerImage] = []
        self.messages: dict[int, Message] = {}

    def apply(self, said: _Frame) -> None:
        for first, last in said.removed:
            self._remove(first, last)
        for sequence, time_ns, subject, block, payload in said.added:
            headers = Headers.from_block(block) if block else NO_HEADERS
            self.messages[sequence] = Message(subject, sequence, time_ns, headers, payload)
        self.stream = said.stream or self.stream
        self.state = said.state or self.state
        self.consumers = self.consumers if said.consumers is None else said.consumers

    def _remove(self, first: int, last: int) -> None:
        messages = self.messages
        if last - first < len(messages):
            gone = [sequence for sequence in range(first, last + 1) if sequence in messages]
        else:
            gone = [sequence for sequence in messages if first <= sequence <= last]
        for sequence in gone:
            del messages[sequence]
