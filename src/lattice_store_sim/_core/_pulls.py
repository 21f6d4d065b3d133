"""Pull requests: who waits for messages, and what each is told when its wait ends (nats-server consumer.go, ``waitQueue``)."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import msgspec

from lattice_store_sim._core._context import Context
from lattice_store_sim._core._outbox import Outgoing, idle_heartbeat, status


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
        )

    def expired(self, now_ns: int) -> bool:
        return self.expires_ns is not None and self.expires_ns <= now_ns

    def status(self, code: int, description: str) -> Outgoing:
        """Return a status that says what the request did not get."""
        counts = (("Nats-Pending-Messages", self.left), ("Nats-Pending-Bytes", self.bytes_left))
        return status(self.reply, code, description, *counts)


class Pulls:
    """The open requests of one consumer, in turn.

    Args:
        context: where answers go, and who still listens to them.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._requests: deque[Waiting] = deque()
        self.reviewed_ns = 0
        """When `review` was called last."""

    def __len__(self) -> int:
        return len(self._requests)

    def copy(self, context: Context) -> Pulls:
        copied = Pulls(context)
        copied.reviewed_ns = self.reviewed_ns
        copied._requests.extend(msgspec.structs.replace(one) for one in self._requests)
        return copied

    def add(self, request: Waiting) -> None:
        self._requests.append(request)

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

    def next(self, size: int, now_ns: int) -> Waiting | None:
        """Return who gets a message of that size, with it counted off; end those on the way that cannot get it."""
        while self._requests:
            request = self._requests[0]
            if request.expired(now_ns):
                self._end(request.status(408, "Request Timeout"))
            elif 0 < request.bytes_left < size:
                self._end(request.status(409, "Message Size Exceeds MaxBytes"))
            elif not self._context.interest.has(request.reply):
                self._requests.popleft()
            else:
                self._serve(request, size, now_ns)
                return request
        return None

    def _end(self, answer: Outgoing) -> None:
        self._requests.popleft()
        self._context.send(answer)

    def _serve(self, request: Waiting, size: int, now_ns: int) -> None:
        if request.bytes_left > 0:
            request.bytes_left -= size
            if request.bytes_left == 0:
                request.left = 1
        request.served = True
        request.left -= 1
        if request.left <= 0:
            self._requests.popleft()
            return
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

    def close(self, description: str) -> None:
        """End all requests."""
        for request in self._requests:
            self._context.send(status(request.reply, 409, description))
        self._requests.clear()
