"""What a consumer's configuration must pass, and what an update may change, in the server's order.

Sources: nats-server consumer.go, ``checkConsumerCfg`` and ``checkNewConsumerConfig``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NamedTuple

from lattice_store.errors import ApiError, NotSimulatedError, api_error
from lattice_store.limits import SECOND_NS
from lattice_store.subjects import covers, is_literal, overlap
from lattice_store_sim._core._consumer_config import ConsumerConfig
from lattice_store_sim._core._durations import duration_text
from lattice_store_sim._core._metadata import metadata_bytes
from lattice_store_sim._core._names import is_asset_name, is_subject
from lattice_store_sim._core._profile import ServerProfile
from lattice_store_sim._core._stream_config import StreamConfig

_DESCRIPTION_BYTES: Final = 4096
_METADATA_BYTES: Final = 128 * 1024
_SHORTEST_HEARTBEAT_NS: Final = SECOND_NS // 10
_SHORTEST_EXPIRES_NS: Final = SECOND_NS // 1000
GROUP_NAME: Final = re.compile(r"[a-zA-Z0-9/_=-]{1,16}")
_NUMBER: Final = re.compile(r"[+-]?[0-9]+")
_MOST: Final = 1 << 63
_FLOW_CONTROL_HEARTBEAT_NS: Final = SECOND_NS


class _Case(NamedTuple):
    """A normalised configuration, the stream it is for, and the server that judges."""

    config: ConsumerConfig
    stream: StreamConfig
    profile: ServerProfile


_Rule = tuple[Callable[[_Case], object], int, int, str]
"""Whether a case breaks the rule; code, err_code and text if it does."""

FILTER_OUTSIDE: Final = (400, 10093, "consumer filter subject is not a valid subset of the interest subjects")

_GROUP_RULE: Final = "must match A-Z, a-z, 0-9, -_/=)+ and may not exceed 16 characters"
BAD_GROUP_NAME: Final = (400, 10162, f"Valid priority group name {_GROUP_RULE}")


def _is_illegal(name: str) -> bool:
    return bool(name) and not is_asset_name(name, slashes=False)


def _backoff_too_long(config: ConsumerConfig, profile: ServerProfile) -> bool:
    steps = len(config.backoff)
    if profile.backoff_needs_more_deliveries:
        return 0 < steps >= config.max_deliver
    return steps > 0 and config.max_deliver != -1 and steps > config.max_deliver


_NAMES_AND_REPLICAS: Final[tuple[_Rule, ...]] = (
    (
        lambda case: case.profile.consumer_names_first and _is_illegal(case.config.name),
        *(500, 10052, "consumer name can not contain '.', '*', '>', '\\', '/'"),
    ),
    (
        lambda case: case.profile.consumer_names_first and _is_illegal(case.config.durable_name),
        *(500, 10052, "consumer durable name can not contain '.', '*', '>', '\\', '/'"),
    ),
    (
        lambda case: case.config.num_replicas > case.stream.num_replicas,
        *(400, 10126, "consumer config replica count exceeds parent stream"),
    ),
    (lambda case: case.config.num_replicas < 0, 400, 10133, "replicas count cannot be negative"),
    (
        lambda case: (
            case.stream.retention != "limits" and case.config.num_replicas not in (0, case.stream.num_replicas)
        ),
        *(400, 10134, "consumer config replicas must match interest retention stream's replicas"),
    ),
    (
        lambda case: case.profile.negative_waits_refused and any(wait < 0 for wait in case.config.backoff),
        *(400, 10184, "consumer backoff needs to be positive"),
    ),
    (
        lambda case: case.profile.negative_waits_refused and case.config.ack_wait < 0,
        *(400, 10183, "consumer ack wait needs to be positive"),
    ),
)
_FLOW_CONTROL: Final[tuple[_Rule, ...]] = (
    (
        lambda case: not case.config.deliver_subject,
        *(400, 10218, "flow control ack policy requires a push based consumer"),
    ),
    (lambda case: not case.config.flow_control, 400, 10219, "flow control ack policy requires flow control"),
    (
        lambda case: case.config.idle_heartbeat != _FLOW_CONTROL_HEARTBEAT_NS,
        *(500, 10052, "flow control ack policy heartbeat needs to be 1s"),
    ),
    (lambda case: case.config.max_ack_pending <= 0, 400, 10220, "flow control ack policy requires max ack pending"),
    (
        lambda case: case.config.ack_wait != 0 or case.config.backoff,
        *(400, 10221, "flow control ack policy requires unset ack wait"),
    ),
    (lambda case: case.config.max_deliver > 0, 400, 10222, "flow control ack policy requires unset max deliver"),
)
_DELIVERIES: Final[tuple[_Rule, ...]] = (
    (
        lambda case: _backoff_too_long(case.config, case.profile),
        *(400, 10116, "max deliver is required to be > length of backoff values"),
    ),
    (
        lambda case: len(case.config.description.encode()) > _DESCRIPTION_BYTES,
        *(400, 10107, f"consumer description is too long, maximum allowed is {_DESCRIPTION_BYTES}"),
    ),
)
_PUSH: Final[tuple[_Rule, ...]] = (
    (
        lambda case: not is_literal(case.config.deliver_subject),
        *(400, 10079, "consumer deliver subject has wildcards"),
    ),
    (
        lambda case: not is_subject(case.config.deliver_subject),
        *(400, 10112, "invalid push consumer deliver subject"),
    ),
    (
        lambda case: any(covers(subject, case.config.deliver_subject) for subject in case.stream.subjects),
        *(400, 10081, "consumer deliver subject forms a cycle"),
    ),
    (lambda case: case.config.max_waiting != 0, 400, 10080, "consumer in push mode can not set max waiting"),
    (
        lambda case: case.config.max_ack_pending > 0 and case.config.ack_policy == "none",
        *(400, 10082, "consumer requires ack policy for max ack pending"),
    ),
    (
        lambda case: 0 < case.config.idle_heartbeat < _SHORTEST_HEARTBEAT_NS,
        *(400, 10083, "consumer idle heartbeat needs to be >= 100ms"),
    ),
)
_PULL: Final[tuple[_Rule, ...]] = (
    (lambda case: case.config.rate_limit_bps > 0, 400, 10086, "consumer in pull mode can not have rate limit set"),
    (lambda case: case.config.max_waiting < 0, 400, 10087, "consumer max waiting needs to be positive"),
    (lambda case: case.config.idle_heartbeat > 0, 400, 10088, "consumer idle heartbeat requires a push based consumer"),
    (lambda case: case.config.flow_control, 400, 10089, "consumer flow control requires a push based consumer"),
    (lambda case: case.config.max_batch < 0, 400, 10114, "consumer max request batch needs to be > 0"),
    (
        lambda case: case.config.max_expires != 0 and case.config.max_expires < _SHORTEST_EXPIRES_NS,
        *(400, 10115, "consumer max request expires needs to be >= 1ms"),
    ),
)
_DIRECT: Final[tuple[_Rule, ...]] = (
    (lambda case: not case.config.deliver_subject, 400, 10090, "consumer direct requires a push based consumer"),
    (lambda case: case.config.durable_name, 400, 10091, "consumer direct requires an ephemeral consumer"),
)
_FILTERS: Final[tuple[_Rule, ...]] = (
    (
        lambda case: case.config.filter_subject and case.config.filter_subjects,
        *(400, 10136, "consumer cannot have both FilterSubject and FilterSubjects specified"),
    ),
    (
        lambda case: (
            case.profile.filters_outside_accepted
            and case.config.filter_subject
            and not is_subject(case.config.filter_subject)
        ),
        *(500, 10052, "invalid subject"),
    ),
    (
        lambda case: is_outside(case.config.filter_subject, case.stream.subjects, case.profile),
        *FILTER_OUTSIDE,
    ),
    (
        lambda case: "" in case.config.filter_subjects,
        *(400, 10139, "consumer filter in FilterSubjects cannot be empty"),
    ),
)
_REST: Final[tuple[_Rule, ...]] = (
    (
        lambda case: case.config.flow_control and case.config.idle_heartbeat == 0,
        *(400, 10108, "consumer with flow control also needs heartbeats"),
    ),
    (
        lambda case: case.config.durable_name and case.config.name not in ("", case.config.durable_name),
        *(400, 10132, "Consumer Durable and Name have to be equal if both are provided"),
    ),
    (
        lambda case: metadata_bytes(case.config.metadata) > _METADATA_BYTES,
        *(400, 10135, "consumer metadata exceeds maximum size of 128KB"),
    ),
)
_PRIORITY: Final[tuple[_Rule, ...]] = (
    (lambda case: case.config.deliver_subject, 400, 10178, "priority groups can not be used with push consumers"),
    (
        lambda case: not case.config.priority_groups,
        *(400, 10159, "Setting PriorityPolicy requires at least one PriorityGroup to be set"),
    ),
)
_NO_PRIORITY: Final[tuple[_Rule, ...]] = (
    (
        lambda case: case.profile.priority_needs_policy and case.config.priority_groups,
        *(400, 10196, "consumer can not have priority groups when policy is none"),
    ),
    (
        lambda case: case.profile.priority_needs_policy and case.config.priority_timeout > 0,
        *(400, 10197, "PinnedTTL cannot be set when PriorityPolicy is none"),
    ),
)


def check(config: ConsumerConfig, stream: StreamConfig, profile: ServerProfile) -> None:
    """Refuse a normalised configuration that the server would refuse.

    Raises:
        ApiError: with the server's code and text.
    """
    case = _Case(config, stream, profile)
    _apply(_NAMES_AND_REPLICAS, case)
    if config.ack_policy == "flow_control":
        _apply(_FLOW_CONTROL, case)
    _apply(_DELIVERIES, case)
    if config.deliver_subject:
        _apply(_PUSH, case)
    else:
        if config.ack_policy == "none" and stream.retention == "workqueue":
            raise api_error(400, 10084, profile.workqueue_pull_refusal)
        _apply(_PULL, case)
    _check_limits(config, stream)
    if config.direct:
        _apply(_DIRECT, case)
    _apply(_FILTERS, case)
    _check_filters(config, profile)
    _check_start(config)
    _check_sampling(config.sample_freq)
    _apply(_REST, case)
    if config.priority_policy == "none":
        _apply(_NO_PRIORITY, case)
    else:
        _apply(_PRIORITY, case)
        _check_groups(config)


def _apply(rules: tuple[_Rule, ...], case: _Case) -> None:
    for broken, code, err_code, text in rules:
        if broken(case):
            raise api_error(code, err_code, text)


def _check_limits(config: ConsumerConfig, stream: StreamConfig) -> None:
    limits = stream.consumer_limits
    if 0 < limits.max_ack_pending < config.max_ack_pending:
        raise api_error(400, 10121, f"consumer max ack pending exceeds system limit of {limits.max_ack_pending}")
    if 0 < limits.inactive_threshold < config.inactive_threshold:
        limit = duration_text(limits.inactive_threshold)
        raise api_error(400, 10153, f"consumer inactive threshold exceeds system limit of {limit}")


def is_outside(filter_: str, subjects: tuple[str, ...], profile: ServerProfile) -> bool:
    """Return whether the one filter of a consumer can match nothing of the stream, where that is refused."""
    if profile.filters_outside_accepted or not filter_:
        return False
    wider = not is_literal(filter_)
    within = any(covers(subject, filter_) or (wider and covers(filter_, subject)) for subject in subjects)
    return not (is_subject(filter_) and within)


def _check_filters(config: ConsumerConfig, profile: ServerProfile) -> None:
    clash = _is_within if profile.crossing_filters_accepted else overlap
    for position, one in enumerate(config.filter_subjects):
        if not is_subject(one):
            raise api_error(500, 10052, "invalid subject")
        if any(clash(one, other) for at, other in enumerate(config.filter_subjects) if at != position):
            raise api_error(400, 10138, "consumer subject filters cannot overlap")


def _is_within(narrower: str, wider: str) -> bool:
    return covers(wider, narrower)


def _check_start(config: ConsumerConfig) -> None:
    name = config.deliver_policy.replace("_", " ")
    wants_sequence, wants_time = name == "by start sequence", name == "by start time"
    if wants_sequence and config.opt_start_seq == 0:
        raise _bad_policy(name, "start sequence is not set")
    if wants_time and config.opt_start_time is None:
        raise _bad_policy(name, "start time is not set")
    if not wants_sequence and config.opt_start_seq > 0:
        raise _bad_policy(name, f"start {'start sequence' if wants_time else 'sequence'} is also set")
    if not wants_time and config.opt_start_time is not None:
        raise _bad_policy(name, "start time is also set")
    if name == "last per subject" and not config.filters:
        raise _bad_policy(name, "filter subject is not set")


def _bad_policy(name: str, problem: str) -> ApiError:
    return api_error(400, 10094, f"consumer delivery policy is deliver {name}, but optional {problem}")


def _check_sampling(frequency: str) -> None:
    """Refuse what Go's ``strconv.Atoi`` refuses, and a negative number."""
    number = frequency.removesuffix("%")
    if not frequency:
        return
    if _NUMBER.fullmatch(number) is None:
        raise _bad_sampling(f'strconv.Atoi: parsing "{number}": invalid syntax')
    if not -_MOST <= int(number) < _MOST:
        raise _bad_sampling(f'strconv.Atoi: parsing "{number}": value out of range')
    if int(number) < 0:
        raise _bad_sampling("<nil>")


def _bad_sampling(problem: str) -> ApiError:
    return api_error(400, 10095, f"failed to parse consumer sampling configuration: {problem}")


def _check_groups(config: ConsumerConfig) -> None:
    for group in config.priority_groups:
        if not group:
            raise api_error(400, 10161, "Group name cannot be an empty string")
        if GROUP_NAME.fullmatch(group) is None:
            raise api_error(*BAD_GROUP_NAME)


def refuse_unsimulated(config: ConsumerConfig) -> None:
    """Refuse what a real server does and the simulator does not.

    Raises:
        NotSimulatedError: names the setting.
    """
    if config.direct or config.sourcing:
        raise NotSimulatedError("consumers that mirror or source a stream ('direct', 'sourcing') are not simulated")
