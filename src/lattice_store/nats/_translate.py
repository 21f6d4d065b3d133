"""Our values to and from the server's JSON and ack subjects, as far as only a client needs them. Pure."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from lattice_store.errors import ApiError, api_error
from lattice_store.headers import Headers
from lattice_store.model import (
    DeliverAll,
    DeliverFromSequence,
    DeliverFromTime,
    DeliverLast,
    DeliverLastPerSubject,
    DeliverNew,
    DeliverPolicy,
    Message,
    PubAck,
    StreamConfig,
)
from lattice_store.wire import ns_to_time, time_to_ns

encode_json: Final = msgspec.json.Encoder().encode


# -- messages and acks ------------------------------------------------------------------------------


class _WireError(msgspec.Struct):
    code: int = 0
    err_code: int = 0
    description: str = ""


class _WireAck(msgspec.Struct):
    stream: str = ""
    seq: int = 0
    duplicate: bool = False
    error: _WireError | None = None


_decode_ack: Final = msgspec.json.Decoder(_WireAck).decode
_ANSWER_TYPES: Final = "io.nats.jetstream.api."
_decode_object: Final = msgspec.json.Decoder(dict[str, Any]).decode


def ack_from_wire(payload: bytes) -> PubAck | ApiError:
    """Return the ack in *payload*, or the refusal.

    Raises:
        ValueError: it is neither; something other than JetStream answered.
    """
    wire = _decode_ack(payload)
    if wire.error is not None:
        return api_error(wire.error.code, wire.error.err_code, wire.error.description)
    if not wire.stream:
        raise ValueError("an ack without a stream")
    return PubAck(wire.stream, wire.seq, wire.duplicate)


def answer_from_wire(payload: bytes) -> dict[str, Any]:
    """Return the JSON object of an API answer.

    Raises:
        ApiError: the answer is a refusal.
        ValueError: it is not a JSON object, or none of JetStream's.
    """
    wire = _decode_object(payload)
    if not str(wire.get("type")).startswith(_ANSWER_TYPES):
        raise ValueError(f"a JSON object of type {wire.get('type')!r}")
    if error := wire.get("error"):
        raise api_error(error.get("code", 0), error.get("err_code", 0), error.get("description", ""))
    return wire


def message_from_wire(wire: Mapping[str, Any]) -> Message:
    """Return the stored message in an answer to MSG.GET."""
    return Message(
        subject=wire["subject"],
        sequence=wire["seq"],
        time_ns=time_to_ns(wire["time"]) or 0,
        headers=Headers.from_block(base64.b64decode(wire.get("hdrs", ""))),
        payload=base64.b64decode(wire.get("data", "")),
    )


# -- consumers --------------------------------------------------------------------------------------


ACK_PREFIX: Final = b"$JS.ACK."


def splits_of_ack(reply: bytes) -> int:
    """Return how often to split a message's ack subject from its end, to have what it says at 1 to 4 of the parts.

    Those are stream sequence, consumer sequence, time in nanoseconds and pending. The subject has nine tokens, or eleven
    and more with domain and account in front and chance behind (nats-server's version 2 of it).

    Raises:
        ValueError: it has another shape.
    """
    tokens = reply.count(b".") + 1
    if tokens == 9:
        return 4
    if tokens >= 11:
        return tokens - 7
    raise ValueError(f"ack subject {reply!r} has {tokens} tokens")


def told_by_ack(reply: bytes) -> tuple[int, int, int, int]:
    """Return what a message's ack subject says: stream sequence, consumer sequence, time in nanoseconds, pending.

    Raises:
        ValueError: it has another shape.
    """
    words = reply.rsplit(b".", splits_of_ack(reply))
    return int(words[1]), int(words[2]), int(words[3]), int(words[4])


def inactive_threshold(config: StreamConfig, wanted_ns: int) -> int:
    """Return *wanted_ns*, or less if the stream of *config* allows its consumers less: more is refused (10153)."""
    allowed_ns: int = config.other.get("consumer_limits", {}).get("inactive_threshold", 0)
    return min(wanted_ns, allowed_ns) if allowed_ns > 0 else wanted_ns


def deliver_to_wire(deliver: DeliverPolicy) -> dict[str, Any]:
    """Return the settings of a consumer that starts where *deliver* says."""
    match deliver:
        case DeliverAll():
            return {"deliver_policy": "all"}
        case DeliverNew():
            return {"deliver_policy": "new"}
        case DeliverLast():
            return {"deliver_policy": "last"}
        case DeliverLastPerSubject():
            return {"deliver_policy": "last_per_subject"}
        case DeliverFromSequence(sequence):
            return {"deliver_policy": "by_start_sequence", "opt_start_seq": sequence}
        case DeliverFromTime(time_ns):
            return {"deliver_policy": "by_start_time", "opt_start_time": ns_to_time(time_ns)}
