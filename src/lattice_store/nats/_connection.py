"""One connection: requests in flight, and what becomes of them when the server refuses or the link breaks.

Requests have their own inbox, ``<inbox>.<n>``, so that a window of thousands costs one subscription.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, Protocol

from nats import errors as nats_errors
from nats.aio.client import Client
from nats.aio.subscription import Subscription

from lattice_store.clock import SystemClock
from lattice_store.errors import (
    ConnectionLostError,
    InvalidHeaderError,
    LatticeStoreError,
    PermissionDeniedError,
    StorageClosedError,
    StorageTimeoutError,
    StorageUnavailableError,
    api_error,
)
from lattice_store.headers import NO_HEADERS, Headers
from lattice_store.limits import Limits
from lattice_store.nats._client import NO_RESPONDERS_BLOCK, OwnClient, chain, close, publish, round_trip, subscribe
from lattice_store.nats._deliveries import Deliveries, Frame
from lattice_store.nats._frames import Sink

_log: Final = logging.getLogger("lattice_store.nats")

_VIOLATION: Final = re.compile(r'permissions violation for (publish|subscription) to "([^"]*)"')

_NOT_SENT: Final = (
    nats_errors.OutboundBufferLimitError,
    nats_errors.ConnectionClosedError,
    nats_errors.ConnectionDrainingError,
)

Answer = bytes | None
"""What a request was answered with; ``None`` if nobody listens on its subject."""


class Ticket:
    """A request in flight. It costs a future only if somebody must wait for it: most of a window need not."""

    __slots__ = ("answer", "inbox", "sent_ns", "settled", "subject", "timeout_ns", "waiter")

    def __init__(self, inbox: str, subject: str, sent_ns: int, timeout_ns: int) -> None:
        self.inbox = inbox
        self.subject = subject
        self.sent_ns = sent_ns
        self.timeout_ns = timeout_ns
        self.settled = False
        self.answer: Answer | LatticeStoreError = None
        self.waiter: asyncio.Future[None] | None = None

    def settle(self, answer: Answer | LatticeStoreError) -> None:
        self.settled, self.answer = True, answer
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    def result(self) -> Answer:
        """Return the answer, or raise what came instead of one."""
        if isinstance(self.answer, LatticeStoreError):
            raise self.answer
        return self.answer


class Listener(Protocol):
    """What wants to hear of the link's fate besides those who wait for answers."""

    def link_restored(self) -> None:
        """There is a connection again; what was on its way before is lost."""
        ...

    def publish_denied(self, subject: str) -> None:
        """The server refused a publish on *subject*, given in lower case, that belongs to no request."""
        ...


