"""Which pull requests a consumer takes, in the server's order (nats-server consumer.go, ``processNextMsgRequest``)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from lattice_store_sim._core._consumer_config import ConsumerConfig
from lattice_store_sim._core._durations import duration_text
from lattice_store_sim._core._profile import ServerProfile
from lattice_store_sim._core._pulls import PlainRequest, PullRequest, Refusal

_HIGHEST_PRIORITY: Final = 9


def judged(
    request: PullRequest | Refusal, config: ConsumerConfig, profile: ServerProfile
) -> tuple[list[Refusal], PullRequest | None]:
    """Return what a request is refused with whatever the consumer's state, and the request if it counts."""
    if config.deliver_subject:
        request = Refusal(409, "Consumer is push based")
    elif isinstance(request, PullRequest):
        request = _within_limits(request, config)
    if isinstance(request, Refusal):
        return [request], None
    if isinstance(request, PlainRequest):
        return [], request
    doubtful, wrong = (
        [Refusal(400, f"Bad Request - {text}") for broken, text in rules if broken(request, config)]
        for rules in (_PRIORITY_RULES, _GROUP_RULES)
    )
    if profile.refused_priorities_served:
        return [*doubtful, *wrong[:1]], None if wrong else request
    refusals = [*doubtful, *wrong]
    return refusals[:1], None if refusals else request


def _within_limits(request: PullRequest, config: ConsumerConfig) -> PullRequest | Refusal:
    if request.idle_heartbeat > 0 and request.expires < 2 * request.idle_heartbeat:
        return Refusal(400, "Bad Request - heartbeat value too large")
    if 0 < config.max_batch < request.batch:
        return Refusal(409, f"Exceeded MaxRequestBatch of {config.max_batch}")
    if 0 < config.max_expires < request.expires:
        return Refusal(409, f"Exceeded MaxRequestExpires of {duration_text(config.max_expires)}")
    if 0 < config.max_bytes < request.max_bytes:
        return Refusal(409, f"Exceeded MaxRequestMaxBytes of {config.max_bytes}")
    return request


_Rule = tuple[Callable[[PullRequest, ConsumerConfig], object], str]
_PRIORITY_RULES: Final[tuple[_Rule, ...]] = (
    (
        lambda request, config: (
            (request.min_pending or request.min_ack_pending) and config.priority_policy != "overflow"
        ),
        "Not a Overflow Priority consumer",
    ),
    (
        lambda request, config: request.id and config.priority_policy != "pinned_client",
        "Not a Pinned Client Priority consumer",
    ),
)
_GROUP_RULES: Final[tuple[_Rule, ...]] = (
    (
        lambda request, _config: not 0 <= request.priority <= _HIGHEST_PRIORITY,
        "Priority must be between 0 and 9",
    ),
    (
        lambda request, config: config.priority_policy != "none" and not request.group,
        "Priority Group missing",
    ),
    (
        lambda request, config: config.priority_policy != "none" and request.group not in config.priority_groups,
        "Invalid Priority Group",
    ),
)
"""What no version serves."""
