"""Short ways to send what belongs to a batch."""

from __future__ import annotations

import json
from typing import Any

from lattice_store_sim._core._invariants import check
from tests.unit.sim.wire.wire import MILLISECOND, Wire

SECOND = 1_000_000_000
INBOX = "_INBOX.fast"


def block(**headers: object) -> bytes:
    """Return a header block; ``msg_id=1`` is ``Nats-Msg-Id: 1``."""
    lines = "".join(f"Nats-{_title(name)}: {value}\r\n" for name, value in headers.items())
    return f"NATS/1.0\r\n{lines}\r\n".encode() if lines else b""


def _title(name: str) -> str:
    return "-".join("TTL" if word == "ttl" else word.capitalize() for word in name.split("_"))


def staged(wire: Wire, sequence: object, commit: object = None, *, batch: str = "b", token: str = "a", **more: object):
    """Send a message of an atomic batch; return the answer decoded, None if it is empty."""
    headers = {"batch_id": batch, "batch_sequence": sequence, **more}
    if commit is not None:
        headers["batch_commit"] = commit
    [answer] = wire.send(f"s.{token}", b"", block(**headers))
    return json.loads(answer.payload) if answer.payload else None


def refused(answer: dict[str, Any]) -> int:
    """Return the code of the error that an answer must be."""
    err_code: int = answer["error"]["err_code"]
    return err_code


def fast(
    wire: Wire, sequence: int, operation: int, batch: str = "f", gaps: str = "fail", flow: int = 10, **more: object
):
    """Send a message of a fast batch; return all that is answered, decoded."""
    return fast_to(wire, f"{INBOX}.{batch}.{flow}.{gaps}.{sequence}.{operation}.$FI", **more)


def fast_to(wire: Wire, reply: str, **more: object) -> list[dict[str, Any]]:
    wire.now_ns += MILLISECOND
    wire.api.send("s.a", b"", headers=block(**more), reply=reply, now_ns=wire.now_ns)
    check(wire.api.core)
    answers = [json.loads(each.payload) for each in wire.api.core.outbox if each.to == reply]
    wire.api.core.outbox.clear()
    return answers


def stored(wire: Wire) -> list[tuple[str, bytes, bytes]]:
    """Return subject, headers and payload of all that is stored."""
    messages = wire.api.core.streams["S"].log.messages.values()
    return [(one.subject, one.headers.block, one.payload) for one in messages]


def advance(wire: Wire, seconds: float) -> None:
    """Let time pass, with nothing sent."""
    wire.now_ns += int(seconds * SECOND)
    wire.api.core.advance(wire.now_ns)
    check(wire.api.core)
    wire.heard += wire.api.core.outbox
    wire.api.core.outbox.clear()
