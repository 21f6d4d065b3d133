"""Limits and deadlines with their defaults: the one place where they are written down.

Times are nanoseconds, sizes are bytes.
"""

from __future__ import annotations

from typing import Final

import attrs

from lattice_store.errors import InvalidArgumentError

SECOND_NS: Final = 1_000_000_000

MAX_SUBJECT_BYTES: Final = 1024
"""A subject over the server's control line (4096) closes the connection for good; stay far below it."""
MAX_STREAM_NAME_BYTES: Final = 255
"""nats-server refuses longer names with 10052."""
MAX_HEADER_BYTES: Final = 65_535
"""nats-server refuses larger header blocks with 10097."""
DEFAULT_DUPLICATE_WINDOW_NS: Final = 120 * SECOND_NS
"""What a server fills in for a missing duplicate window, and what wasmCloud hosts ask for."""
DEFAULT_ACK_WINDOW: Final = 4000
"""Publications of a ``publish_many`` that may wait for their acks at once."""


@attrs.frozen(kw_only=True)
class Limits:
    """How long to wait for a server, and how much to hold for a slow reader. All are whole numbers, 1 at least.

    Every wait for an answer is bounded by one of these. The wait for news is not: a replay or a watch goes on, and
    is taken up again after a fault, until it is closed. How many acks may be outstanding, each ``publish_many`` says.

    Raises:
        InvalidArgumentError: names the limit that is none.
    """

    connect_timeout_ns: int = 5 * SECOND_NS
    """Until the first connection stands."""
    request_timeout_ns: int = 5 * SECOND_NS
    """Until a request is answered; afterwards its outcome is UNKNOWN."""
    close_timeout_ns: int = 2 * SECOND_NS
    """For a clean end of a connection; afterwards it is cut."""
    heartbeat_ns: int = SECOND_NS
    """Silence of a replay after which the server says "still here"; two missed ones are a fault."""
    retry_min_ns: int = SECOND_NS // 10
    """First pause before a broken replay is tried again; it doubles up to `retry_max_ns`."""
    retry_max_ns: int = 5 * SECOND_NS
    replay_buffer: int = 65_536
    """Messages a replay holds for a slow reader before the server is told to wait (flow control)."""
    watch_buffer: int = 8_192
    """Changes a watch holds for a slow reader before they are coalesced per record."""
    max_value_bytes: int = 1 << 20
    """Largest record written or decoded; the server's default ``max_payload``."""
    compare_and_set_attempts: int = 16
    """How often a conditional link write is tried again because an unrelated link changed."""

    def __attrs_post_init__(self) -> None:
        for name, value in attrs.asdict(self).items():
            if type(value) is not int or value < 1:
                raise InvalidArgumentError(f"{name}={value!r}: a limit is a whole number, 1 at least")


DEFAULT_LIMITS: Final = Limits()
