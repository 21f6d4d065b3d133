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
from lattice_store_sim._wire._domain import domain_of
from lattice_store_sim._wire._routes import Request

_encode: Final = msgspec.json.Encoder().encode


def publish(core: SimCore, sent: Request) -> None:
    """Take a message that is no API request; the answer, if there is one, goes to the outbox."""
    subject, reply = sent.subject, sent.reply
    block = without_status(sent.headers) if core.context.profile.status_line_dropped else sent.headers
    try:
        headers = Headers.from_block(block) if block else NO_HEADERS
        ack = core.publish(subject, sent.payload, headers, now_ns=sent.now_ns)
    except NoRespondersError:
        core.context.tell_unheard(subject, reply)
    except ApiError as error:
        if reply:
            refusal = {"error": error_to_wire(error), "stream": core.bound_stream(subject) or "", "seq": 0}
            core.context.send(Outgoing(reply, _encode(refusal)))
    else:
        if reply and ack is not None:
            core.context.send(Outgoing(reply, _encode(_ack_to_wire(ack, domain_of(core)))))


def error_to_wire(error: ApiError) -> dict[str, Any]:
    return {"code": error.code, "err_code": error.err_code, "description": error.description}


def _ack_to_wire(ack: PubAck, domain: dict[str, str]) -> dict[str, Any]:
    wire: dict[str, Any] = {"stream": ack.stream, **domain, "seq": ack.sequence}
    if ack.duplicate:
        wire["duplicate"] = True
    if isinstance(ack, CounterAck):
        wire["val"] = ack.value
    return wire
