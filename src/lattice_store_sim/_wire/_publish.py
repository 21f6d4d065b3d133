"""A message for a stream, and the answer to it."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from lattice_store.errors import ApiError, NoRespondersError
from lattice_store.headers import NO_HEADERS, Headers
from lattice_store.model import PubAck
from lattice_store_sim._core._batches import BatchAck, StagedAck
from lattice_store_sim._core._control import without_status
from lattice_store_sim._core._counter import CounterAck
from lattice_store_sim._core._fast import FAST_SUFFIX, Answer, FlowError, fast_send_of
from lattice_store_sim._core._outbox import Outgoing
from lattice_store_sim._core._server import SimCore
from lattice_store_sim._wire._domain import domain_of
from lattice_store_sim._wire._routes import Request

_encode: Final = msgspec.json.Encoder().encode
_WRITTEN_BY_HAND: Final = (b'"duplicate":true', b'"duplicate": true')
"""The one field with a space in it (stream.go, ``processJetStreamMsg``)."""


def publish(core: SimCore, sent: Request) -> None:
    """Take a message that is no API request; the answer, if there is one, goes to the outbox."""
    subject, reply = sent.subject, sent.reply
    block = without_status(sent.headers) if core.context.profile.status_line_dropped else sent.headers
    try:
        headers = Headers.from_block(block) if block else NO_HEADERS
        if reply.endswith(FAST_SUFFIX) and core.context.profile.fast_batches:
            _publish_fast(core, sent, headers)
            return
        ack = core.publish(subject, sent.payload, headers, now_ns=sent.now_ns)
    except NoRespondersError:
        core.context.tell_unheard(subject, reply)
    except ApiError as error:
        if reply:
            core.context.send(Outgoing(reply, _answer_to_wire(core, sent, error)))
    else:
        if reply and ack is not None:
            core.context.send(Outgoing(reply, _answer_to_wire(core, sent, ack)))


def _publish_fast(core: SimCore, sent: Request, headers: Headers) -> None:
    """Take a message of a fast batch. Its answers are many, or none."""
    batch = fast_send_of(sent.reply)
    for answer in core.publish_fast(sent.subject, sent.payload, headers, batch, now_ns=sent.now_ns):
        core.context.send(Outgoing(sent.reply, _answer_to_wire(core, sent, answer)))


def _answer_to_wire(core: SimCore, sent: Request, answer: Answer) -> bytes:
    match answer:
        case StagedAck():
            return b""
        case PubAck():
            wire = _encode(_ack_to_wire(answer, domain_of(core)))
            return wire.replace(*_WRITTEN_BY_HAND) if answer.duplicate else wire
        case ApiError():
            stream = core.bound_stream(sent.subject) or ""
            return _encode({"error": error_to_wire(answer), "stream": stream, "seq": 0})
        case FlowError(sequence, error):
            return _encode({"type": "err", "seq": sequence, "error": error_to_wire(error)})
        case _:
            return _encode(answer)


def error_to_wire(error: ApiError) -> dict[str, Any]:
    return {"code": error.code, "err_code": error.err_code, "description": error.description}


def _ack_to_wire(ack: PubAck, domain: dict[str, str]) -> dict[str, Any]:
    wire: dict[str, Any] = {"stream": ack.stream, **domain, "seq": ack.sequence}
    if ack.duplicate:
        wire["duplicate"] = True
    if isinstance(ack, CounterAck):
        wire["val"] = ack.value
    if isinstance(ack, BatchAck):
        wire |= {"batch": ack.batch, "count": ack.count}
    return wire
