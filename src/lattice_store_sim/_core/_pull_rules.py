"""Which pull requests a consumer takes, in the server's order (nats-server consumer.go, ``processNextMsgRequest``)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from lattice_store_sim._core._consumer_config import ConsumerConfig
from lattice_store_sim._core._durations import duration_text
from lattice_store_sim._core._profile import ServerProfile
from lattice_store_sim._core._pulls import PullRequest, Refusal

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
    refusals = [Refusal(400, f"Bad Request - {text}") for broken, text in _PRIORITY_RULES if broken(request)]
    if profile.refused_priorities_served:
        return refusals, None if _is_out_of_range(request) else request
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


def _is_out_of_range(request: PullRequest) -> bool:
    return not 0 <= request.priority <= _HIGHEST_PRIORITY


_PRIORITY_RULES: Final[tuple[tuple[Callable[[PullRequest], object], str], ...]] = (
    (lambda request: request.min_pending or request.min_ack_pending, "Not a Overflow Priority consumer"),
    (lambda request: request.id, "Not a Pinned Client Priority consumer"),
    (_is_out_of_range, "Priority must be between 0 and 9"),
)
"""Consumers with priority groups are not simulated: these are the rules for all others."""
