"""The consumers of one stream: made, changed, paused and ended as requests ask for it.

Sources: nats-server consumer.go, ``addConsumerWithAssignment``; stream.go, ``partitionUnique``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec

from lattice_store.errors import ApiError, api_error
from lattice_store.subjects import covers, overlap
from lattice_store_sim._core import _consumer_defaults, _consumer_rules, _consumer_updates
from lattice_store_sim._core._consumer_config import ConsumerConfig
from lattice_store_sim._core._names import is_asset_name
from lattice_store_sim._core._stream_config import ConsumerLimits

if TYPE_CHECKING:
    from lattice_store_sim._core._consumer import Consumer
    from lattice_store_sim._core._consumer_info import ConsumerInfo
    from lattice_store_sim._core._stream import Stream

Action = Literal["", "create", "update"]
"""What a request insists on: neither, that the consumer is new or equal, or that there is one."""

_LONGEST_NAME: Final = 255
_NAME_LENGTH: Final = 8


def find(stream: Stream, name: str) -> Consumer:
    """Return a consumer of the stream.

    Raises:
        ApiError: there is none of that name.
    """
    consumer = stream.consumers.at_hand(name)
    if consumer is None:
        raise api_error(404, 10014, "consumer not found")
    return consumer


def sourcing(stream: Stream) -> dict[str, ConsumerInfo]:
    """Return the consumers by which other streams take from this one, as far as they are seen."""
    infos = (feed.consumer for feed in stream.followers)
    return {info.name: info for info in infos if info is not None}


def put(stream: Stream, config: ConsumerConfig, action: Action, *, pedantic: bool, now_ns: int) -> Consumer:
    """Create the consumer that *config* names, or change it.

    Args:
        stream: whose consumer it is.
        config: as requested; without a name the consumer gets one.
        action: what the request insists on.
        pedantic: refuse what would have to be corrected.
        now_ns: the time.

    Raises:
        ApiError: refused.
        NotSimulatedError: a server would do it.
    """
    profile, limits = stream.context.profile, stream.config.consumer_limits
    existing = stream.consumers.at_hand(config.durable_name or config.name)
    if existing is not None:
        config = msgspec.structs.replace(config, pause_until=existing.config.pause_until)
    if pedantic:
        _consumer_defaults.refuse_corrections(config, limits, profile)
    config = _consumer_defaults.normalise(config, limits, profile, pedantic=pedantic)
    _consumer_rules.check(config, stream.config, profile)
    if existing is not None:
        _update(stream, existing, config, must_be_equal=action == "create", now_ns=now_ns)
        return existing
    if action == "update":
        raise api_error(400, 10149, "consumer does not exist")
    return _create(stream, config, now_ns)


def _create(stream: Stream, config: ConsumerConfig, now_ns: int) -> Consumer:
    if 0 < stream.config.max_consumers <= len(stream.consumers) + len(stream.cursors):
        raise api_error(400, 10026, "maximum consumers limit reached")
    if stream.config.retention == "workqueue":
        _check_workqueue(stream, config)
    if len(config.durable_name.encode()) > _LONGEST_NAME:
        raise api_error(400, 10102, f"consumer name is too long, maximum allowed is {_LONGEST_NAME}")
    name = config.durable_name or config.name or _new_name(stream)
    if not is_asset_name(name, slashes=True):
        raise api_error(400, 10103, "durable name can not contain '.', '*', '>'")
    if len(name.encode()) > _LONGEST_NAME and stream.config.storage == "file" and not config.mem_storage:
        raise api_error(500, 10012, "error creating store for consumer")  # no file may be called so
    _consumer_rules.refuse_unsimulated(config)
    settled = _consumer_defaults.settle_threshold(config, durable=bool(config.durable_name))
    return stream.add_consumer(name, settled, now_ns)


def _check_workqueue(stream: Stream, config: ConsumerConfig) -> None:
    start_first = stream.context.profile.workqueue_start_first
    if config.ack_policy not in ("explicit", "flow_control"):
        raise api_error(400, 10098, "workqueue stream requires explicit ack")
    if start_first:
        _check_workqueue_start(config)
    if stream.consumers and not config.filters:
        raise api_error(400, 10099, "multiple non-filtered consumers not allowed on workqueue stream")
    _check_apart(stream, config)
    if not start_first:
        _check_workqueue_start(config)


def _check_workqueue_start(config: ConsumerConfig) -> None:
    if config.deliver_policy != "all":
        raise api_error(400, 10101, "consumer must be deliver all on workqueue stream")


def _check_apart(stream: Stream, config: ConsumerConfig) -> None:
    """Refuse filters that ask for what another consumer of the work queue gets."""
    own_name = config.durable_name or config.name
    others = (other.config.filters or (">",) for name, other in stream.consumers.items() if name != own_name)
    clash = _one_within_other if stream.context.profile.workqueue_filters_may_cross else overlap
    if any(clash(mine, theirs) for filters in others for theirs in filters for mine in config.filters):
        raise api_error(400, 10100, "filtered consumer not unique on workqueue stream")


def _one_within_other(left: str, right: str) -> bool:
    return covers(left, right) or covers(right, left)


def _new_name(stream: Stream) -> str:
    """Return eight letters and digits that no consumer of the stream is called; the same ones in every run."""
    name = ""
    while not name or name in stream.consumers:
        name = stream.context.new_name(_NAME_LENGTH)
    return name


def _update(stream: Stream, consumer: Consumer, config: ConsumerConfig, *, must_be_equal: bool, now_ns: int) -> None:
    old, profile, interest = consumer.config, stream.context.profile, stream.context.interest
    if must_be_equal and config != old:
        raise api_error(400, 10148, "consumer already exists")
    if stream.config.retention == "workqueue" and profile.workqueue_updates_checked:
        _check_apart(stream, config)
    _consumer_updates.check_update(old, config, profile, is_bound=lambda: interest.has(old.deliver_subject))
    _consumer_rules.refuse_unsimulated(config)
    if config.inactive_threshold != old.inactive_threshold:
        config = _consumer_defaults.settle_threshold(config, durable=bool(old.durable_name))
    consumer.update(config, now_ns)


def check_stream_update(stream: Stream, limits: ConsumerLimits) -> None:
    """Refuse limits that a consumer of the stream does not keep.

    Raises:
        ApiError: names the consumers.
    """
    configs = {name: consumer.config for name, consumer in stream.consumers.items()}
    _consumer_updates.check_limits_update(stream.config.consumer_limits, limits, configs, stream.context.profile)


def reset(stream: Stream, name: str, sequence: int) -> int:
    """Let a consumer begin anew at a sequence, 0 for the one behind its ack floor; return where it begins.

    Raises:
        ApiError: there is none of that name, or its deliver policy forbids it.
    """
    consumer = find(stream, name)
    config = consumer.config
    if not sequence:
        sequence = consumer.acks.floor.stream_sequence + 1
    elif config.deliver_policy == "by_start_sequence":
        if sequence < config.opt_start_seq:
            raise _invalid_reset("below start seq")
    elif config.deliver_policy == "by_start_time" and config.opt_start_time is not None:
        if sequence < stream.log.first_since(config.opt_start_time):
            raise _invalid_reset("below start time")
    elif config.deliver_policy != "all":
        raise _invalid_reset("not allowed")
    consumer.reset(sequence)
    return sequence


def _invalid_reset(problem: str) -> ApiError:
    return api_error(400, 10204, f"invalid reset: {problem}")


def pause(stream: Stream, name: str, until_ns: int | None, now_ns: int) -> None:
    """Let a consumer deliver nothing until then; None or a time gone by resumes it.

    Raises:
        ApiError: there is none of that name.
    """
    consumer = find(stream, name)
    consumer.update(_consumer_defaults.pause(consumer.config, until_ns, stream.context.profile), now_ns)


def unpin(stream: Stream, name: str, group: str, now_ns: int) -> None:
    """Take the pin of a consumer from whoever has it.

    Raises:
        ApiError: there is none of that name, or it has no such group.
    """
    consumer = find(stream, name)
    if group not in consumer.config.priority_groups:
        raise api_error(400, 10160, "Provided priority group does not exist for this consumer")
    consumer.unpin(group, now_ns)


def delete(stream: Stream, name: str, now_ns: int) -> None:
    """End a consumer; who waits for its messages is told.

    Raises:
        ApiError: there is none of that name.
    """
    stream.remove_consumer(find(stream, name), now_ns)
