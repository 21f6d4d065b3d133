"""What the server sends: the core puts it into its outbox, in order, and a shell carries it out."""

from __future__ import annotations

import msgspec


class Outgoing(msgspec.Struct, frozen=True, gc=False):
    """One message on its way to whoever is subscribed to ``to``."""

    to: str
    """The subject it is routed by: a reply subject or a deliver subject."""
    payload: bytes = b""
    headers: bytes = b""
    """The header block with its status line; empty if there are none."""
    subject: str = ""
    """The subject its receiver reads; what a pull delivers keeps the stream's subject. Empty: as ``to``."""
    reply: str = ""
    streams_had_it: bool = False
    """Whether a stream that captures it has stored it already; otherwise the shell lets one do so."""


def status(to: str, code: int, description: str = "", *headers: tuple[str, object]) -> Outgoing:
    """Return a message of headers only, as the server answers pulls and direct gets with."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    line = f"NATS/1.0 {code} {description}" if description else f"NATS/1.0 {code}"
    return Outgoing(to=to, headers=f"{line}\r\n{lines}\r\n".encode())


def idle_heartbeat(to: str, consumer_sequence: int, stream_sequence: int, stalled_by: str = "") -> Outgoing:
    """Return what a consumer sends when it has nothing to send.

    Args:
        to: its deliver subject, or the inbox of a pull request.
        consumer_sequence: of its last delivery.
        stream_sequence: of the last message it has looked at.
        stalled_by: the flow control request it waits for.
    """
    stalled = (("Nats-Consumer-Stalled", stalled_by),) if stalled_by else ()
    last = (("Nats-Last-Consumer", consumer_sequence), ("Nats-Last-Stream", stream_sequence))
    return status(to, 100, "Idle Heartbeat", *last, *stalled)
