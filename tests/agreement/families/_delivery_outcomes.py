"""What the families `pull`, `push`, `acks` and `retention` must reach, by the versions that have it."""

from __future__ import annotations

from typing import Final

from tests.agreement.families._spans import FIRST, LAST, Span

_NO_CONSUMER: Final = "10014 consumer not found"
_UNHEARD: Final = "status 503"
_REMOVAL: Final = ("ok", "10043 sequence N not found", "10057 no message found", "10057 stream store EOF")

PULL: Final[list[Span]] = [
    (FIRST, LAST, "CONSUMER.CREATE", ["ok"]),
    (FIRST, LAST, "CONSUMER.UPDATE", ["ok"]),
    (FIRST, LAST, "CONSUMER.DELETE", ["ok", _NO_CONSUMER]),
    (
        *(FIRST, LAST, "CONSUMER.MSG.NEXT"),
        [
            "message",
            "status 400 Bad Request - JSON",
            "status 400 Bad Request - heartbeat value too large",
            "status 404 No Messages",
            "status 408 Request Timeout",
            "status 409 Consumer Deleted",
            "status 409 Exceeded MaxRequestBatch of N",
            "status 409 Exceeded MaxRequestExpires of Ns",
            "status 409 Exceeded MaxRequestMaxBytes of N",
            "status 409 Exceeded MaxWaiting",
            "status 409 Message Size Exceeds MaxBytes",
        ],
    ),
    ("2.10", LAST, "CONSUMER.MSG.NEXT", ["status 409 Batch Completed", _UNHEARD]),
    (
        *("2.11", LAST, "CONSUMER.MSG.NEXT"),
        [
            "status 400 Bad Request - Not a Overflow Priority consumer",
            "status 400 Bad Request - Not a Pinned Client Priority consumer",
        ],
    ),
    ("2.12", LAST, "CONSUMER.MSG.NEXT", ["status 400 Bad Request - Priority must be between N and N"]),
    (
        *(FIRST, LAST, "+NXT"),
        [
            "message",
            "status 400 Bad Request - JSON",
            "status 404 No Messages",
            _UNHEARD,
        ],
    ),
    (FIRST, LAST, "ack", ["empty", _UNHEARD]),
    (FIRST, LAST, "publish", ["ok", "10111 rollup not permitted"]),
    ("2.10", LAST, "STREAM.MSG.DELETE", _REMOVAL),
    ("2.10", LAST, "STREAM.PURGE", ["ok"]),
]

PUSH: Final[list[Span]] = [
    (FIRST, LAST, "CONSUMER.CREATE", ["ok"]),
    (FIRST, LAST, "CONSUMER.UPDATE", ["ok", "10013 consumer name already in use"]),
    (FIRST, LAST, "CONSUMER.DELETE", ["ok", _NO_CONSUMER]),
    ("2.11", LAST, "CONSUMER.PAUSE", ["ok"]),
    (FIRST, LAST, "delivery", ["message", "status 100 FlowControl Request"]),
    (FIRST, LAST, "silent", ["ok"]),
    (FIRST, LAST, "heartbeat", ["status 100 Idle Heartbeat"]),
    (FIRST, LAST, "CONSUMER.MSG.NEXT", ["status 409 Consumer is push based"]),
    ("2.10", LAST, "CONSUMER.MSG.NEXT", [_UNHEARD]),
    (FIRST, LAST, "+NXT", ["status 409 Consumer is push based", _UNHEARD]),
    (FIRST, LAST, "ack", ["empty", _UNHEARD]),
    (FIRST, LAST, "publish", ["ok"]),
    ("2.10", LAST, "STREAM.MSG.DELETE", _REMOVAL),
]

RETENTION: Final[list[Span]] = [
    (FIRST, LAST, "publish", ["ok", "duplicate"]),
    (
        *(FIRST, LAST, "CONSUMER.CREATE"),
        [
            "ok",
            "10098 workqueue stream requires explicit ack",
            "10099 multiple non-filtered consumers not allowed on workqueue stream",
            "10100 filtered consumer not unique on workqueue stream",
            "10101 consumer must be deliver all on workqueue stream",
        ],
    ),
    (FIRST, LAST, "CONSUMER.DELETE", ["ok", _NO_CONSUMER]),
    (FIRST, LAST, "CONSUMER.MSG.NEXT", ["message"]),
    (FIRST, LAST, "ack", ["empty", _UNHEARD]),
    (FIRST, LAST, "STREAM.PURGE", ["ok"]),
    ("2.10", LAST, "STREAM.UPDATE", ["ok"]),
]

ACKS: Final[list[Span]] = [
    (FIRST, LAST, "CONSUMER.CREATE", ["ok"]),
    (
        *(FIRST, LAST, "CONSUMER.MSG.NEXT"),
        ["message", "status 400 Bad Request - JSON", "status 404 No Messages", "status 408 Requests Pending"],
    ),
    (FIRST, "2.10", "CONSUMER.MSG.NEXT", ["status 408 Request Timeout"]),
    (FIRST, LAST, "ack", ["empty"]),
    (FIRST, LAST, "publish", ["ok"]),
]
