"""Our values to and from the server's JSON and ack subjects. Pure.

"No limit" is ``None`` with us and ``-1`` or ``0`` on the wire; times are whole nanoseconds with us and
RFC 3339 with nine decimals on the wire. Settings without a name here travel in `StreamConfig.other`.
"""

from __future__ import annotations

import base64
import enum
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

import msgspec

from lattice_store.errors import ApiError, InvalidArgumentError, NotSupportedError, api_error
from lattice_store.headers import Headers
from lattice_store.limits import SECOND_NS
from lattice_store.model import (
    Compression,
    DeliverAll,
    DeliverFromSequence,
    DeliverFromTime,
    DeliverLast,
    DeliverLastPerSubject,
    DeliverNew,
    DeliverPolicy,
    DiscardPolicy,
    Message,
    PubAck,
    RetentionPolicy,
    StorageType,
    StreamConfig,
    StreamInfo,
    StreamState,
)

encode_json: Final = msgspec.json.Encoder().encode

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ZERO_TIME: Final = "0001-01-01T00:00:00Z"  # Go's time.Time{}
_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")

# None is -1 on the wire; the names are the same
_LIMITS: Final = ("max_msgs", "max_bytes", "max_msgs_per_subject", "max_msg_size", "max_consumers")
# our attribute -> wire name; None is 0 on the wire
_DURATIONS: Final = {"max_age_ns": "max_age", "duplicate_window_ns": "duplicate_window"}
# our attribute -> wire name
_SWITCHES: Final = {
    "discard_new_per_subject": "discard_new_per_subject",
    "no_ack": "no_ack",
    "allow_direct": "allow_direct",
    "allow_rollup": "allow_rollup_hdrs",
    "deny_delete": "deny_delete",
    "deny_purge": "deny_purge",
    "sealed": "sealed",
}
_ENUMS: Final[dict[str, type[enum.Enum]]] = {
    "retention": RetentionPolicy,
    "storage": StorageType,
    "discard": DiscardPolicy,
    "compression": Compression,
}
_INTERPRETED: Final = frozenset(
    {"name", "subjects", "description", "num_replicas", "metadata"}
    | {*_LIMITS, *_DURATIONS.values(), *_SWITCHES.values(), *_ENUMS}
)

_E = TypeVar("_E", bound=enum.Enum)


# -- times ------------------------------------------------------------------------------------------


def time_to_ns(text: str) -> int | None:
    """Return nanoseconds since 1970 for the server's *text*; ``None`` for its zero time.

    Raises:
        ValueError: it is not RFC 3339.
    """
    if text == _ZERO_TIME:
        return None
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not an RFC 3339 time")
    whole, decimals, zone = found.groups()
    seconds = (datetime.fromisoformat(whole + zone) - _EPOCH) // timedelta(seconds=1)
    return seconds * SECOND_NS + int((decimals or "").ljust(9, "0"))


def ns_to_time(time_ns: int) -> str:
    """Return RFC 3339 in UTC with nine decimals.

    Raises:
        InvalidArgumentError: before year 1 or after year 9999.
    """
    seconds, rest = divmod(time_ns, SECOND_NS)
    try:
        whole = _EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        raise InvalidArgumentError(f"time_ns={time_ns} is not within the years 1 to 9999") from None
    return f"{whole.replace(tzinfo=None).isoformat()}.{rest:09}Z"


# -- streams ----------------------------------------------------------------------------------------


def config_to_wire(config: StreamConfig) -> dict[str, Any]:
    """Return the JSON object of a stream configuration, as CREATE and UPDATE take it."""
    wire: dict[str, Any] = {"name": config.name, "num_replicas": config.num_replicas}
    if config.subjects:
        wire["subjects"] = list(config.subjects)
    if config.description is not None:
        wire["description"] = config.description
    if config.metadata:
        wire["metadata"] = dict(config.metadata)
    for name in _LIMITS:
        value = getattr(config, name)
        wire[name] = -1 if value is None else value
    for ours, theirs in _DURATIONS.items():
        wire[theirs] = getattr(config, ours) or 0
    for ours, theirs in _SWITCHES.items():
        wire[theirs] = getattr(config, ours)
    for name in _ENUMS:
        wire[name] = getattr(config, name).value
    return {**config.other, **wire}


