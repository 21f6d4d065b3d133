"""What a message must pass that is to be published later, or that says to end such a schedule (stream.go)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from lattice_store.errors import ApiError, api_error
from lattice_store.headers import Headers
from lattice_store.model import Message
from lattice_store.subjects import is_literal, overlap
from lattice_store_sim._core import _control as names
from lattice_store_sim._core._control import Control, read_header, with_one_more
from lattice_store_sim._core._names import is_subject
from lattice_store_sim._core._profile import ServerProfile
from lattice_store_sim._core._schedule import schedule_of
from lattice_store_sim._core._stream_config import StreamConfig
from lattice_store_sim._core._ttl import ttl_of

PURGE: Final = b"purge"
"""The value of Nats-Schedule-Next that ends a schedule."""
_ROLLUP: Final = b"sub"


def check_schedule(config: StreamConfig, profile: ServerProfile, message: Message, control: Control) -> Message | None:
    """Return the message to be stored in place of one with a schedule: it replaces the one before it.

    Args:
        config: of the stream.
        profile: the server's.
        message: it has a header that only schedules have.
        control: its control headers, which get what the message gets.

    Raises:
        ApiError: refused.
    """
    block = message.headers.block
    try:
        schedule = schedule_of(block, message.time_ns, message.time_ns, profile)
    except ApiError:
        if config.allow_msg_schedules:
            raise
        raise _disabled() from None
    if schedule is None:
        return None
    if not config.allow_msg_schedules:
        raise _disabled()
    _check_wishes(config, profile, message, block)
    return _rolled_up(message, control)


def _disabled() -> ApiError:
    return api_error(400, 10188, "message schedules is disabled")


def _check_wishes(config: StreamConfig, profile: ServerProfile, message: Message, block: bytes) -> None:
    """Check what is to become of the message when its time comes."""
    ttl = read_header(block, names.SCHEDULE_TTL)
    if ttl and ttl_of(ttl) is None:
        raise api_error(400, 10191, "message schedules invalid per-message TTL")
    if profile.schedules_repeat and read_header(block, names.SCHEDULE_ROLLUP) not in (b"", _ROLLUP):
        raise _bad_rollup()
    if ttl and not config.allow_msg_ttl:
        raise api_error(400, 10166, "per-message TTL is disabled")
    target = _text(read_header(block, names.SCHEDULE_TARGET))
    source = _text(read_header(block, names.SCHEDULE_SOURCE)) if profile.schedules_repeat else ""
    bad_target = api_error(400, 10190, "message schedules target is invalid")
    bad_source = api_error(400, 10203, "message schedules source is invalid")
    if not _is_literal(target) or target == message.subject:
        raise bad_target
    if source and (source in (target, message.subject) or not _is_literal(source)):
        raise bad_source
    if not _captures(config, target):
        raise bad_target
    if source and not _captures(config, source):
        raise bad_source


def _bad_rollup() -> ApiError:
    return api_error(400, 10192, "message schedules invalid rollup")


def _rolled_up(message: Message, control: Control) -> Message | None:
    rollup = control.get(names.ROLLUP, b"").lower()
    if rollup == _ROLLUP:
        return None
    if rollup:
        raise _bad_rollup()
    control[names.ROLLUP] = _ROLLUP
    block = with_one_more(message.headers.block, names.ROLLUP, _ROLLUP)
    return msgspec.structs.replace(message, headers=Headers.from_block(block))


def check_end(
    config: StreamConfig, profile: ServerProfile, subject: str, control: Control, is_other: Callable[[str], bool]
) -> None:
    """Check what says that it has come from a schedule, which clients may only say to end one.

    Args:
        config: of the stream.
        profile: the server's; earlier ones let pass what makes no sense.
        subject: the message's.
        control: its control headers.
        is_other: whether a subject's last message is no schedule.

    Raises:
        ApiError: refused.
    """
    scheduler = _text(control.get(names.SCHEDULER, b""))
    ends = control.get(names.SCHEDULE_NEXT) == PURGE
    bad = api_error(400, 10212, "message schedules invalid scheduler")
    if profile.schedulers_checked and (not ends or scheduler == subject or not _is_literal(scheduler)):
        raise bad
    if ends and not config.allow_msg_schedules:
        raise _disabled()
    if profile.schedulers_checked and is_other(scheduler):
        raise bad


def has_schedule(message: Message) -> bool:
    return bool(read_header(message.headers.block, names.SCHEDULE))


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")


def _is_literal(subject: str) -> bool:
    return is_subject(subject) and is_literal(subject)


def _captures(config: StreamConfig, subject: str) -> bool:
    return any(overlap(subject, each) for each in config.subjects)
