"""A replay on a push consumer of its own: waits, sends, and starts again where it stood. `Ordered` decides.

One task watches over it: it answers flow control, notices silence, and replaces a consumer that is gone. The
server's window plus ``limits.replay_buffer`` messages is all that a slow reader can pile up, for flow control is
answered only while there is room.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Any, Final, Self

from nats import errors as nats_errors
from nats.aio.subscription import Subscription

from lattice_store.errors import (
    LatticeStoreError,
    NotSupportedError,
    PermissionDeniedError,
    ReplayInterruptedError,
    ResetReason,
    StorageClosedError,
    StreamNotFoundError,
    may_pass,
)
from lattice_store.limits import Limits
from lattice_store.model import (
    Batch,
    DeliverFromSequence,
    DeliverFromTime,
    DeliverPolicy,
    StreamInfo,
)
from lattice_store.nats import _consumers as consumers
from lattice_store.nats._api import JetStreamApi
from lattice_store.nats._connection import Connection
from lattice_store.nats._deliveries import Deliveries, Frame
from lattice_store.nats._ordered import Ordered
from lattice_store.nats._translate import deliver_to_wire, inactive_threshold
from lattice_store.storage import DerivedReplay
from lattice_store.wire import info_from_wire

_SILENT_HEARTBEATS: Final = 2


class NatsReplay(DerivedReplay):
    """Implements `lattice_store.storage.Replay`."""

    def __init__(
        self,
        connection: Connection,
        api: JetStreamApi,
        limits: Limits,
        *,
        stream: str,
        subjects: tuple[str, ...],
        deliver: DeliverPolicy,
    ) -> None:
        self._connection = connection
        self._api = api
        self._limits = limits
        self._name = stream
        self._subjects = subjects
        self._deliver = deliver
        self._subscription: Subscription | None = None
        self._creating: asyncio.Future[dict[str, Any]] | None = None
        self._consumer, self._generation = "", 0
        self._inactive_threshold_ns = consumers.INACTIVE_THRESHOLD_NS
        self._flow_answered = ""
        self._pending = 0
        self._caught_up = False
        self._heard = False
        self._relink = False
        self._news = asyncio.Event()
        self._attention = asyncio.Event()
        self._error: Exception | None = None
        self._watcher: asyncio.Task[None] | None = None

    @property
    def stream(self) -> StreamInfo:
        return self._info

    @property
    def pending(self) -> int:
        return self._pending

    @property
    def caught_up(self) -> bool:
        return self._caught_up

    # -- reading --------------------------------------------------------------------------------

    async def batches(self) -> AsyncGenerator[Batch, None]:
        while True:
            batch = self._ordered.take()
            if batch is not None:
                self._pending, self._caught_up = batch.pending, batch.caught_up
                if self._ordered.flow_subject is not None:
                    self._attention.set()
                yield batch
            elif self._error is not None:
                raise self._error
            else:
                self._news.clear()
                await self._news.wait()

    # -- frames, as they arrive -----------------------------------------------------------------

    def _take_frames(self, generation: int, frames: list[Frame] | Deliveries) -> None:
        if generation != self._generation:  # of a consumer that was given up
            return
        ordered = self._ordered
        self._heard = True
        try:
            ordered.receive(frames)
        except ValueError as error:
            self._fail(NotSupportedError(f"a frame of {self._name} that this library cannot read: {error}"))
        flow = ordered.flow_subject
        if flow is not None and self._has_room and self._connection.tell_now(flow):
            ordered.flow_subject, self._flow_answered = None, flow  # at once: meanwhile the server sends nothing
        if ordered.broken or ordered.flow_subject is not None:
            self._attention.set()
        if not self._news.is_set():
            self._news.set()

    def link_restored(self) -> None:
        self._relink = True
        self._attention.set()

    def publish_denied(self, subject: str) -> None:
        if self._flow_answered.lower() == subject:
            needed = f"this user may not publish on {self._flow_answered}, which flow control needs"
            self._fail(PermissionDeniedError(needed))

    def _fail(self, error: Exception) -> None:
        """Tell the reader, once it has taken what had arrived before."""
        if self._error is None:
            self._error = error
            self._news.set()

    # -- life -----------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self._info = await self._stream_info()
        if isinstance(self._deliver, DeliverFromTime) and len(self._subjects) > 1:
            self._deliver = await self._sequence_at(self._deliver)
        self._ordered = Ordered(self._deliver, self._info.state.last_sequence)
        self._connection.listeners.add(self)
        try:
            self._check_open()
            self._pending = await self._create_consumer(self._deliver)
            self._caught_up = self._pending == 0
            self._ordered.opened()
            await self._check_identity()
            self._check_open()
        except BaseException:
            await self._end()
            raise
        self._watcher = asyncio.create_task(self._watch(), name=f"replay of {self._name}")
        return self

    def _check_open(self) -> None:
        """Raise what ended the replay, such as a storage closed while the replay was being opened."""
        if self._error is not None:
            raise self._error

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End the replay and free what the server holds for it; a reader still waiting is told so."""
        self._fail(StorageClosedError(f"the replay of {self._name} is closed"))
        try:
            if self._watcher is not None:
                self._watcher.cancel()
                await asyncio.wait({self._watcher})
        finally:
            await self._end()

    async def _end(self) -> None:
        self._connection.listeners.discard(self)
        await self._drop_consumer()

    # -- the consumer ---------------------------------------------------------------------------

    async def _stream_info(self) -> StreamInfo:
        info = info_from_wire(await self._api.call(f"STREAM.INFO.{self._name}"))
        self._inactive_threshold_ns = inactive_threshold(info.config, consumers.INACTIVE_THRESHOLD_NS)
        return info

    async def _sequence_at(self, start: DeliverFromTime) -> DeliverFromSequence:
        """Ask the server which sequence a time is: with several filters it leaves messages out (seen on 2.15.1)."""
        asked = consumers.probe(self._api, self._name, start, (), inactive_threshold_ns=self._inactive_threshold_ns)
        return DeliverFromSequence((await asked)["delivered"]["stream_seq"] + 1)

    async def _create_consumer(self, deliver: DeliverPolicy) -> int:
        """Create a consumer that begins at *deliver*; return how many messages it had to deliver at that moment."""
        self._ordered.begin()
        self._generation += 1
        self._subscription = await self._connection.subscribe(partial(self._take_frames, self._generation))
        inbox = self._subscription.subject
        self._consumer = consumers.new_name()
        config = self._consumer_config(inbox, deliver)
        body = {"stream_name": self._name, "config": config}
        self._creating = asyncio.ensure_future(self._api.call(consumers.create_verb(self._name, config), body))
        answer = await asyncio.shield(self._creating)
        pending = answer["num_pending"]
        self._ordered.created(before=answer["delivered"]["stream_seq"], pending=pending)
        return int(pending)

    def _consumer_config(self, inbox: str, deliver: DeliverPolicy) -> dict[str, Any]:
        return {
            "name": self._consumer,
            "deliver_subject": inbox,
            "ack_policy": "none",
            "max_ack_pending": consumers.NO_LIMIT,
            "max_deliver": 1,
            "flow_control": True,
            "idle_heartbeat": self._limits.heartbeat_ns,
            "inactive_threshold": self._inactive_threshold_ns,
            "mem_storage": True,
            "num_replicas": 1,
            **deliver_to_wire(deliver),
            **consumers.filters_to_wire(self._subjects, deliver),
        }

    async def _drop_consumer(self) -> None:
        """Unsubscribe and delete, as far as that can be done now; what is left goes by itself."""
        self._generation += 1
        subscription, self._subscription = self._subscription, None
        if subscription is None:
            return
        with suppress(nats_errors.Error):
            await subscription.unsubscribe()
        creating, self._creating = self._creating, None
        if creating is not None:
            await consumers.delete(self._api, self._name, self._consumer, creating)

    # -- watching over it -----------------------------------------------------------------------

    async def _watch(self) -> None:
        silent = 0
        try:
            while self._error is None:
                await self._wait_for_attention(self._limits.heartbeat_ns)
                await self._answer_flow_control()
                if self._heard:
                    silent, self._heard = 0, False
                else:
                    silent += 1
                if self._ordered.broken or self._relink or silent >= _SILENT_HEARTBEATS:
                    await self._recover()
                    silent = 0
        except Exception as error:  # noqa: BLE001  # whatever ends this task is the reader's to know
            self._fail(error)

    async def _wait_for_attention(self, timeout_ns: int) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_ns / 1e9):
                await self._attention.wait()
        self._attention.clear()

    @property
    def _has_room(self) -> bool:
        return self._ordered.buffered < self._limits.replay_buffer

    async def _answer_flow_control(self) -> None:
        flow = self._ordered.flow_subject
        if flow is not None and self._has_room:
            self._ordered.flow_subject, self._flow_answered = None, flow
            await self._connection.tell(flow)

    async def _recover(self) -> None:
        """Go on with a new consumer, trying until the stream can be reached."""
        pause_ns = self._limits.retry_min_ns
        while True:
            lost = self._ordered.broken or self._relink
            self._relink = self._heard = False
            try:
                await self._check_identity()
                if lost or not self._heard:  # else it was this program that was too busy to listen
                    await self._drop_consumer()
                    await self._create_consumer(self._ordered.resume())
                    await self._check_identity()
            except LatticeStoreError as error:
                if not may_pass(error):
                    raise
            else:
                return
            await self._wait_for_attention(pause_ns)
            pause_ns = min(2 * pause_ns, self._limits.retry_max_ns)

    async def _check_identity(self) -> None:
        """Make sure that the stream is still the one the replay began with, and holds what was delivered.

        Raises:
            ReplayInterruptedError: it is not.
        """
        seen = self._ordered.seen  # a newer message may overtake the answer
        try:
            now = await self._stream_info()
        except StreamNotFoundError:
            raise self._interrupted(ResetReason.STREAM_DELETED) from None
        if now.created_ns != self._info.created_ns:
            raise self._interrupted(ResetReason.STREAM_RECREATED)
        if now.state.last_sequence < seen:
            raise self._interrupted(ResetReason.STREAM_WENT_BACK)

    def _interrupted(self, reason: ResetReason) -> ReplayInterruptedError:
        return ReplayInterruptedError(self._name, reason, self._ordered.delivered)
