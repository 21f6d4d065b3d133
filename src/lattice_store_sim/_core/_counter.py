"""Counters: the sum that a stream keeps for each subject, of any size (nats-server stream.go, ``CounterValue``)."""

from __future__ import annotations

import decimal
import json
import re
from typing import Final

import msgspec

from lattice_store.errors import api_error
from lattice_store.headers import Headers
from lattice_store.model import Message, PubAck
from lattice_store_sim._core._control import INCREMENT, SOURCE, Control, read_header, with_header

SOURCES: Final = b"Nats-Counter-Sources"
"""The header that tells what each source of a counter has counted, for each of its subjects."""

# Exact for any number of digits; Python's own integers refuse to be read from or written to more than 4,300.
_EXACT: Final = decimal.Context(prec=decimal.MAX_PREC, Emin=decimal.MIN_EMIN, Emax=decimal.MAX_EMAX)
_BEFORE: Final = b'{"val":"'
_AFTER: Final = b'"}'
_SUM: Final = re.compile(rb'\{"val": *"([+-]?[0-9]+)"\}')


class CounterAck(PubAck, frozen=True, gc=False):
    """The answer to an increment."""

    value: str = ""
    """The new sum, in decimal digits."""


def value_of(payload: bytes) -> str:
    """Return the sum that a counter's message holds."""
    return payload[len(_BEFORE) : -len(_AFTER)].decode()


def counted(last: Message | None, message: Message, control: Control) -> Message:
    """Return a counter's next message: with the new sum, and with what each source has counted if there are any.

    Args:
        last: the newest message of its subject.
        message: as it was sent, or as another counter has it.
        control: its headers.

    Raises:
        ApiError: what is there, or comes from another stream, is no sum.
    """
    total = _sum_in(last.payload) if last is not None else decimal.Decimal(0)
    increment = decimal.Decimal(control[INCREMENT].decode())
    sources = _sources_in(last)
    block = message.headers.block
    if SOURCE in control:
        stream, _, *rest = control[SOURCE].decode().split(" ")
        subject = rest[2] if len(rest) > 2 else message.subject
        counts, theirs = sources.setdefault(stream, {}), _sum_in(message.payload)
        increment = _EXACT.subtract(theirs, decimal.Decimal(counts.get(subject) or 0))
        counts[subject] = f"{theirs:f}"
        block = with_header(block, INCREMENT, f"{increment:f}".encode())
    if sources:
        block = with_header(block, SOURCES, json.dumps(sources, sort_keys=True, separators=(",", ":")).encode())
    payload = b"%b%b%b" % (_BEFORE, f"{_EXACT.add(total, increment):f}".encode(), _AFTER)
    return msgspec.structs.replace(message, headers=Headers.from_block(block), payload=payload)


def _sum_in(payload: bytes) -> decimal.Decimal:
    found = _SUM.fullmatch(payload)
    if found is None:
        raise api_error(400, 10172, "message counter is broken")
    return decimal.Decimal(found[1].decode())


def _sources_in(message: Message | None) -> dict[str, dict[str, str]]:
    found = read_header(message.headers.block, SOURCES) if message is not None else b""
    return json.loads(found) if found else {}
