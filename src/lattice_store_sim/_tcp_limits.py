"""What a server on TCP bears; the defaults are nats-server's."""

from __future__ import annotations

import attrs

from lattice_store.limits import SECOND_NS
from lattice_store_sim._wire._protocol import MAX_CONTROL_LINE, MAX_PAYLOAD
from lattice_store_sim._wire._router import MAX_PENDING


@attrs.frozen(kw_only=True)
class WireLimits:
    """How much clients may send, and how long the server waits for them.

    Args:
        max_payload: the most bytes of headers and payload of one message.
        max_control_line: the most bytes of the arguments of an operation.
        max_pending: the most bytes that may wait for a client; one that does not read them in time is cut.
        max_connections: at the same time.
        max_subscriptions: of one client, 0 for any number.
        write_deadline_ns: how long a client may read nothing of what waits for it.
        ping_interval_ns: how often clients that are silent are asked whether they are there.
        max_pings_out: how many of these questions may be unanswered.
        auth_timeout_ns: how long a client may take to say who it is.
        tls_timeout_ns: how long encryption may take to begin.
    """

    max_payload: int = MAX_PAYLOAD
    max_control_line: int = MAX_CONTROL_LINE
    max_pending: int = MAX_PENDING
    max_connections: int = 64 * 1024
    max_subscriptions: int = 0
    write_deadline_ns: int = 10 * SECOND_NS
    ping_interval_ns: int = 120 * SECOND_NS
    max_pings_out: int = 2
    auth_timeout_ns: int = 2 * SECOND_NS
    tls_timeout_ns: int = 2 * SECOND_NS
