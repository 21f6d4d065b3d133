"""Messages of a consumer as they lie on the wire, read when somebody looks. Pure.

A rebuild keeps what it receives and is asked for it later, or never. Finding where a message ends takes 0.6 µs, making a `Message`
of it another 1.4 (CPython 3.11, CPU time): docs/adr/0011-messages-are-read-when-looked-at.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias, overload

from lattice_store.headers import NO_HEADERS, Headers
from lattice_store.model import Message
from lattice_store.nats._translate import ACK_PREFIX, splits_of_ack

Frame: TypeAlias = tuple[bytes, bytes, bytes, bytes]
"""Subject, reply, payload and header block of a message; reply and block may be empty."""

CRLF: Final = b"\r\n"
_WORDS: Final = {b"MSG": 5, b"HMSG": 6}
"""How many words the line of a message has that asks for an ack."""
ANY_BYTES: Final = ("utf-8", "surrogateescape")  # a foreign publisher may use any


def is_delivery(words: list[bytes]) -> bool:
    """Return whether the words of a line are those of a message that a consumer delivers."""
    return len(words) == _WORDS.get(words[0]) and words[3].startswith(ACK_PREFIX)


class Deliveries(Sequence[Message]):
    """Messages of one subscription, one right behind the other.

    Args:
        data: what was read from the connection.
        start: where the first message's line begins; it is whole.
        sid: the subscription.
    """

    __slots__ = ("_count", "_data", "_end", "_start", "end", "last_reply")

    def __init__(self, data: bytes, start: int, sid: bytes) -> None:
        find, size, at, count, reply = data.find, len(data), start, 0, b""
        while (line_end := find(CRLF, at)) >= 0:  # a rebuild is made of this loop
            words = data[at:line_end].split()
            if (
                not words
                or len(words) != _WORDS.get(words[0])
                or words[2] != sid
                or not words[3].startswith(ACK_PREFIX)
            ):
                break
            end = line_end + 4 + int(words[-1])
            if end > size:
                break
            at, reply = end, words[3]
            count += 1
        self.end = at
        """Where in *data* the last message ends."""
        self.last_reply = reply
        self._count = count
        if 2 * (at - start) < size:  # keep little alive of what was read for others
            data, start, at = data[start:at], 0, at - start
        self._data, self._start, self._end = data, start, at

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Message: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Message]: ...
    def __getitem__(self, index: int | slice) -> Message | Sequence[Message]:
        return next(iter(self)) if index == 0 else list(self)[index]

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # as lists have it

    def __repr__(self) -> str:
        return repr(list(self))

    def __iter__(self) -> Iterator[Message]:
        splits = 0
        for subject, reply, payload, block in self.frames():
            words = reply.rsplit(b".", splits or (splits := splits_of_ack(reply)))
            headers = Headers.from_block(block) if block else NO_HEADERS
            yield Message(subject.decode(*ANY_BYTES), int(words[1]), int(words[3]), headers, payload)

    def values(self) -> Iterator[tuple[str, int, bytes]]:
        """Yield subject, sequence and payload of each message: all that a rebuild reads."""
        data, at, splits = self._data, self._start, splits_of_ack(self.last_reply)
        find, stop = data.find, self._end
        while at < stop:
            line_end = find(CRLF, at)
            words, begin = data[at:line_end].split(), line_end + 2
            end = begin + int(words[-1])
            block = int(words[4]) if len(words) == 6 else 0
            yield words[1].decode(*ANY_BYTES), int(words[3].rsplit(b".", splits)[1]), data[begin + block : end]
            at = end + 2

    def frames(self) -> Iterator[Frame]:
        """Yield what each message consists of."""
        data, at = self._data, self._start
        find, stop = data.find, self._end
        while at < stop:
            line_end = find(CRLF, at)
            words, begin = data[at:line_end].split(), line_end + 2
            end = begin + int(words[-1])
            block_end = begin + int(words[4]) if len(words) == 6 else begin
            yield words[1], words[3], data[block_end:end], data[begin:block_end]
            at = end + 2

    @property
    def first_reply(self) -> bytes:
        return next(self.frames())[1]
