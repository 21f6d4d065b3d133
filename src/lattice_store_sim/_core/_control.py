"""The control headers of a message: those that have a say in publishing, found as the server finds them.

Exact case, first occurrence, spaces before the value skipped; an empty value counts as absent (nats-server
client.go, ``sliceHeader``).
"""

from __future__ import annotations

import re
from typing import Final

from lattice_store import headers as names
from lattice_store.limits import MAX_HEADER_BYTES

Control = dict[bytes, bytes]
"""Control headers with their values, none of which is empty but for a time zone's."""
NO_CONTROL: Final[Control] = {}

MESSAGE_ID: Final = names.MESSAGE_ID.encode()
ROLLUP: Final = names.ROLLUP.encode()
EXPECTED_STREAM: Final = names.EXPECTED_STREAM.encode()
EXPECTED_LAST: Final = names.EXPECTED_LAST_SEQUENCE.encode()
EXPECTED_SUBJECT: Final = names.EXPECTED_LAST_SUBJECT_SEQUENCE.encode()
EXPECTED_SUBJECT_FILTER: Final = names.EXPECTED_LAST_SUBJECT_SEQUENCE_SUBJECT.encode()
EXPECTED_ID: Final = names.EXPECTED_LAST_MESSAGE_ID.encode()
TTL: Final = b"Nats-TTL"
INCREMENT: Final = b"Nats-Incr"
BATCH_ID: Final = b"Nats-Batch-Id"
BATCH_SEQUENCE: Final = b"Nats-Batch-Sequence"
BATCH_COMMIT: Final = b"Nats-Batch-Commit"
API_LEVEL: Final = b"Nats-Required-Api-Level"
SCHEDULE: Final = b"Nats-Schedule"
SCHEDULE_TARGET: Final = b"Nats-Schedule-Target"
SCHEDULE_SOURCE: Final = b"Nats-Schedule-Source"
SCHEDULE_TTL: Final = b"Nats-Schedule-TTL"
SCHEDULE_ROLLUP: Final = b"Nats-Schedule-Rollup"
SCHEDULE_TIME_ZONE: Final = b"Nats-Schedule-Time-Zone"
SCHEDULE_NEXT: Final = b"Nats-Schedule-Next"
SCHEDULER: Final = b"Nats-Scheduler"
SOURCE: Final = b"Nats-Stream-Source"
REQUEST_INFO: Final = b"Nats-Request-Info"
MARKER_REASON: Final = b"Nats-Marker-Reason"
OVERSIZE: Final = b"\0"
"""No header has this name: it stands for a header block that is too large."""

_NAMES: Final = (
    *(MESSAGE_ID, ROLLUP, EXPECTED_STREAM, EXPECTED_LAST, EXPECTED_SUBJECT, EXPECTED_SUBJECT_FILTER, EXPECTED_ID),
    *(TTL, INCREMENT, BATCH_ID, SCHEDULE, SCHEDULE_TIME_ZONE, SCHEDULE_NEXT, SCHEDULER, SOURCE, REQUEST_INFO),
)
_LINES: Final = re.compile(rb"\r\n(%b): *(.*?)(?=\r\n|\Z)" % b"|".join(_NAMES), re.DOTALL)
_VERSION: Final = b"NATS/1.0"
_END: Final = b"\r\n\r\n"
_LONE_MESSAGE_ID: Final = _VERSION + b"\r\n" + MESSAGE_ID + b": "
_LONE_LENGTH: Final = len(_LONE_MESSAGE_ID)
_CR: Final = 13
_DIGITS: Final = 4000
_MODULUS: Final = 2**64
_SPACE: Final = 32


def lone_message_id(block: bytes) -> bytes:
    """Return the message ID if it is the only header: by far the most common, and found in a third of the time."""
    if block[:_LONE_LENGTH] != _LONE_MESSAGE_ID or block[-4:] != _END or len(block) > MAX_HEADER_BYTES:
        return b""
    message_id = block[_LONE_LENGTH:-4]
    return b"" if _CR in message_id or not message_id or message_id[0] == _SPACE else message_id


def read_control(block: bytes, *, by_line: bool = True) -> Control:
    """Return the control headers of a header block; *by_line* as in `ServerProfile.headers_found_by_line`."""
    found = dict(reversed(_LINES.findall(block)))  # of a repeated name the first value counts
    control = {name: value for name, value in found.items() if value or name == SCHEDULE_TIME_ZONE}
    if not by_line:
        control = {name: value for name, value in control.items() if _is_first(block, name)}
    if len(block) > MAX_HEADER_BYTES:
        control[OVERSIZE] = b"true"
    return control


def _is_first(block: bytes, name: bytes) -> bool:
    return block.find(name) == block.find(b"\r\n%b:" % name) + 2


def header_of(block: bytes, name: bytes) -> bytes | None:
    """Return the value of a header, which may be empty, or None if there is none."""
    found = re.search(rb"\r\n%b: *(.*?)(?=\r\n|\Z)" % name, block, re.DOTALL)
    return None if found is None else found[1]


def read_header(block: bytes, name: bytes) -> bytes:
    """Return the value of a header, empty if there is none."""
    return header_of(block, name) or b""


def has_header(block: bytes, name: bytes, value: bytes | None = None) -> bool:
    """Return whether a block has a non-empty header, or one with that value."""
    found = read_header(block, name)
    return bool(found) if value is None else found == value


def with_header(block: bytes, name: bytes, value: bytes) -> bytes:
    """Return a block in which a header has that value, in the place where it has one already or else at the end."""
    changed, count = re.subn(rb"(?<=\r\n%b:)( ?)[^\r]*" % name, lambda found: found[1] + value, block, count=1)
    return changed if count else with_one_more(block, name, value)


def with_one_more(block: bytes, name: bytes, value: bytes) -> bytes:
    """Return a block with one more header at its end."""
    return b"%b%b: %b\r\n\r\n" % (block[:-2] or _VERSION + b"\r\n", name, value)


def number_of(digits: bytes) -> int:
    """Return the number that digits spell, modulo 2**64 as Go's arithmetic has it."""
    number = 0
    for at in range(0, len(digits), _DIGITS):  # Python reads no more than some thousand digits at once
        chunk = digits[at : at + _DIGITS]
        number = (number * pow(10, len(chunk), _MODULUS) + int(chunk)) % _MODULUS
    return number


def without_header(block: bytes, name: bytes, *, repeated: bool) -> bytes:
    """Return a block without a header, or without all of that name if *repeated*; a block of none is empty."""
    left = re.sub(rb"(?<=\n)%b:.*?\r\n" % name, b"", block, count=0 if repeated else 1, flags=re.DOTALL)
    return left if len(left) > len(_VERSION) + len(_END) or left == block else b""


def without_prefixes(block: bytes, prefixes: tuple[bytes, ...]) -> bytes:
    """Return a block without the headers whose names begin in one of some ways; a block of none is empty."""
    left = re.sub(rb"(?<=\n)(?:%b)[^\r]*\r\n" % b"|".join(prefixes), b"", block)
    return left if len(left) > len(_VERSION) + len(_END) or left == block else b""


def without_status(block: bytes) -> bytes:
    """Return a block without what follows the version in its first line; a block of nothing else is empty."""
    line_end = block.find(b"\r")
    if not block.startswith(_VERSION) or line_end <= len(_VERSION):
        return block
    left = _VERSION + block[line_end:]
    return b"" if left == _VERSION + _END else left
