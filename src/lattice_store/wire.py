"""Our values as the server's JSON has them: times, stream configurations and states. Pure.

"No limit" is ``None`` with us and ``-1`` or ``0`` on the wire; times are whole nanoseconds with us and
RFC 3339 with nine decimals on the wire. Settings without a name here travel in `StreamConfig.other`.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from lattice_store.errors import InvalidArgumentError, NotSupportedError
from lattice_store.limits import SECOND_NS
from lattice_store.model import (
    Compression,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
    StreamInfo,
    StreamState,
)

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
