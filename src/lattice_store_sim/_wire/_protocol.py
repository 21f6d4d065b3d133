"""The client protocol, from the server's side and without I/O: bytes in, events out.

The rules, all of them the server's (nats-server parser.go, client.go):

- An operation is read as soon as it is there, and a mistake is noticed at its first byte: no line needs to end for that.
- Verbs have no case. Between arguments stand spaces and tabs, as many as you like. A line ends with a line feed; a
  carriage return anywhere in it takes its last byte away, which is the carriage return in front of the line feed.
- Behind a verb the first byte that is no blank begins the arguments, whatever it is.
- Nothing is checked twice: what the arguments mean is looked at only by whom they concern (`_router`).

Where a read ends inside an operation, it is kept until the rest has come. Thousands of publishes in one read are the
case to be fast in: they take the short way in `receive_data`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from lattice_store.errors import ApiError
from lattice_store_sim._wire._events import (
    Complaint,
    Connect,
    ConnectOptions,
    Event,
    Failure,
    Ping,
    Pong,
    Publish,
    Subscribe,
    Unsubscribe,
)
from lattice_store_sim._wire._json import decode_into

MAX_CONTROL_LINE: Final = 4096
MAX_PAYLOAD: Final = 1 << 20
_LONGEST_SIZE: Final = 9
_CR: Final = 13

_UNKNOWN: Final = Failure("Unknown Protocol Operation")
_TOO_LONG: Final = Failure("maximum control line exceeded")
_TOO_LARGE: Final = Failure("Maximum Payload Violation")
_UNAUTHORISED: Final = Failure("Authorization Violation")
_SILENT: Final = Failure()
_PING: Final = Ping()
_PONG: Final = Pong()

_OPERATION: Final = re.compile(
    rb"(?:(PUB|HPUB|SUB|UNSUB|HMSG|-ERR)[ \t]+|(CONNECT|INFO)[ \t]*)([^ \t][^\n]*)?\n|(PING|PONG|\+OK)[^\n]*\n",
    re.IGNORECASE,
)
_BEGUN: Final = re.compile(
    rb"(?:(?:PUB|HPUB|SUB|UNSUB|HMSG|-ERR)[ \t]+|(?:CONNECT|INFO)[ \t]*)([^ \t].*)?\Z", re.IGNORECASE | re.DOTALL
)
_BARE: Final = (b"PING", b"PONG", b"+OK")
_VERBS: Final = (b"PUB", b"HPUB", b"SUB", b"UNSUB", b"HMSG", b"-ERR", b"CONNECT", b"INFO", *_BARE)
_BLANKS: Final = re.compile(rb"[ \t]+")
_BLANKS_AND_ENDS: Final = re.compile(rb"[ \t\r\n]+")


class Protocol:
    """One client's side of a connection.

    Args:
        max_control_line: the most bytes of arguments.
        max_payload: the most bytes of headers and payload together.
        auth_required: nothing is listened to before CONNECT.
    """

    def __init__(
        self,
        *,
        max_control_line: int = MAX_CONTROL_LINE,
        max_payload: int = MAX_PAYLOAD,
        auth_required: bool = False,
    ) -> None:
        self.options = ConnectOptions()
        self.failed = False
        """Whether a `Failure` was returned: nothing is read any more."""
        self._max_line = max_control_line
        self._max_payload = max_payload
        self._closed_door = auth_required
        self._kept: list[bytes] = []
        self._kept_size = 0
        self._wanted = 0
        self._complained = False
        """Whether the line of a publish was complained about whose payload has not come yet."""
        self._handlers: dict[bytes, Callable[[bytes], Event | None]] = {
            b"SUB": self._subscribe,
            b"UNSUB": self._unsubscribe,
            b"CONNECT": self._connect,
            b"INFO": self._info,
            b"-ERR": lambda _: _SILENT,
        }

    # -- reading --------------------------------------------------------------------------------

    def receive_data(self, data: bytes) -> list[Event]:
        """Return what has come, once it is complete."""
        if self.failed:
            return []
        if self._kept:
            self._kept.append(data)
            self._kept_size += len(data)
            if self._kept_size < self._wanted:
                return []
            data = b"".join(self._kept)
            self._kept.clear()
        events: list[Event] = []
        at, size = 0, len(data)
        while at < size:
            if data[at] in b"PH" and not (self._closed_door or self.options.pedantic):
                at = self._publishes_shortly(data, at, events)
            if at < size:
                end = self._next(data, at, events)
                if end < 0:
                    break
                at = end
        if at < size and not self.failed:
            self._keep(data[at:] if at else data)
        return events

    def _keep(self, rest: bytes) -> None:
        """Keep what an operation lacks the end of; `_wanted` says how long it must become at least."""
        self._kept.append(rest)
        self._kept_size = len(rest)
        self._wanted = max(self._wanted, self._kept_size + 1)

    def _fail(self, events: list[Event], failure: Failure) -> int:
        events.append(failure)
        self.failed = True
        return -1

    # -- publishing, the short way --------------------------------------------------------------

    def _publishes_shortly(self, data: bytes, at: int, events: list[Event]) -> int:
        """Read what is published as everybody writes it; return where something else begins, or something is wrong."""
        find, add, size = data.find, events.append, len(data)
        longest, largest, with_headers = self._max_line, self._max_payload, self.options.headers
        while at < size:
            line_end = find(b"\n", at)
            line = data[at : line_end - 1]
            words = line.split(b" ")
            verb, number = words[0], words[-1]
            plain = verb == b"PUB"
            count = len(words) - (not plain)
            odd = line_end < 0 or b"\t" in line or b"\r" in line or data[line_end - 1] != _CR
            if odd or not (3 <= count <= 4 and number.isdigit()) or len(number) > _LONGEST_SIZE or len(line) > longest:
                break
            begin = line_end + 1
            length = int(number)
            end = begin + length
            if length > largest or not words[1] or data[end : end + 2] != b"\r\n":
                break
            reply = words[2] if count == 4 else b""  # which may be empty even so: then two spaces stand there
            if plain:
                add(Publish(words[1], reply, b"", data[begin:end], number))
            elif verb == b"HPUB" and with_headers and (first := words[-2]).isdigit() and len(first) <= _LONGEST_SIZE:
                middle = begin + int(first)
                if not begin < middle <= end:
                    break
                add(Publish(words[1], reply, data[begin:middle], data[middle:end], first + b" " + number))
            else:
                break
            at = end + 2
        return at

    # -- everything else ------------------------------------------------------------------------

    def _lacks_end(self, data: bytes, at: int, end: int, events: list[Event]) -> int:
        """The payload does not end with a line's end: either it has not come yet, or that is a mistake."""
        if b"\r\n".startswith(data[end : end + 2]):
            self._wanted = max(end - at + 1, len(data) - at + 1)
            return -1
        return self._fail(events, _UNKNOWN)

    def _next(self, data: bytes, at: int, events: list[Event]) -> int:
        """Read one operation; return where it ends, -1 if it does not."""
        self._wanted = 0
        if self._closed_door and data[at] not in b"Cc":
            return self._fail(events, _UNAUTHORISED)
        found = _OPERATION.match(data, at)
        if found is None or (found[3] is None and found[4] is None):
            return self._begin(data, at, events)
        if found[4] is not None:
            self._bare(found[4].upper(), events)
            return found.end()
        argument = found[3]
        if b"\r" in argument[1:]:
            argument = argument[:-1]
        if len(argument) > self._max_line:
            return self._fail(events, _TOO_LONG)
        verb = (found[1] or found[2]).upper()
        if verb in (b"PUB", b"HPUB", b"HMSG"):
            return self._publish(verb, argument, data, (at, found.end()), events)
        event = self._handlers[verb](argument)
        if isinstance(event, Failure):
            return self._fail(events, event)
        if event is not None:
            events.append(event)
        return found.end()

    def _bare(self, verb: bytes, events: list[Event]) -> None:
        if verb == b"PING":
            events.append(_PING)
        elif verb == b"PONG":
            events.append(_PONG)

    def _begin(self, data: bytes, at: int, events: list[Event]) -> int:
        """Look at an operation that has not come to its end: it may be long or wrong already."""
        begun = _BEGUN.match(data, at)
        if begun is not None:
            argument = begun[1] or b""
            if len(argument) - argument.endswith(b"\r") > self._max_line:
                return self._fail(events, _TOO_LONG)
            return -1
        rest = data[at : at + 8].upper()
        if any(rest.startswith(verb) or verb.startswith(rest) for verb in _BARE):
            # How it goes on does not matter, so that nothing of it needs to be kept.
            self._keep(data[at : at + 4])
            return len(data)
        if any(verb.startswith(rest) for verb in _VERBS):
            return -1
        return self._fail(events, _UNKNOWN)

    def _publish(self, verb: bytes, argument: bytes, data: bytes, line: tuple[int, int], events: list[Event]) -> int:
        at, begin = line
        if verb == b"HPUB" and not self.options.headers:
            return self._fail(events, _SILENT)
        words = [word for word in _BLANKS.split(argument) if word]
        counts = 2 if verb == b"HPUB" else 1
        if verb == b"HMSG":  # of a client it is nothing but a message without subject and payload
            words = [b"", b"0"]
        if not counts < len(words) <= counts + 2:
            return self._fail(events, _SILENT)
        sizes = [_size(word) for word in words[-counts:]]
        if min(sizes) < 0 or sizes[0] > sizes[-1]:
            return self._fail(events, _SILENT)
        if sizes[-1] > self._max_payload:
            return self._fail(events, _TOO_LARGE)
        if self.options.pedantic and verb != b"HMSG" and not _is_literal(words[0]) and not self._complained:
            events.append(Complaint("Invalid Publish Subject"))
            self._complained = True
        end = begin + sizes[-1]
        if data[end : end + 2] != b"\r\n":
            return self._lacks_end(data, at, end, events)
        self._complained = False
        headers = sizes[0] if counts == 2 else 0
        reply = words[1] if len(words) == counts + 2 else b""
        written = b" ".join(words[-counts:]) if headers else words[-1]
        events.append(Publish(words[0], reply, data[begin : begin + headers], data[begin + headers : end], written))
        return end + 2

    def _subscribe(self, argument: bytes) -> Event:
        words = [word for word in _BLANKS_AND_ENDS.split(argument) if word]
        if not 2 <= len(words) <= 3:
            return _SILENT
        return Subscribe(words[0], words[1] if len(words) == 3 else b"", words[-1])

    def _unsubscribe(self, argument: bytes) -> Event:
        words = [word for word in _BLANKS_AND_ENDS.split(argument) if word]
        if not 1 <= len(words) <= 2:
            return _SILENT
        return Unsubscribe(words[0], _size(words[1]) if len(words) == 2 else -1)

    def _connect(self, argument: bytes) -> Event:
        try:
            self.options = decode_into(argument, self.options)
        except ApiError:
            return _SILENT
        self._closed_door = False
        return Connect(self.options)

    def _info(self, argument: bytes) -> Event | None:
        try:
            decode_into(argument, ConnectOptions())
        except ApiError:
            return _SILENT
        return None


def _size(word: bytes) -> int:
    """Return the number that *word* is, -1 for what is none or too long (util.go, ``parseSize``)."""
    return int(word) if word.isdigit() and len(word) <= _LONGEST_SIZE else -1


def _is_literal(subject: bytes) -> bool:
    """Return whether a subject has neither wildcards nor empty tokens (sublist.go, ``IsValidLiteralSubject``)."""
    tokens = subject.split(b".")
    return not any(token in (b"", b"*", b">") for token in tokens)


# -- what the server sends --------------------------------------------------------------------------

OK: Final = b"+OK\r\n"
PING: Final = b"PING\r\n"
PONG: Final = b"PONG\r\n"


def error(text: str) -> bytes:
    return f"-ERR '{text}'\r\n".encode("utf-8", "surrogateescape")
