"""What the server makes of a stream configuration: defaults, validation and update rules, in its order.

Sources: nats-server stream.go, ``checkStreamCfg`` and ``configUpdateCheck``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from lattice_store.errors import ApiError, NotSimulatedError, api_error
from lattice_store.limits import DEFAULT_DUPLICATE_WINDOW_NS, SECOND_NS
from lattice_store.subjects import covers, overlap
from lattice_store_sim._core._stream_config import StreamConfig

_SHORTEST_NS: Final = SECOND_NS // 10
_DESCRIPTION_BYTES: Final = 4096
_METADATA_BYTES: Final = 128 * 1024
_MOST_REPLICAS: Final = 5
_SERVER_METADATA: Final = "_nats."
_REQUEST_LEVEL_BYTES: Final = len("_nats.req.level0")  # the server adds this entry before it measures
_UNSIMULATED: Final = (
    "placement",
    "mirror",
    "sources",
    "subject_transform",
    "republish",
    "mirror_direct",
    "allow_msg_ttl",
    "subject_delete_marker_ttl",
    "allow_msg_counter",
    "allow_atomic",
    "allow_msg_schedules",
    "persist_mode",
    "allow_batched",
    "first_seq",
)

_Rule = tuple[Callable[[StreamConfig], bool], str]


def refuse_unsimulated(config: StreamConfig) -> None:
    """Refuse what a real server might do and the simulator does not.

    Raises:
        NotSimulatedError: names the setting.
    """
    if config.retention != "limits":
        raise NotSimulatedError(f"retention {config.retention!r} is not simulated, only 'limits'")
    for name in _UNSIMULATED:
        if getattr(config, name):
            raise NotSimulatedError(f"the stream setting {name!r} is not simulated")


def _limit(value: int) -> int:
    return value if value > 0 else -1


def normalise(config: StreamConfig) -> StreamConfig:
    """Fill in the server's defaults, so that equal behaviour is an equal configuration."""
    max_age = config.max_age or DEFAULT_DUPLICATE_WINDOW_NS
    return msgspec.structs.replace(
        config,
        subjects=config.subjects or (config.name,),
        max_msgs=_limit(config.max_msgs),
        max_bytes=_limit(config.max_bytes),
        max_msgs_per_subject=_limit(config.max_msgs_per_subject),
        max_msg_size=_limit(config.max_msg_size),
        max_consumers=_limit(config.max_consumers),
        num_replicas=config.num_replicas or 1,
        duplicate_window=config.duplicate_window or min(DEFAULT_DUPLICATE_WINDOW_NS, max_age),
        metadata={name: text for name, text in config.metadata.items() if not name.startswith(_SERVER_METADATA)},
    )


def _metadata_bytes(config: StreamConfig) -> int:
    return sum(len(name.encode()) + len(text.encode()) for name, text in config.metadata.items())


_RULES: Final[tuple[_Rule, ...]] = (
    (
        lambda config: len(config.description.encode()) > _DESCRIPTION_BYTES,
        f"stream description is too long, maximum allowed is {_DESCRIPTION_BYTES}",
    ),
    (
        lambda config: _metadata_bytes(config) + _REQUEST_LEVEL_BYTES > _METADATA_BYTES,
        f"stream metadata exceeds maximum size of {_METADATA_BYTES} bytes",
    ),
    (lambda config: config.num_replicas > _MOST_REPLICAS, f"maximum replicas is {_MOST_REPLICAS}"),
    (lambda config: 0 < config.max_age < _SHORTEST_NS, "max age needs to be >= 100ms"),
    (
        lambda config: 0 < config.max_age < config.duplicate_window,
        "duplicates window can not be larger then max age",
    ),
    (lambda config: config.duplicate_window < _SHORTEST_NS, "duplicates window needs to be >= 100ms"),
    (lambda config: config.deny_purge and config.allow_rollup_hdrs, "roll-ups require the purge permission"),
    (
        lambda config: config.discard_new_per_subject and config.discard != "new",
        "discard new per subject requires discard new policy to be set",
    ),
    (
        lambda config: config.discard_new_per_subject and config.max_msgs_per_subject <= 0,
        "discard new per subject requires max msgs per subject > 0",
    ),
)
_RESERVED: Final = (
    (("$JS.>", "$JSC.>", "$NRG.>"), "$JS.EVENT.>", "jetstream"),
    (("$SYS.>",), "$SYS.ACCOUNT.>", "system"),
)


def invalid(text: str) -> ApiError:
    """Return the refusal of a configuration."""
    return api_error(500, 10052, text)


def check(config: StreamConfig) -> None:
    """Refuse a normalised configuration that the server would refuse.

    Raises:
        ApiError: with the server's text.
    """
    if config.num_replicas < 0:
        raise api_error(400, 10133, "replicas count cannot be negative")
    for broken, text in _RULES:
        if broken(config):
            raise invalid(text)
    if not config.no_ack:
        for subject in config.subjects:
            _check_reserved(subject)


def check_replicas(config: StreamConfig, *, max_replicas: int) -> None:
    """Refuse replicas on a lone server; an update asks only once it has found the stream."""
    if config.num_replicas > max_replicas:
        raise api_error(500, 10074, "replicas > 1 not supported in non-clustered mode")


def _check_reserved(subject: str) -> None:
    if subject == ">":
        raise invalid("capturing all subjects requires no-ack to be true")
    for reserved, free, owner in _RESERVED:
        if any(overlap(subject, one) for one in reserved) and not covers(free, subject):
            raise invalid(f"subjects that overlap with {owner} api require no-ack to be true")


def check_update(old: StreamConfig, new: StreamConfig) -> None:
    """Refuse a change the server would refuse.

    Raises:
        ApiError: with the server's text.
    """
    if new.storage != old.storage:
        raise invalid("stream configuration update can not change storage type")
    if old.sealed and not new.sealed:
        raise invalid("stream configuration update can not unseal a sealed stream")
    if old.deny_delete and not new.deny_delete:
        raise invalid("stream configuration update can not cancel deny message deletes")
    if old.deny_purge and not new.deny_purge:
        raise invalid("stream configuration update can not cancel deny purge")


def seal(config: StreamConfig) -> StreamConfig:
    """Return what a sealed stream's configuration becomes."""
    return msgspec.structs.replace(
        config, max_age=0, discard="new", deny_delete=True, deny_purge=True, allow_rollup_hdrs=False
    )
