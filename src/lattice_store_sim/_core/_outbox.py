"""What the server sends: the core puts it into its outbox, in order, and a shell carries it out."""

from __future__ import annotations

import msgspec


class Outgoing(msgspec.Struct, frozen=True):
    """One message on its way to whoever is subscribed to ``to``."""

    to: str
    """The subject it is routed by: a reply subject or a deliver subject."""
    payload: bytes = b""
    headers: bytes = b""
    """The header block with its status line; empty if there are none."""
    subject: str = ""
    """The subject its receiver reads; what a pull delivers keeps the stream's subject. Empty: as ``to``."""
    reply: str = ""


def status(to: str, code: int, description: str = "", *headers: tuple[str, object]) -> Outgoing:
    """Return a message of headers only, as the server answers pulls and direct gets with."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    line = f"NATS/1.0 {code} {description}" if description else f"NATS/1.0 {code}"
    return Outgoing(to=to, headers=f"{line}\r\n{lines}\r\n".encode())
