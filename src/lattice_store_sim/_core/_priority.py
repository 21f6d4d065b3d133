"""Whose turn it is among the pull requests of a consumer with priority groups.

Of policy ``overflow`` a request may want that much is pending, or much not acked; of ``pinned_client`` one client at a time
gets all, for as long as it comes back in time; of ``prioritized`` requests wait in the order of their priorities, which
`Pulls` does by itself. The groups only have to be named: the server keeps one pin for all of them
(nats-server consumer.go, ``nextWaiting``, ``setPinnedTimer``).
"""

from __future__ import annotations

import copy

from lattice_store.errors import NotSimulatedError
from lattice_store_sim._core._advisories import Advisories
from lattice_store_sim._core._consumer_config import ConsumerConfig
from lattice_store_sim._core._consumer_info import PriorityState
from lattice_store_sim._core._context import Context
from lattice_store_sim._core._profile import ServerProfile
from lattice_store_sim._core._pulls import PlainRequest, PullRequest, Refusal, Waiting


class Priority:
    """The pin of one consumer, and the turn of its requests.

    Args:
        config: policy, groups, and how long a pin lasts.
        context: where pins get their names.
        advisories: who is told when a pin comes or goes.
    """

    def __init__(self, config: ConsumerConfig, context: Context, advisories: Advisories) -> None:
        self._config = config
        self._context = context
        self._advisories = advisories
        self.pin = ""
        self._pinned_ns: int | None = None
        self.deadline_ns: int | None = None
        """When the pin ends."""
        self._timed_group = ""
        """For whom that was set; another request with the pin only puts it off."""

    def copy(self, context: Context, advisories: Advisories) -> Priority:
        copied = copy.copy(self)
        copied._context, copied._advisories = context, advisories
        return copied

    @property
    def _profile(self) -> ServerProfile:
        return self._context.profile

    @property
    def pins(self) -> bool:
        """Whether messages bear the pin."""
        return self._config.priority_policy == "pinned_client"

    @property
    def needs_all(self) -> bool:
        """Whether a request that wants much pending and much not acked has to be given both."""
        return self._profile.overflow_needs_all

    @property
    def told_at_once(self) -> bool:
        return self._profile.pins_told_at_once

    def reconfigure(self, config: ConsumerConfig) -> None:
        """Go on by another configuration; a pin stays, even if its policy does not."""
        self._config = config

    def told(self) -> PriorityState | None:
        """Return what an info tells: of the first group, whichever the pin is for."""
        groups = self._config.priority_groups
        return PriorityState(groups[0], self.pin, self._pinned_ns) if groups else None

    # -- the pin ----------------------------------------------------------------------------------

    def heard(self, request: PullRequest, now_ns: int) -> Refusal | None:
        """Take a request that comes in: one with the pin puts its end off, one with another is refused."""
        if not self.pin or isinstance(request, PlainRequest) or self._config.priority_policy == "none":
            return None
        if request.id == self.pin:
            self._put_off(request.group, now_ns)
        elif request.id:
            return Refusal(423, "Nats-Pin-Id mismatch")
        return None

    def assign(self, request: Waiting, now_ns: int) -> bool:
        """Pin a request's client, unless it has named no group; return whether it is."""
        if not request.asked.group:
            return False
        self.pin = request.pin = self._context.new_id()
        self._pinned_ns = now_ns
        self._put_off(self._group_of(request), now_ns)
        if self._profile.pins_told_at_once:
            self.tell_pinned(request, now_ns)
        return True

    def tell_pinned(self, request: Waiting, now_ns: int) -> None:
        self._advisories.pinned(self._group_of(request), self.pin, now_ns)

    def _group_of(self, request: Waiting) -> str:
        return request.asked.group if self._profile.pins_told_at_once else self._config.priority_groups[0]

    def release(self) -> None:
        """Pin nobody any more."""
        self.pin = ""
        if self._profile.lost_pins_forgotten:
            self._pinned_ns = self.deadline_ns = None

    def unpin(self, group: str, now_ns: int) -> None:
        """Do as an administrator asks."""
        self.release()
        self._advisories.unpinned(group, "admin", now_ns)

    def expire(self, now_ns: int) -> None:
        """End the pin, whose time is over."""
        self.release()
        self.deadline_ns = None
        self._advisories.unpinned(self._timed_group, "timeout", now_ns)

    def lose(self) -> None:
        """Forget the pin, as a restart does."""
        self.pin, self._pinned_ns, self.deadline_ns = "", None, None

    def _put_off(self, group: str, now_ns: int) -> None:
        if not self._timed_group or (self.deadline_ns is None and self._profile.lost_pins_forgotten):
            self._timed_group = group
        self.deadline_ns = now_ns + self._config.priority_timeout

    def refuse_plain(self) -> None:
        """Raise `NotSimulatedError` where a request without a group is looked at and the server falls."""
        if not self._profile.plain_requests_for_pins:
            version = self._profile.version
            raise NotSimulatedError(f"a pull that names no group ends nats-server {version}: not simulated")

    def offer(self, pending: int, ack_pending: int, now_ns: int) -> Offer | None:
        """Return whose turn it is to take a message; None if it is simply the first's.

        Args:
            pending: how many there are besides this one.
            ack_pending: how many are not acked.
            now_ns: now.
        """
        if self._config.priority_policy == "none" and not self.pin:
            return None
        return Offer(self, self._config, pending + 1, ack_pending, now_ns)


class Offer:
    """One message, offered to the requests in turn."""

    def __init__(self, priority: Priority, config: ConsumerConfig, pending: int, ack_pending: int, now_ns: int) -> None:
        self._priority = priority
        self._overflows = config.priority_policy == "overflow"
        self._pending, self._ack_pending, self._now_ns = pending, ack_pending, now_ns
        self._pins_anew = priority.pins and not priority.pin
        self._pinned: Waiting | None = None
        """The request that was pinned on this occasion."""

    def wrongly_pinned(self, request: Waiting) -> bool:
        """Return whether a request names a pin that is not the one; one without any may be pinned."""
        if isinstance(request.asked, PlainRequest) and (self._pins_anew or self._priority.pin):
            self._priority.refuse_plain()
        if self._pins_anew:
            if request.pin:
                return True
            if self._priority.assign(request, self._now_ns):
                self._pinned = request
            return False
        return bool(self._priority.pin) and request.pin not in ("", self._priority.pin)

    def is_due(self, request: Waiting) -> bool:
        """Return whether it is a request's turn."""
        if not self._pins_anew and self._priority.pin and request.pin != self._priority.pin:
            return False
        return not self._overflows or self._overflowing(request.asked)

    def _overflowing(self, asked: PullRequest) -> bool:
        """Return whether as much is pending, or not acked, as a request wants."""
        wanted = [
            limit <= there
            for limit, there in ((asked.min_pending, self._pending), (asked.min_ack_pending, self._ack_pending))
            if limit > 0
        ]
        enough = all if self._priority.needs_all else any
        return not wanted or enough(wanted)

    def too_large(self, request: Waiting) -> None:
        """Note that a request cannot take the message, and end the pin that it got for it."""
        if self._pinned is request:
            self._priority.release()

    def taken_by(self, request: Waiting) -> None:
        """Note who takes the message."""
        if self._pins_anew and not self._priority.told_at_once:
            self._priority.tell_pinned(request, self._now_ns)
