"""What an update may not change in a stream's configuration (nats-server stream.go, ``configUpdateCheck``)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec

from lattice_store.errors import api_error
from lattice_store_sim._core._profile import ServerProfile
from lattice_store_sim._core._stream_config import StreamConfig
from lattice_store_sim._core._subject_rules import invalid

_CHANGE: Final = "stream configuration update can not"
_MIRROR: Final = "stream mirror configuration can not be updated"


class _Case(NamedTuple):
    """What a stream has, what it shall have, and the server that judges."""

    old: StreamConfig
    new: StreamConfig
    profile: ServerProfile


_Broken = Callable[[_Case], object]


def _changed(name: str) -> _Broken:
    return lambda case: getattr(case.new, name) != getattr(case.old, name)


def _switched_off(name: str) -> _Broken:
    return lambda case: getattr(case.old, name) and not getattr(case.new, name)


def _workqueue_changed(case: _Case) -> bool:
    return case.new.retention != case.old.retention and "workqueue" in (case.old.retention, case.new.retention)


def _mirror_changed(case: _Case) -> bool:
    promoted = case.new.mirror is None and case.profile.mirrors_promoted
    return case.new.mirror != case.old.mirror and not promoted


_RULES: Final[tuple[tuple[_Broken, str], ...]] = (
    (
        lambda case: case.profile.max_consumers_fixed and case.new.max_consumers != case.old.max_consumers,
        f"{_CHANGE} change MaxConsumers",
    ),
    (_changed("storage"), f"{_CHANGE} change storage type"),
    (
        lambda case: case.profile.retention_fixed and case.new.retention != case.old.retention,
        f"{_CHANGE} change retention policy",
    ),
    (_workqueue_changed, f"{_CHANGE} change retention policy to/from workqueue"),
    (_switched_off("sealed"), f"{_CHANGE} unseal a sealed stream"),
    (_switched_off("deny_delete"), f"{_CHANGE} cancel deny message deletes"),
    (_switched_off("deny_purge"), f"{_CHANGE} cancel deny purge"),
    (_mirror_changed, _MIRROR),
    (
        lambda case: case.profile.republish_bound and case.new.republish != case.old.republish,
        f"{_CHANGE} change RePublish",
    ),
    (_switched_off("allow_msg_ttl"), "message TTL status can not be disabled"),
    (_changed("allow_msg_counter"), f"{_CHANGE} change message counter setting"),
    (_switched_off("allow_msg_schedules"), "message schedules can not be disabled"),
    (_changed("persist_mode"), f"{_CHANGE} change persist mode"),
)


def check_update(old: StreamConfig, new: StreamConfig, profile: ServerProfile) -> StreamConfig:
    """Return what the stream's configuration becomes; sealing brings more changes with it.

    Raises:
        ApiError: the server refuses the change, with its text.
    """
    for broken, text in _RULES:
        if broken(_Case(old, new, profile)):
            raise api_error(400, 10055, text) if text is _MIRROR else invalid(text)
    if not new.sealed:
        return new
    return msgspec.structs.replace(
        new, max_age=0, discard="new", deny_delete=True, deny_purge=True, allow_rollup_hdrs=False
    )