class Connection:
    """A nats-py client, ours or borrowed.

    Args:
        limits: deadlines.
        client: a connected client that stays the caller's.
        dial: makes a connected client of our own: the first one, and another whenever one ended for good.
    """

    def __init__(
        self, limits: Limits, *, client: Client | None = None, dial: Callable[[], Awaitable[Client]] | None = None
    ) -> None:
        self._limits = limits
        self._clock = SystemClock()
        self._client = client
        self._dial = dial
        self._adopted: Client | None = None
        self._unhook: Callable[[], None] | None = None
        self._inbox = ""
        self._inbox_subscription: Subscription | None = None
        self._inbox_denied = False
        self._numbers = itertools.count(1)
        self._in_flight: dict[str, Ticket] = {}
        self._readying = asyncio.Lock()
        self._ready = False
        self._closed = False
        self.listeners: set[Listener] = set()

    def __repr__(self) -> str:
        url = None if self._client is None else self._client.connected_url
        return "not connected" if url is None else f"{url.scheme}://{url.hostname}:{url.port}"

    @property
    def server_version(self) -> tuple[int, int]:
        """Major and minor version of the server we talk to; (0, 0) if it does not say."""
        assert self._client is not None, "no client yet"
        version = self._client.connected_server_version
        try:
            return version.major, version.minor
        except ValueError:
            return 0, 0

    # -- life -----------------------------------------------------------------------------------

    async def client(self) -> Client:
        """Return the client, its inbox subscribed; dial again if our own was closed for good.

        Raises:
            StorageClosedError: after `aclose`.
            StorageUnavailableError: there is no connection, and a borrowed client will not get one either.
            PermissionDeniedError: this user may not subscribe to its inbox.
        """
        self.check_open()
        if self._ready and self._client is not None and not self._client.is_closed:
            return self._client
        async with self._readying:
            return await self._make_ready()

    def check_open(self) -> None:
        """Raise `StorageClosedError` after `aclose`."""
        if self._closed:
            raise StorageClosedError("the storage is closed")

    async def _make_ready(self) -> Client:
        self.check_open()  # it may have been closed while another caller dialled
        client = self._client
        if client is None or client.is_closed:
            if self._dial is None:
                raise StorageUnavailableError("the connection lent to this storage is closed")
            client = self._client = await self._dial()
            self._ready = False
            if self._closed:
                await self._release()
                self.check_open()
        if not self._ready:
            self._adopt(client)
            try:
                await self._subscribe_inbox(client)
            except BaseException:
                await self._unsubscribe_inbox()
                raise
            self._ready = True
        return client

    def _adopt(self, client: Client) -> None:
        if self._adopted is not client:
            self._adopted = client
            self._unhook = chain(
                client,
                {"error_cb": self._heard_error, "disconnected_cb": self._lost, "reconnected_cb": self._restored},
            )

    async def _subscribe_inbox(self, client: Client) -> None:
        """Subscribe, and wait until the server has seen it: a refusal must be known before anything is sent."""
        self._inbox, self._inbox_denied = client.new_inbox(), False
        try:
            self._inbox_subscription = await subscribe(client, f"{self._inbox}.*", self._answered)
            await round_trip(client, self._limits.request_timeout_ns / 1e9)
        except (nats_errors.Error, TimeoutError, OSError) as error:
            self.check_open()
            raise StorageUnavailableError(f"the server does not answer: {error}") from error
        self.check_open()
        if self._inbox_denied:
            raise PermissionDeniedError(f"this user may not subscribe to {self._inbox}.*: give its inbox_prefix")

    async def _unsubscribe_inbox(self) -> None:
        subscription, self._inbox_subscription = self._inbox_subscription, None
        if subscription is not None:
            with suppress(nats_errors.Error, OSError):
                await subscription.unsubscribe()

    async def aclose(self) -> None:
        """Fail what is in flight; close our own client, leave a borrowed one as it was. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self._fail_all("the storage was closed before the answer came")
        await self._release()

    async def _release(self) -> None:
        if self._client is None:
            return
        if self._unhook is not None:
            self._unhook()
        try:
            if self._dial is not None:
                await close(self._client, self._limits.close_timeout_ns)
            else:
                with suppress(nats_errors.Error, TimeoutError, OSError):
                    async with asyncio.timeout(self._limits.close_timeout_ns / 1e9):
                        await self._unsubscribe_inbox()
        finally:
            if isinstance(self._client, OwnClient):
                self._client.cut()

    # -- what nats-py tells ---------------------------------------------------------------------

    def _answered(self, frames: list[Frame] | Deliveries) -> None:
        for subject, _, payload, block in frames.frames() if isinstance(frames, Deliveries) else frames:
            ticket = self._in_flight.pop(subject.decode(), None)
            if ticket is not None:
                nobody = not payload and block.startswith(NO_RESPONDERS_BLOCK)
                ticket.settle(None if nobody else payload)

    def _lost(self) -> None:
        _log.warning("connection lost with %d requests in flight", len(self._in_flight))
        if isinstance(self._client, OwnClient):
            self._client.drop_unsent()
        self._fail_all("the connection was lost before the answer came")

    def _fail_all(self, reason: str) -> None:
        for ticket in self._in_flight.values():
            ticket.settle(ConnectionLostError(f"{ticket.subject}: {reason}"))
        self._in_flight.clear()

    def _restored(self) -> None:
        _log.info("connected again: %r", self)
        for listener in tuple(self.listeners):
            listener.link_restored()

    def _heard_error(self, error: Exception) -> None:
        _log.debug("nats-py reports: %s", error)
        found = _VIOLATION.search(str(error).lower())
        if found is None:
            return
        verb, subject = found.groups()
        if verb == "publish":
            self._denied(subject)
        elif self._inbox and subject == f"{self._inbox}.*".lower():
            self._inbox_denied = True

    def _denied(self, lowered: str) -> None:
        """Fail the oldest request on this subject, which nats-py gives in lower case: one refusal, one request.

        Where two subjects in flight differ by case alone it cannot be told whose refusal it is; their deadlines will.
        """
        matching = [ticket for ticket in self._in_flight.values() if ticket.subject.lower() == lowered]
        if len({ticket.subject for ticket in matching}) == 1:
            oldest = matching[0]
            del self._in_flight[oldest.inbox]
            oldest.settle(PermissionDeniedError(f"this user may not publish on {oldest.subject}"))
        elif not matching:
            for listener in tuple(self.listeners):
                listener.publish_denied(lowered)

    # -- requests -------------------------------------------------------------------------------

    async def send(
        self, subject: str, payload: bytes, headers: Headers = NO_HEADERS, *, timeout_ns: int | None = None
    ) -> Ticket:
        """Send a request; whoever does must `wait` for it or `forget` it.

        Raises:
            StorageUnavailableError: there is no connection, and nothing was sent.
            MessageTooLargeError: the server takes no message of this size; it would cut the connection.
        """
        client = await self.client()
        self._check_size(client, payload, headers)
        if self._dial is not None and not client.is_connected:
            raise StorageUnavailableError(f"{subject}: not connected, nothing was sent")
        ticket = self._ticket(subject, timeout_ns)
        try:
            await publish(client, subject, ticket.inbox, headers, payload)
        except BaseException as error:
            self.forget(ticket)
            if isinstance(error, _NOT_SENT):
                raise StorageUnavailableError(f"{subject}: {error}") from error
            if isinstance(error, nats_errors.BadHeaderError):
                raise InvalidHeaderError(f"nats-py refuses header name {error.key!r}") from error
            raise
        return ticket

    def send_now(self, subject: str, payload: bytes, headers: Headers) -> Ticket | None:
        """Send a request if nothing has to be waited for, as `send` does; ``None`` if something has."""
        client = self._client
        if not self._ready or self._closed or not isinstance(client, OwnClient) or not client.has_room:
            return None
        self._check_size(client, payload, headers)
        ticket = self._ticket(subject, None)
        client.publish_raw(subject, ticket.inbox, headers.block, payload)
        return ticket

    def _check_size(self, client: Client, payload: bytes, headers: Headers) -> None:
        if len(payload) + len(headers.block) > client.max_payload:
            raise api_error(400, 10054, "message size exceeds maximum allowed")

    def _ticket(self, subject: str, timeout_ns: int | None) -> Ticket:
        if timeout_ns is None:
            timeout_ns = self._limits.request_timeout_ns
        inbox = f"{self._inbox}.{next(self._numbers)}"
        ticket = self._in_flight[inbox] = Ticket(inbox, subject, self._clock.monotonic_ns(), timeout_ns)
        return ticket

    async def wait(self, ticket: Ticket) -> Answer:
        """Return the answer.

        Raises:
            PermissionDeniedError: the request was refused for lack of a permission.
            StorageTimeoutError, ConnectionLostError: no answer came.
        """
        if not ticket.settled:
            await self._wait_until_settled(ticket)
        return ticket.result()

    async def _wait_until_settled(self, ticket: Ticket) -> None:
        ticket.waiter = asyncio.get_running_loop().create_future()
        remaining_ns = ticket.sent_ns + ticket.timeout_ns - self._clock.monotonic_ns()
        try:
            async with asyncio.timeout(remaining_ns / 1e9):
                await ticket.waiter
        except TimeoutError:
            raise StorageTimeoutError(f"{ticket.subject}: no answer within {ticket.timeout_ns / 1e9:g} s") from None
        finally:
            self.forget(ticket)

    def forget(self, ticket: Ticket) -> None:
        """Nobody waits for this request any more."""
        self._in_flight.pop(ticket.inbox, None)

    async def request(self, subject: str, payload: bytes, *, timeout_ns: int | None = None) -> Answer:
        """Send a request and return its answer."""
        return await self.wait(await self.send(subject, payload, timeout_ns=timeout_ns))

    # -- what replays need ----------------------------------------------------------------------

    async def subscribe(self, sink: Sink) -> Subscription:
        """Subscribe *sink* to a new inbox.

        Raises:
            StorageUnavailableError: there is no connection.
        """
        client = await self.client()
        try:
            return await subscribe(client, client.new_inbox(), sink)
        except _NOT_SENT as error:
            raise StorageUnavailableError(str(error)) from error

    def tell_now(self, subject: str) -> bool:
        """Do what `tell` does, if nothing has to be waited for; return whether it is done."""
        client = self._client
        if not isinstance(client, OwnClient) or not client.has_room:
            return False
        client.publish_raw(subject, "", b"", b"")
        return True

    async def tell(self, subject: str) -> None:
        """Publish nothing on *subject*, if there is a connection: the answer to a flow control request."""
        if self._client is not None and self._client.is_connected:
            with suppress(*_NOT_SENT):
                await publish(self._client, subject, "", NO_HEADERS, b"")
