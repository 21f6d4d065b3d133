"""Counters: the sum that a stream keeps for each subject, of any size (nats-server stream.go, ``CounterValue``)."""

from __future__ import annotations

import decimal
from typing import Final

from lattice_store.model import PubAck

# Exact for any number of digits; Python's own integers refuse to be read from or written to more than 4,300.
_EXACT: Final = decimal.Context(prec=decimal.MAX_PREC, Emin=decimal.MIN_EMIN, Emax=decimal.MAX_EMAX)
_BEFORE: Final = b'{"val":"'
_AFTER: Final = b'"}'


class CounterAck(PubAck, frozen=True, gc=False):
    """The answer to an increment."""

    value: str = ""
    """The new sum, in decimal digits."""


def value_of(payload: bytes) -> str:
    """Return the sum that a counter's message holds."""
    return payload[len(_BEFORE) : -len(_AFTER)].decode()


def counted(before: bytes | None, increment: bytes) -> bytes:
    """Return the payload of a counter's next message; *before* is that of its last one."""
    total = decimal.Decimal(0 if before is None else value_of(before))
    total = _EXACT.add(total, decimal.Decimal(increment.decode()))
    return b"%b%b%b" % (_BEFORE, f"{total:f}".encode(), _AFTER)
