"""What happened to a server and what it sent, as lines of text.

A line's first character says what it is::

    > subject reply inbox      a client publishes: an API request, a message, an acknowledgement
    * subscribe subject        a client begins or ends to listen, or the server restarts
    + 1.5s                     time passes, and what comes due happens
    < subject as subject reply inbox     the server sends; ``as`` where the receiver reads another subject
    :                          a piece of the header block of the message above
    two spaces                 a piece of its payload
    #                          a remark

Pieces are bytes: what is not printable ASCII is escaped as in Python, and pieces are joined without a seam.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Final, TypeVar

import attrs
import msgspec

from lattice_store.errors import InvalidArgumentError
from lattice_store.limits import SECOND_NS
from lattice_store_sim._core._outbox import Outgoing

_Read = TypeVar("_Read")

_WIDTH: Final = 110
_FIELD: Final = re.compile(r"[^,]*,|[^,]+")
_HEADER: Final = re.compile(r".*?\\r\\n|.+")


class Sent(msgspec.Struct, frozen=True):
    """A client published."""

    subject: str
    payload: bytes = b""
    headers: bytes = b""
    reply: str = ""


class Told(msgspec.Struct, frozen=True):
    """``subscribe`` or ``unsubscribe`` with a subject and perhaps a queue group, or ``restart``."""

    verb: str
    arguments: tuple[str, ...] = ()


class Waited(msgspec.Struct, frozen=True):
    """Time passed."""

    duration_ns: int


Happening = Sent | Told | Waited


class Entry(msgspec.Struct, frozen=True):
    """One thing that happened to the server, and what it sent because of it."""

    happened: Happening
    answers: tuple[Outgoing, ...] = ()
    remarks: tuple[str, ...] = ()


# -- to text ----------------------------------------------------------------------------------------


def entry_lines(entry: Entry) -> Iterator[str]:
    """Return the lines that say what happened and what was sent."""
    yield from (f"# {remark}" for remark in entry.remarks)
    match entry.happened:
        case Sent(subject, payload, headers, reply):
            yield _words(">", subject, reply=reply)
            yield from _pieces(headers, payload)
        case Told(verb, arguments):
            yield " ".join(["*", verb, *arguments])
        case Waited(duration_ns):
            yield f"+ {Decimal(duration_ns) / SECOND_NS:f}s"
    for answer in entry.answers:
        yield _words("<", answer.to, **{"as": answer.subject, "reply": answer.reply})
        yield from _pieces(answer.headers, answer.payload)


def _words(sign: str, subject: str, **others: str) -> str:
    return " ".join([sign, subject, *(f"{name} {other}" for name, other in others.items() if other)])


def _pieces(headers: bytes, payload: bytes) -> Iterator[str]:
    yield from (f": {_guarded(piece)}" for piece in _HEADER.findall(_escape(headers)))
    line = ""
    for piece in _FIELD.findall(_escape(payload)):
        if line and len(line) + len(piece) > _WIDTH:
            yield f"  {_guarded(line)}"
            line = ""
        line += piece
    if line:
        yield f"  {_guarded(line)}"


def _escape(data: bytes) -> str:
    return data.decode("latin-1").encode("unicode_escape").decode("ascii")


def _guarded(piece: str) -> str:
    """Return *piece* so that an editor that strips lines does no harm."""
    return f"{piece[:-1]}\\x20" if piece.endswith(" ") else piece


# -- from text --------------------------------------------------------------------------------------


@attrs.define
class _Part:
    """A line that says what happened or was sent, and the pieces below it."""

    line: str
    number: int
    pieces: dict[str, str] = attrs.field(factory=lambda: {":": "", " ": ""})

    @property
    def words(self) -> list[str]:
        return self.line.split()[1:]

    @property
    def bytes(self) -> tuple[bytes, bytes]:
        """Payload and headers."""
        payload, headers = (
            text.encode("ascii").decode("unicode_escape").encode("latin-1")
            for text in (self.pieces[" "], self.pieces[":"])
        )
        return payload, headers

    def named(self, name: str) -> str:
        return self.words[self.words.index(name) + 1] if name in self.words[1:] else ""


def read_entries(lines: Sequence[str]) -> Iterator[Entry]:
    """Read what `entry_lines` wrote, or what was written by hand.

    Raises:
        InvalidArgumentError: a line is not understood; the message says which, counting from 1.
    """
    remarks: list[str] = []
    parts: list[_Part] = []
    for number, line in enumerate(lines, start=1):
        sign = line.rstrip()[:1]
        if sign in (":", " ") and parts:
            parts[-1].pieces[sign] += line[2:]
        elif sign == "<" and parts:
            parts.append(_Part(line, number))
        elif sign in (">", "*", "+", "#"):
            if parts:
                yield _entry(parts, remarks)
                parts, remarks = [], []
            if sign == "#":
                remarks.append(line[2:])
            else:
                parts.append(_Part(line, number))
        elif sign:
            raise _not_understood(line, number)
    if parts:
        yield _entry(parts, remarks)


def _entry(parts: Sequence[_Part], remarks: Sequence[str]) -> Entry:
    first, *others = parts
    return Entry(_understood(_happened, first), tuple(_understood(_answer, part) for part in others), tuple(remarks))


def _understood(read: Callable[[_Part], _Read], part: _Part) -> _Read:
    try:
        return read(part)
    except (ValueError, LookupError, ArithmeticError):
        raise _not_understood(part.line, part.number) from None


def _answer(part: _Part) -> Outgoing:
    return Outgoing(part.words[0], *part.bytes, part.named("as"), part.named("reply"))


def _happened(part: _Part) -> Happening:
    match part.line[0], part.words:
        case ">", [subject, *_]:
            return Sent(subject, *part.bytes, part.named("reply"))
        case "+", [duration]:
            return Waited(int(Decimal(duration.removesuffix("s")) * SECOND_NS))
        case "*", [("subscribe" | "unsubscribe") as verb, subject, *group] if len(group) < 2:
            return Told(verb, (subject, *group))
        case "*", ["restart"]:
            return Told("restart")
    raise ValueError


def _not_understood(line: str, number: int) -> InvalidArgumentError:
    return InvalidArgumentError(f"line {number} of the transcript is not understood: {line!r}")
