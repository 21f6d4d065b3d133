"""What the server makes of a consumer configuration before it looks at it: corrections and defaults.

Sources: nats-server consumer.go, ``setConsumerConfigDefaults``, ``updateInactiveThreshold``; jetstream_versioning.go,
``setStaticConsumerMetadata``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from lattice_store.errors import api_error
from lattice_store.limits import SECOND_NS
from lattice_store_sim._core._consumer_config import ConsumerConfig
from lattice_store_sim._core._metadata import with_required_level
from lattice_store_sim._core._profile import ServerProfile
from lattice_store_sim._core._stream_config import ConsumerLimits

DEFAULT_ACK_WAIT_NS: Final = 30 * SECOND_NS
DEFAULT_INACTIVE_THRESHOLD_NS: Final = 5 * SECOND_NS
_DEFAULT_MAX_WAITING: Final = 512
_DEFAULT_MAX_ACK_PENDING: Final = 1000
_DEFAULT_PIN_NS: Final = 120 * SECOND_NS

# setting, what a number below it becomes, what a pedantic request is told
_LOWEST: Final = (
    ("max_deliver", -1, "max_deliver must be set to -1"),
    ("max_waiting", 0, "max_waiting must not be negative"),
    ("max_ack_pending", -1, "max_ack_pending must be set to -1"),
    ("max_batch", 0, "max_batch must not be negative"),
    ("max_expires", 0, "max_expires must not be negative"),
    ("max_bytes", 0, "max_bytes must not be negative"),
    ("idle_heartbeat", 0, "idle_heartbeat must not be negative"),
    ("inactive_threshold", 0, "inactive_threshold must not be negative"),
    ("priority_timeout", 0, "priority_timeout must not be negative"),
)
_PEDANTIC: Final[tuple[tuple[Callable[[ConsumerConfig, ConsumerLimits], bool], str], ...]] = (
    (
        lambda config, _limits: bool(config.backoff) and _ack_wait(config) != config.backoff[0],
        "first backoff value has to equal batch AckWait",
    ),
    (
        lambda config, limits: config.max_ack_pending == 0 < limits.max_ack_pending,
        "max_ack_pending must be set if it's configured in stream limits",
    ),
    (
        lambda config, limits: config.inactive_threshold == 0 < limits.inactive_threshold,
        "inactive_threshold must be set if it's configured in stream limits",
    ),
)


def refuse_corrections(config: ConsumerConfig, limits: ConsumerLimits, profile: ServerProfile) -> None:
    """Refuse what `normalise` would correct, as a pedantic request asks for.

    Raises:
        ApiError: with the server's text.
    """
    if profile.low_consumer_numbers_raised:
        for name, lowest, text in _LOWEST:
            if getattr(config, name) < lowest:
                raise api_error(400, 10157, f"pedantic mode: {text}")
        config = _raise_low_numbers(config)
    for corrected, text in _PEDANTIC:
        if corrected(config, limits):
            raise api_error(400, 10157, f"pedantic mode: {text}")


def normalise(
    config: ConsumerConfig, limits: ConsumerLimits, profile: ServerProfile, *, pedantic: bool = False
) -> ConsumerConfig:
    """Fill in the server's defaults and what the stream's *limits* say; a *pedantic* request gets less help."""
    if profile.low_consumer_numbers_raised:
        config = _raise_low_numbers(config)
    if config.ack_policy == "flow_control" and not pedantic:
        config = msgspec.structs.replace(config, flow_control=True, idle_heartbeat=SECOND_NS)
    acknowledged = config.ack_policy != "none"
    return msgspec.structs.replace(
        config,
        deliver_policy="all" if config.deliver_policy == "undefined" else config.deliver_policy,
        max_deliver=config.max_deliver or -1,
        max_waiting=config.max_waiting or (0 if config.deliver_subject else _DEFAULT_MAX_WAITING),
        ack_wait=config.backoff[0] if config.backoff else _ack_wait(config),
        max_ack_pending=config.max_ack_pending
        or limits.max_ack_pending
        or (_DEFAULT_MAX_ACK_PENDING if acknowledged else 0),
        inactive_threshold=config.inactive_threshold or limits.inactive_threshold,
        priority_timeout=config.priority_timeout
        or (_DEFAULT_PIN_NS if config.priority_policy == "pinned_client" else 0),
        metadata=_stamped(config, profile),
    )


def pause(config: ConsumerConfig, until_ns: int | None, profile: ServerProfile) -> ConsumerConfig:
    """Return the configuration of a consumer paused until then, or not at all."""
    paused = msgspec.structs.replace(config, pause_until=until_ns)
    return msgspec.structs.replace(paused, metadata=_stamped(paused, profile))


def settle_threshold(config: ConsumerConfig, *, durable: bool) -> ConsumerConfig:
    """Give a consumer that is not *durable* an end: without one it vanishes when nobody has asked for it for 5 s."""
    if durable or config.inactive_threshold > 0:
        return config
    return msgspec.structs.replace(config, inactive_threshold=DEFAULT_INACTIVE_THRESHOLD_NS)


def _raise_low_numbers(config: ConsumerConfig) -> ConsumerConfig:
    return msgspec.structs.replace(
        config, **{name: max(getattr(config, name), lowest) for name, lowest, _text in _LOWEST}
    )


def _ack_wait(config: ConsumerConfig) -> int:
    return config.ack_wait or (DEFAULT_ACK_WAIT_NS if config.ack_policy in ("explicit", "all") else 0)


def _stamped(config: ConsumerConfig, profile: ServerProfile) -> dict[str, str]:
    return with_required_level(config.metadata, _required_level(config), profile) or {}


def _required_level(config: ConsumerConfig) -> int:
    if config.ack_policy == "flow_control":
        return 4
    uses_priority = config.priority_policy != "none" or config.priority_timeout != 0 or bool(config.priority_groups)
    return 1 if config.pause_until is not None or uses_priority else 0
