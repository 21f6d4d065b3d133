"""Pull requests: who waits for messages, and what each is told when its wait ends (nats-server consumer.go, ``waitQueue``)."""

from __future__ import annotations

from collections import deque
from typing import Final, Literal, NamedTuple, Protocol

import msgspec

from lattice_store_sim._core._context import Context
from lattice_store_sim._core._outbox import Outgoing, idle_heartbeat, status

LAST_PRIORITY: Final = 2**31 - 1
"""Of a request that says nothing of priorities: the server sorts it behind all others."""

_UNSIGNED: Final = 2**64  # what the requests want is a sum that batches below zero lead around to the largest number


class PullRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a client asks of ``CONSUMER.MSG.NEXT``; durations are nanoseconds, 0 is "not given"."""

    batch: int = 0
    expires: int = 0
    max_bytes: int = 0
    no_wait: bool = False
    idle_heartbeat: int = 0
    group: str = ""
    id: str = ""
    min_pending: int = 0
    min_ack_pending: int = 0
    priority: int = 0


class PlainRequest(PullRequest, frozen=True):
    """A request that is no JSON object: it is asked for no priority group and no priority."""


class Refusal(NamedTuple):
    """The status that a request is answered with."""

    code: int
    description: str


class Waiting(msgspec.Struct):
    """An open pull request; what it still may get changes."""

    reply: str
    left: int
    bytes_left: int
    no_wait: bool
    expires_ns: int | None
    heartbeat_ns: int
    beat_ns: int | None
    asked: PullRequest
    pin: str = ""
    """What it says it is pinned by; a request that the server pins says so from then on."""
    priority: int = 0
    served: bool = False

    @classmethod
    def of(cls, request: PullRequest, reply: str, now_ns: int) -> Waiting:
        return cls(
            reply=reply,
            left=request.batch,
            bytes_left=request.max_bytes,
            no_wait=request.no_wait,
            expires_ns=now_ns + request.expires if request.expires else None,
            heartbeat_ns=request.idle_heartbeat,
            beat_ns=now_ns + request.idle_heartbeat if request.idle_heartbeat > 0 else None,
            asked=request,
            pin=request.id,
            priority=LAST_PRIORITY if isinstance(request, PlainRequest) else request.priority,
        )

    def expired(self, now_ns: int) -> bool:
        return self.expires_ns is not None and self.expires_ns <= now_ns

    def status(self, code: int, description: str) -> Outgoing:
        """Return a status that says what the request did not get."""
        counts = (("Nats-Pending-Messages", self.left), ("Nats-Pending-Bytes", self.bytes_left))
        return status(self.reply, code, description, *counts)


class Turns(Protocol):
    """Whose turn it is among the requests of a consumer with a priority policy, while one message is offered to them."""

    def wrongly_pinned(self, request: Waiting) -> bool:
        """Return whether a request names a pin that is not the one; one without any may be pinned."""
        ...

    def is_due(self, request: Waiting) -> bool: ...

    def too_large(self, request: Waiting) -> None:
        """Note that a request cannot take the message, and end the pin that it got for it."""
        ...

    def taken_by(self, request: Waiting) -> None:
        """Note who takes the message."""
        ...


class Pulls:
    """The open requests of one consumer, in turn.

    Args:
        context: where answers go, and who still listens to them.
        by_priority: whether requests wait in the order of their priorities.
    """

    def __init__(self, context: Context, *, by_priority: bool = False) -> None:
        self._context = context
        self.by_priority = by_priority
        self._requests: deque[Waiting] = deque()
        self.reviewed_ns = 0
        """When `review` was called last."""

    def __len__(self) -> int:
        return len(self._requests)

    def copy(self, context: Context) -> Pulls:
        copied = Pulls(context, by_priority=self.by_priority)
        copied.reviewed_ns = self.reviewed_ns
        copied._requests.extend(msgspec.structs.replace(one) for one in self._requests)
        return copied

    def add(self, request: Waiting) -> None:
        """Let a request wait, behind all others or those of its priority."""
        if not self.by_priority:
            self._requests.append(request)
            return
        later = (at for at, one in enumerate(self._requests) if one.priority > request.priority)
        self._requests.insert(next(later, len(self)), request)

    def ask(
        self,
        wanted: PullRequest,
        reply: str,
        *,
        most: int,
        pending: int,
        last: tuple[int, int],
        now_ns: int,
    ) -> Literal["waiting", "answered", "refused"]:
        """Take a request: let it wait, or answer it at once.

        Args:
            wanted: what is asked for.
            reply: where answers go.
            most: how many requests may wait.
            pending: how many messages there are to deliver.
            last: consumer and stream sequence that a heartbeat tells.
            now_ns: now.
        """
        profile = self._context.profile
        if len(self) == most and now_ns - self.reviewed_ns >= profile.full_pulls_kept_ns:
            self.review(now_ns, last, dry=False)
        dry = self._refusal_of_no_wait(wanted, pending, last, now_ns) if wanted.no_wait else None
        if dry is not None:
            self._context.send(status(reply, *dry))
            return "answered"
        if len(self) < most:
            self.add(Waiting.of(wanted, reply, now_ns))
            return "waiting"
        if not (wanted.idle_heartbeat and profile.heartbeats_replace_refusals):
            self._context.send(status(reply, 409, "Exceeded MaxWaiting"))
        return "refused"

    def _refusal_of_no_wait(
        self, wanted: PullRequest, pending: int, last: tuple[int, int], now_ns: int
    ) -> Refusal | None:
        """Return why a request that does not wait ends at once, None if it may get something."""
        if not pending:
            return None if wanted.expires else Refusal(404, "No Messages")
        self.review(now_ns, last, dry=False)
        return Refusal(408, "Requests Pending") if pending < self.wanted % _UNSIGNED else None

    @property
    def wanted(self) -> int:
        """How many messages all requests wait for."""
        return sum(one.left for one in self._requests)

    @property
    def deadline_ns(self) -> int | None:
        """When the next request ends or is told that it is still open."""
        due = [due for one in self._requests for due in (one.expires_ns, one.beat_ns) if due is not None]
        return min(due, default=None)

    # -- serving --------------------------------------------------------------------------------

    def next(self, size: int, now_ns: int, turns: Turns | None = None) -> Waiting | None:
        """Return who gets a message of that size, with it counted off; end those on the way that cannot get it.

        Args:
            size: in bytes.
            now_ns: now.
            turns: whose turn it is, if that is not simply the first's.
        """
        bytes_first, passed_over = self._context.profile.bytes_before_turns, 0
        while self._requests:
            request = self._requests[0]
            if request.expired(now_ns):
                self._end(request.status(408, "Request Timeout"))
            elif turns is not None and bytes_first and not self._fits(request, size):
                continue
            elif turns is not None and turns.wrongly_pinned(request):
                self._end(self._wrong_pin(request))
            elif turns is not None and not turns.is_due(request):
                self._requests.rotate(-1)
                passed_over += 1
                if passed_over >= len(self._requests):
                    break
            elif (turns is None or not bytes_first) and not self._fits(request, size):
                if turns is not None:
                    turns.too_large(request)
            elif not self._context.interest.has(request.reply):
                self._requests.popleft()
            else:
                if turns is not None:
                    turns.taken_by(request)
                self._serve(request, now_ns)
                return request
        return None

    def _end(self, answer: Outgoing) -> None:
        self._requests.popleft()
        self._context.send(answer)

    def _wrong_pin(self, request: Waiting) -> Outgoing:
        if self._context.profile.wrong_pins_counted:
            return request.status(423, "Nats-Wrong-Pin-Id")
        return status(request.reply, 423, "Nats-Wrong-Pin-Id")

    def _fits(self, request: Waiting, size: int) -> bool:
        """Count the bytes off; end the request if it has not so many left."""
        if 0 < request.bytes_left < size:
            self._end(request.status(409, "Message Size Exceeds MaxBytes"))
            return False
        if request.bytes_left > 0:
            request.bytes_left -= size
            if request.bytes_left == 0:
                request.left = 1
        return True

    def _serve(self, request: Waiting, now_ns: int) -> None:
        request.served = True
        request.left -= 1
        if request.left <= 0:
            self._requests.popleft()
            return
        if self.by_priority:
            self._requests.popleft()
            self.add(request)
        else:
            self._requests.rotate(-1)
        if request.heartbeat_ns > 0:
            request.beat_ns = now_ns + request.heartbeat_ns

    # -- ending ---------------------------------------------------------------------------------

    def review(self, now_ns: int, last: tuple[int, int], *, dry: bool) -> None:
        """End the requests whose time is over, and tell those that asked for it that they are still open.

        Args:
            now_ns: now.
            last: consumer and stream sequence that a heartbeat tells.
            dry: nothing is left to deliver, which ends requests that do not wait.
        """
        self.reviewed_ns = now_ns
        requests, self._requests = self._requests, deque()
        for request in requests:
            ending = self._ending(request, now_ns, dry=dry)
            if ending is not None:
                self._context.send(ending)
            elif self._context.interest.has(request.reply):
                self._requests.append(request)
                if request.beat_ns is not None and request.beat_ns <= now_ns:
                    self._context.send(idle_heartbeat(request.reply, *last))
                    request.beat_ns = now_ns + request.heartbeat_ns

    def _ending(self, request: Waiting, now_ns: int, *, dry: bool) -> Outgoing | None:
        if request.expired(now_ns):
            return request.status(408, "Request Timeout")
        profile = self._context.profile
        ends_unserved = request.expires_ns is None and profile.unserved_pulls_end
        if dry and request.no_wait and (request.served or ends_unserved):
            if profile.dry_pulls_told_apart:
                return status(request.reply, 404, "No Messages")
            return request.status(408, "Request Timeout")
        return None

    def tell_of_end(self) -> None:
        """Tell all who have requests that the server is about to end, which loses these; of several the last counts."""
        for request in {one.reply: one for one in self._requests}.values():
            self._context.send(request.status(409, "Server Shutdown"))

    def close(self, description: str) -> None:
        """End all requests."""
        for request in self._requests:
            self._context.send(status(request.reply, 409, description))
        self._requests.clear()
