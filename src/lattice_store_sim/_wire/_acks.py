"""What the clients of consumers publish: pull requests, acks, and answers to flow control requests.

Sources: nats-server consumer.go, ``nextReqFromMsg``, ``processAck``, ``ackReplyInfo``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from lattice_store.errors import ApiError, NoRespondersError
from lattice_store_sim._core._ack import Ack, Kind
from lattice_store_sim._core._control import read_header
from lattice_store_sim._core._durations import duration_of
from lattice_store_sim._core._profile import ServerProfile
from lattice_store_sim._core._pulls import PlainRequest, PullRequest, Refusal
from lattice_store_sim._core._requirement import lacks_api_level
from lattice_store_sim._core._server import SimCore
from lattice_store_sim._wire._json import decode, lenient
from lattice_store_sim._wire._routes import Request, Route

_ACK: Final = "$JS.ACK."
_FLOW_CONTROL: Final = "$JS.FC."
TO_CONSUMERS: Final = (_ACK, _FLOW_CONTROL)
"""How the subjects begin that consumers give their clients for answers."""
_ACK_TOKENS: Final = 7
"""Of an ack subject behind its prefix: stream, consumer, deliveries, both sequences, time, pending."""
_FLOW_CONTROL_TOKENS: Final = 3
_LAST_CONSUMER: Final = b"Nats-Last-Consumer"
_LAST_STREAM: Final = b"Nats-Last-Stream"
_NUMBER: Final = re.compile(rb"[+-]?[0-9]{1,18}")
_IMPOSSIBLE: Final = 2**64 - 1
"""What the server reads from a token that is no number."""
_WHOLE: Final[Mapping[bytes, Kind]] = {b"": "ack", b"+ACK": "ack", b"+OK": "ack", b"+WPI": "progress"}


# -- pull requests ----------------------------------------------------------------------------------


def _pull_request(payload: bytes, profile: ServerProfile) -> PullRequest | Refusal:
    """Return what is asked for; what is neither JSON nor a number asks for one message."""
    body = payload.strip()
    if body.startswith(b"{"):
        try:
            return decode(body, PullRequest, lenient(profile))
        except ApiError as error:
            return Refusal(400, f"Bad Request - json: {error.description.removeprefix('invalid JSON: ')}")
    return PlainRequest(batch=int(body) if _NUMBER.fullmatch(body) else 1)


def _next(core: SimCore, request: Request, stream: str, consumer: str) -> None:
    context = core.context
    try:
        wanted = _pull_request(request.payload, context.profile)
        if context.profile.api_level_checked and lacks_api_level(request.headers, context.profile):
            wanted = Refusal(412, "Required Api Level")
        core.pull_next(stream, consumer, wanted, request.reply, now_ns=request.now_ns)
    except NoRespondersError:
        if context.profile.served_apart:
            context.tell_unheard(request.subject, request.reply)


ROUTES: Final = (Route("CONSUMER.MSG.NEXT", 2, _next),)


# -- acks and flow control --------------------------------------------------------------------------


def tell_consumer(core: SimCore, request: Request) -> None:
    """Take what is sent to a subject that a consumer gave its client for answers."""
    try:
        if request.subject.startswith(_ACK):
            _acknowledge(core, request)
        else:
            _answer_flow_control(core, request)
    except NoRespondersError:
        core.context.tell_unheard(request.subject, request.reply)


def _acknowledge(core: SimCore, request: Request) -> None:
    tokens = request.subject.removeprefix(_ACK).split(".")
    if len(tokens) != _ACK_TOKENS:
        raise NoRespondersError(f"no consumer listens to {request.subject}")
    stream, consumer, *place = tokens
    deliveries, sequence, consumer_sequence = map(_sequence, place[:3])
    ack = _ack(request.payload, sequence, consumer_sequence, deliveries, core.context.profile)
    core.ack(stream, consumer, ack, request.reply, now_ns=request.now_ns)


def _sequence(token: str) -> int:
    return int(token) if token.isascii() and token.isdigit() else _IMPOSSIBLE


def _ack(payload: bytes, sequence: int, consumer_sequence: int, deliveries: int, profile: ServerProfile) -> Ack:
    kind: Kind = _WHOLE.get(payload, "unknown")
    request, delay_ns, reason = None, None, ""
    if payload.startswith(b"+NXT"):
        kind, request = "next", _pull_request(payload[4:], profile)
    elif payload.startswith(b"-NAK"):
        kind, delay_ns = "nak", _delay_ns(payload[4:].strip())
    elif payload == b"+TERM" or (payload.startswith(b"+TERM") and profile.terms_have_reasons):
        kind, reason = "term", payload[5:].strip().decode(errors="replace")
    return Ack(kind, sequence, consumer_sequence, deliveries, delay_ns, request, reason)


def _delay_ns(argument: bytes) -> int | None:
    """Return the delay of a nak; without one, or with one that cannot be read, it has none."""
    if not argument.startswith(b"{"):
        return duration_of(argument.decode("utf-8", "replace")) if argument else None
    try:
        options: Any = json.loads(argument)
    except ValueError:
        return None
    delay = options.get("delay", 0)
    return delay if isinstance(delay, int) else None


def _answer_flow_control(core: SimCore, request: Request) -> None:
    tokens = request.subject.removeprefix(_FLOW_CONTROL).split(".")
    if len(tokens) != _FLOW_CONTROL_TOKENS:
        raise NoRespondersError(f"no consumer listens to {request.subject}")
    last = _told(request.headers, _LAST_CONSUMER), _told(request.headers, _LAST_STREAM)
    core.answer_flow_control(tokens[0], tokens[1], request.subject, last=last, now_ns=request.now_ns)


def _told(headers: bytes, name: bytes) -> int:
    """Return the sequence that a header tells, 0 if it tells none."""
    text = read_header(headers, name)
    return int(text) if text.isdigit() else 0
