"""What an update may change of a consumer, and what a stream's update may ask of its consumers.

Sources: nats-server consumer.go, ``checkNewConsumerConfig``; stream.go, ``updateWithAdvisory``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from lattice_store.errors import ApiError, api_error
from lattice_store_sim._core._consumer_config import ConsumerConfig
from lattice_store_sim._core._profile import ServerProfile
from lattice_store_sim._core._stream_config import ConsumerLimits

# "direct" and "sourcing" are fixed too; no simulated consumer has them
_FIXED: Final = {
    "deliver_policy": "deliver policy",
    "mem_storage": "storage type",
    "opt_start_seq": "start sequence",
    "opt_start_time": "start time",
    "ack_policy": "ack policy",
    "replay_policy": "replay policy",
    "idle_heartbeat": "heart beats",
    "flow_control": "flow control",
}


def check_update(
    old: ConsumerConfig, new: ConsumerConfig, profile: ServerProfile, *, is_bound: Callable[[], bool]
) -> None:
    """Refuse a change the server would refuse.

    Args:
        old: what the consumer has.
        new: what it shall have, normalised and valid by itself.
        profile: the server.
        is_bound: whether anybody listens to the old deliver subject.

    Raises:
        ApiError: with the server's code and text.
    """
    if new == old:
        return
    for setting, name in _FIXED.items():
        if getattr(new, setting) != getattr(old, setting) and setting not in profile.changeable_in_consumers:
            raise _fixed(name)
        if setting == "opt_start_time" and new.opt_start_time is not None and profile.start_time_bars_updates:
            raise _fixed(name)
    if profile.max_waiting_compared_first:
        _check_max_waiting(old, new)
    if new.deliver_subject != old.deliver_subject:
        _check_deliver_subject(old, new, is_bound)
    _check_max_waiting(old, new)


def _fixed(name: str) -> ApiError:
    return api_error(500, 10012, f"{name} can not be updated")


def _check_max_waiting(old: ConsumerConfig, new: ConsumerConfig) -> None:
    if new.max_waiting != old.max_waiting:
        raise _fixed("max waiting")


def _check_deliver_subject(old: ConsumerConfig, new: ConsumerConfig, is_bound: Callable[[], bool]) -> None:
    if not old.deliver_subject:
        raise api_error(500, 10012, "can not update pull consumer to push based")
    if not new.deliver_subject:
        raise api_error(500, 10012, "can not update push consumer to pull based")
    if is_bound():
        raise api_error(400, 10013, "consumer name already in use")


def check_limits_update(
    old: ConsumerLimits, new: ConsumerLimits, consumers: Mapping[str, ConsumerConfig], profile: ServerProfile
) -> None:
    """Refuse limits of a stream that its *consumers*, by name, do not keep.

    Raises:
        ApiError: names them.
    """
    changed = [name for name in ("inactive_threshold", "max_ack_pending") if getattr(new, name) != getattr(old, name)]
    if profile.lifted_consumer_limits_ignored:
        changed = [name for name in changed if getattr(new, name) > 0]
    if not changed:
        return
    violators = [name for name, config in consumers.items() if _violates(config, new, profile)]
    if violators:
        raise api_error(500, 10069, f"change to limits violates consumers: {', '.join(violators)}")


def _violates(config: ConsumerConfig, limits: ConsumerLimits, profile: ServerProfile) -> bool:
    return any(
        getattr(config, name) > limit and (limit > 0 or not profile.lifted_consumer_limits_ignored)
        for name, limit in (
            ("inactive_threshold", limits.inactive_threshold),
            ("max_ack_pending", limits.max_ack_pending),
        )
    )