def config_from_wire(wire: Mapping[str, Any]) -> StreamConfig:
    """Return the configuration in a server's answer. What is off by default and off is left out of ``other``.

    Raises:
        NotSupportedError: a policy this library has no name for.
    """
    metadata = wire.get("metadata") or {}
    plain: dict[str, Any] = {name: _limit(wire.get(name)) for name in _LIMITS}
    plain |= {ours: _limit(wire.get(theirs)) for ours, theirs in _DURATIONS.items()}
    plain |= {ours: bool(wire.get(theirs)) for ours, theirs in _SWITCHES.items()}
    return StreamConfig(
        name=wire["name"],
        subjects=tuple(wire.get("subjects") or ()),
        description=wire.get("description") or None,
        num_replicas=wire.get("num_replicas") or 1,
        metadata={name: value for name, value in metadata.items() if not name.startswith("_nats.")},
        retention=_enum(RetentionPolicy, wire, "retention", RetentionPolicy.LIMITS),
        storage=_enum(StorageType, wire, "storage", StorageType.FILE),
        discard=_enum(DiscardPolicy, wire, "discard", DiscardPolicy.OLD),
        compression=_enum(Compression, wire, "compression", Compression.NONE),
        other={name: value for name, value in wire.items() if name not in _INTERPRETED and value},
        **plain,
    )


def _limit(value: int | None) -> int | None:
    return value if value is not None and value > 0 else None


def _enum(kind: type[_E], wire: Mapping[str, Any], name: str, default: _E) -> _E:
    value = wire.get(name, default.value)
    try:
        return kind(value)
    except ValueError:
        raise NotSupportedError(
            f"stream {wire['name']} has {name} {value!r}, which this library does not know"
        ) from None


def state_from_wire(wire: Mapping[str, Any]) -> StreamState:
    """Return the state in a server's answer."""
    messages = wire["messages"]
    return StreamState(
        messages=messages,
        bytes=wire["bytes"],
        first_sequence=wire["first_seq"],
        first_time_ns=time_to_ns(wire["first_ts"]) if messages else None,  # 2.10 leaves an old one on an emptied stream
        last_sequence=wire["last_seq"],
        last_time_ns=time_to_ns(wire["last_ts"]),
        num_subjects=wire.get("num_subjects", 0),
        num_deleted=wire.get("num_deleted", 0),
        consumer_count=wire.get("consumer_count", 0),
    )


def info_from_wire(wire: Mapping[str, Any]) -> StreamInfo:
    """Return what the answers to CREATE, UPDATE and INFO say about a stream."""
    return StreamInfo(
        config=config_from_wire(wire["config"]),
        created_ns=time_to_ns(wire["created"]) or 0,
        state=state_from_wire(wire["state"]),
    )


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


ACK_PREFIX: Final = "$JS.ACK."


def delivery_from_ack(reply: str) -> tuple[int, int, int, int]:
    """Return sequence, consumer sequence, time in nanoseconds and pending, as the ack subject of a message has them.

    It has nine tokens, or eleven and more with domain and account in front (nats-server's version 2 of it).

    Raises:
        ValueError: it has another shape.
    """
    tokens = reply.split(".")
    if len(tokens) == 9:
        _, _, _, _, _, sequence, consumer_sequence, time_ns, pending = tokens
    elif len(tokens) >= 11:
        sequence, consumer_sequence, time_ns, pending = tokens[7:11]
    else:
        raise ValueError(f"ack subject {reply!r} has {len(tokens)} tokens")
    return int(sequence), int(consumer_sequence), int(time_ns), int(pending)


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
