"""What the family `priority` must reach, by the versions that have it."""

from __future__ import annotations

from typing import Final

from tests.agreement.families._spans import FIRST, LAST, Span, lacking, rows

_REFUSED: Final = "status 400 Bad Request - "
_SPANS: Final[list[Span]] = [
    (FIRST, LAST, "CONSUMER.CREATE", ["ok"]),
    (FIRST, LAST, "CONSUMER.DELETE", ["ok"]),
    (FIRST, LAST, "publish", ["ok"]),
    (FIRST, LAST, "ack", ["empty"]),
    (FIRST, LAST, "+NXT", ["message"]),
    (FIRST, LAST, "CONSUMER.MSG.NEXT", ["message", f"{_REFUSED}JSON"]),
    (
        *("2.11", LAST, "CONSUMER.MSG.NEXT"),
        [
            *(f"{_REFUSED}Priority Group missing", f"{_REFUSED}Invalid Priority Group"),
            f"{_REFUSED}Not a Overflow Priority consumer",
            f"{_REFUSED}Not a Pinned Client Priority consumer",
            *("status 404 No Messages", "status 408 Request Timeout", "status 409 Batch Completed"),
            *("status 409 Consumer Deleted", "status 409 Exceeded MaxWaiting"),
            *("status 409 Exceeded MaxRequestBatch of N", "status 409 Message Size Exceeds MaxBytes"),
            *("status 423 Nats-Pin-Id mismatch", "status 423 Nats-Wrong-Pin-Id"),
        ],
    ),
    ("2.12", LAST, "CONSUMER.MSG.NEXT", [f"{_REFUSED}Priority must be between N and N"]),
    ("2.11", "2.11", "CONSUMER.CREATE", ["10025 invalid JSON"]),
    ("2.11", LAST, "CONSUMER.PAUSE", ["ok"]),
    (
        *("2.11", LAST, "CONSUMER.UNPIN"),
        [
            *("ok", "10014 consumer not found", "10025 invalid JSON", "10059 stream not found"),
            "10160 Provided priority group does not exist for this consumer",
            "10162 Valid priority group name must match A-Z, a-z, N-N, -_/=)+ and may not exceed N characters",
        ],
    ),
    ("2.12", LAST, "CONSUMER.UNPIN", ["10185 JetStream minimum api level required"]),
]
EXPECTED: Final = rows(_SPANS)
LACKING: Final = lacking(_SPANS)
