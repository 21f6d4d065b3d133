"""The consumer that a server makes at the origin of a mirror or source.

At an origin that keeps messages by limits nobody sees it. Where messages go once they are taken it is a durable consumer
from 2.14 on, which is counted and listed (nats-server jetstream_api.go, ``jsConsumerCreateRequest``; consumer.go,
``createSourcingConsumerHash``).
"""

from __future__ import annotations

import string
from hashlib import sha256
from typing import Final

import msgspec

from lattice_store.limits import SECOND_NS
from lattice_store_sim._core import _consumer_defaults, _consumer_rules
from lattice_store_sim._core._consumer_config import ConsumerConfig, TimeNs
from lattice_store_sim._core._context import Context
from lattice_store_sim._core._names import letters
from lattice_store_sim._core._profile import ServerProfile
from lattice_store_sim._core._stream_config import StreamConfig, StreamSource

HEARTBEAT_NS: Final = SECOND_NS
_ACCOUNT: Final = "$G"
_DIGITS: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_HASH_LENGTH: Final = 8
_HIDDEN: Final = ConsumerConfig(
    name="JS_SRC",
    deliver_subject="$JS.S",
    ack_wait=22 * 3600 * SECOND_NS,
    max_deliver=1,
    idle_heartbeat=HEARTBEAT_NS,
    flow_control=True,
    direct=True,
    inactive_threshold=10 * SECOND_NS,
)
_SHOWN: Final = ConsumerConfig(
    ack_policy="flow_control", idle_heartbeat=HEARTBEAT_NS, flow_control=True, max_deliver=-1, sourcing=True
)


def consumer_at(source: StreamSource, sequence: int = 0, time_ns: TimeNs | None = None) -> ConsumerConfig:
    """Return the consumer for a source, from the start if not from a sequence or time."""
    return _with_start(_with_filters(_HIDDEN, source), sequence, time_ns)


def _with_filters(config: ConsumerConfig, source: StreamSource) -> ConsumerConfig:
    filters = tuple(each.src for each in source.subject_transforms)
    if len(filters) > 1:
        config = msgspec.structs.replace(config, filter_subjects=filters)
    only = filters[0] if len(filters) == 1 else source.filter_subject
    return msgspec.structs.replace(config, filter_subject=only)


def _with_start(config: ConsumerConfig, sequence: int, time_ns: TimeNs | None) -> ConsumerConfig:
    if sequence:
        return msgspec.structs.replace(config, deliver_policy="by_start_sequence", opt_start_seq=sequence)
    if time_ns is not None:
        return msgspec.structs.replace(config, deliver_policy="by_start_time", opt_start_time=time_ns)
    return config


def check(source: StreamSource, origin: StreamConfig, profile: ServerProfile) -> None:
    """Refuse what the origin refuses.

    Raises:
        ApiError: with its text.
    """
    config = _consumer_defaults.normalise(consumer_at(source), origin.consumer_limits, profile)
    _consumer_rules.check(config, origin, profile)


def shown_consumer(
    stream: StreamConfig, source: StreamSource, began: ConsumerConfig, context: Context, number: int
) -> ConsumerConfig:
    """Return how the consumer is shown at an origin that does not keep messages by limits.

    Args:
        stream: the mirror or the stream with the source.
        source: what it takes.
        began: where the consumer began.
        context: whose server it is.
        number: stands in for a throw of dice.
    """
    domain, profile = context.domain, context.profile
    mirrors = stream.mirror is not None
    what = "mirror" if mirrors else "src"
    name = f"JS_{what.upper()}_{_stable_hash(stream, source, domain)}"
    metadata = {f"_nats.{what}.stream": stream.name, f"_nats.{what}.acc": _ACCOUNT}
    if domain:
        metadata[f"_nats.{what}.domain"] = domain
    config = msgspec.structs.replace(
        _with_filters(_SHOWN, source),
        name=name,
        durable_name=name,
        deliver_subject=f"$JS.{'M' if mirrors else 'S'}.{letters(number)}",
        metadata=metadata,
        deliver_policy=began.deliver_policy,
        opt_start_seq=began.opt_start_seq,
        opt_start_time=began.opt_start_time,
    )
    return _consumer_defaults.normalise(config, stream.consumer_limits, profile)


def _stable_hash(stream: StreamConfig, source: StreamSource, domain: str) -> str:
    identified = _hash(" ".join(filter(None, (stream.name, _ACCOUNT, domain))))
    if stream.mirror is not None:
        return identified
    repeated = sum(each is not None and each.name == source.name for each in stream.sources or ()) > 1
    return _hash(f"{identified} {index_name(source)}" if repeated else identified)


def _hash(text: str) -> str:
    digest = sha256(text.encode()).digest()[:_HASH_LENGTH]
    return "".join(_DIGITS[byte % len(_DIGITS)] for byte in digest)


def index_name(source: StreamSource) -> str:
    """Return what tells one source from another."""
    name = source.name
    if source.external is not None:
        name = f"{name}:{_hash(source.external.api)}"
    if source.consumer is not None:
        name = f"{name}:C={_hash(source.consumer.name)}"
    mappings = source.subject_transforms
    if not mappings:
        return f"{name} {source.filter_subject or '>'} >"
    filters, destinations = (each.src or ">" for each in mappings), (each.dest or ">" for each in mappings)
    return " ".join((name, "\f".join(filters), "\f".join(destinations)))
