"""A message for a stream, and the answer to it."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from lattice_store.errors import ApiError, NoRespondersError
from lattice_store.headers import NO_HEADERS, Headers
from lattice_store.model import PubAck
from lattice_store_sim._core._control import without_status
from lattice_store_sim._core._counter import CounterAck
from lattice_store_sim._core._outbox import Outgoing
from lattice_store_sim._core._server import SimCore

_encode: Final = msgspec.json.Encoder().encode


def publish(core: SimCore, subject: str, payload: bytes, headers: bytes, reply: str, now_ns: int) -> None:
    """Take a message that is no request; the answer, if there is one, goes to the outbox."""
    if headers and core.context.profile.status_line_dropped:
        headers = without_status(headers)
    block = Headers.from_block(headers) if headers else NO_HEADERS
    try:
        ack = core.publish(subject, payload, block, now_ns=now_ns)
    except NoRespondersError:
        core.context.tell_unheard(subject, reply)
    except ApiError as error:
        if reply:
            refusal = {"error": error_to_wire(error), "stream": core.bound_stream(subject) or "", "seq": 0}
            core.context.send(Outgoing(reply, _encode(refusal)))
    else:
        if reply and ack is not None:
            core.context.send(Outgoing(reply, _encode(_ack_to_wire(ack))))


def error_to_wire(error: ApiError) -> dict[str, Any]:
    return {"code": error.code, "err_code": error.err_code, "description": error.description}


def _ack_to_wire(ack: PubAck) -> dict[str, Any]:
    wire: dict[str, Any] = {"stream": ack.stream, "seq": ack.sequence}
    if ack.duplicate:
        wire["duplicate"] = True
    if isinstance(ack, CounterAck):
        wire["val"] = ack.value
    return wire
