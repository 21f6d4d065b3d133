"""The storage protocol: what every backend promises. This file is the specification.

`lattice_store.testing` checks a backend against it. Five rules hold for every method:

1. Arguments are checked before anything is sent; what is wrong raises an `InvalidArgumentError`.
2. Every other error says by its ``outcome`` whether the operation was REJECTED or is UNKNOWN.
3. Each operation is atomic: applied whole, or not at all. Operations on one stream are ordered.
4. Any call may be cancelled; nothing stays behind but, for a publish already sent, its effect.
5. After `aclose` every method raises `StorageClosedError`.

Errors that any call may raise are not repeated below: `StorageClosedError`, `StorageUnavailableError`
(not sent), `PermissionDeniedError` (refused), `StorageTimeoutError`, `ConnectionLostError` and
`UnexpectedAnswerError` (UNKNOWN), `JetStreamDisabledError`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Protocol, Self

from lattice_store.errors import LatticeStoreError
from lattice_store.headers import NO_HEADERS
from lattice_store.limits import DEFAULT_ACK_WINDOW
from lattice_store.model import (
    DELIVER_ALL,
    Batch,
    DeliverPolicy,
    Expect,
    Message,
    PubAck,
    Publication,
    StreamConfig,
    StreamInfo,
)


class Replay(Protocol):
    """Messages of one stream in sequence order, from a deliver policy on, then live.

    Every message is delivered once and none is left out, or `ReplayInterruptedError` is raised. A message
    removed from the stream before its turn is not delivered, and a removal is never announced.
    """

    @property
    def stream(self) -> StreamInfo:
        """The stream as it stood just before the replay began."""
        ...

    @property
    def pending(self) -> int:
        """Messages still to come after the last batch yielded; readable before the first, 0 for an empty stream."""
        ...

    @property
    def caught_up(self) -> bool:
        """Whether all that was in the stream when the replay began has been yielded; true at once if nothing was.

        That is: nothing is pending, or a message or heartbeat at or above the stream's last sequence at the
        beginning was seen. So it becomes true under a fast writer too, and it stays true.
        """
        ...

    def batches(self) -> AsyncGenerator[Batch, None]:
        """Yield what arrived together, for ever. The primitive: iterating single messages is derived from it.

        A batch may be empty: then only ``sequence``, ``pending`` or ``caught_up`` moved.

        Raises:
            ReplayInterruptedError: the stream was deleted, re-created or went back; start a new replay.
            StorageClosedError: the storage or the replay was closed, also while waiting here.
        """
        ...

    def __aiter__(self) -> AsyncIterator[Message]:
        """Yield single messages, for ever; a loop that was left is taken up where it was left."""
        ...


class Storage(Protocol):
    """Streams of messages with JetStream's semantics."""

    async def create_stream(self, config: StreamConfig) -> StreamInfo:
        """Create a stream, or confirm one with an equal configuration.

        Equal means: after the server filled in its defaults. An existing stream is never altered.

        Raises:
            InvalidSubjectError: the name or a subject can be refused without asking a server.
            InvalidConfigError: two of the subjects overlap.
            StreamNameInUseError: the name is taken by a different configuration.
            SubjectsOverlapError: another stream holds one of the subjects.
            InvalidStreamConfigError: the server refuses the configuration.
        """
        ...

    async def update_stream(self, config: StreamConfig) -> StreamInfo:
        """Replace the configuration of an existing stream, as a whole. Lowered limits evict at once.

        Raises:
            InvalidSubjectError, InvalidConfigError: as in `create_stream`.
            StreamNotFoundError: there is none.
            SubjectsOverlapError: another stream holds one of the subjects.
            InvalidStreamConfigError: the server refuses the configuration or the change.
        """
        ...

    async def delete_stream(self, stream: str) -> None:
        """Delete a stream with its messages, consumers and remembered message IDs.

        Raises:
            StreamNotFoundError: there is none.
        """
        ...

    async def stream_info(self, stream: str) -> StreamInfo:
        """Return configuration, creation time and state.

        Raises:
            StreamNotFoundError: there is none.
        """
        ...

    async def list_streams(self, *, subject: str | None = None) -> tuple[str, ...]:
        """Return the names of all streams, sorted.

        Args:
            subject: only streams that capture some subject this filter matches.
        """
        ...

    async def publish(
        self,
        subject: str,
        payload: bytes,
        *,
        headers: Mapping[str, str] = NO_HEADERS,
        message_id: str | None = None,
        expect: Expect | None = None,
    ) -> PubAck:
        """Append one message to the stream bound to *subject*.

        Atomic: stored whole with the next sequence, or not at all. When the ack returns, the server has stored
        it the way the stream is kept (in memory; in a file, flushed when the server sees fit; on a quorum).

        Retry: after an UNKNOWN outcome a retry with the same *message_id* stores nothing twice while the server
        runs and its duplicate window lasts. From 2.12 on that is not so together with *expect*: then read back.

        Args:
            subject: a literal subject of at most 1024 bytes.
            payload: any bytes, also none.
            headers: sent and stored before the headers that the next two arguments add.
            message_id: known within the stream's duplicate window, the publish is acknowledged as a duplicate.
            expect: preconditions checked before storing.

        Raises:
            NoRespondersError: no stream is bound to the subject (REJECTED).
            WrongLastSequenceError, WrongLastMessageIdError, ExpectedStreamMismatchError: an expectation failed.
            MessageTooLargeError: larger than ``max_msg_size``, headers included, or than the server takes.
            StreamFullError: discard policy NEW, and a limit is reached.
            NotSupportedError: ``last_subject_filter`` on a server that would ignore it.
            ApiError: any other refusal, such as a forbidden rollup or a sealed stream.
        """
        ...

    def publish_many(
        self, publications: Iterable[Publication], *, window: int = DEFAULT_ACK_WINDOW
    ) -> AsyncGenerator[PubAck | LatticeStoreError, None]:
        """Publish in order with up to *window* acks outstanding; yield one result for each, in input order.

        Not atomic as a whole: each publication is, and its result is its ack or the error ``publish`` would
        have raised. A publication refused before sending does not stop the others. Memory is bounded by
        *window*. If the iteration is cancelled or closed, what was sent and not yielded is UNKNOWN, and
        nothing more is sent.

        Raises:
            InvalidArgumentError: *window* is below 1.
            StorageClosedError: the storage was closed; this one is raised, not yielded.
        """
        ...

    async def get_message(self, stream: str, sequence: int) -> Message:
        """Return the message stored at *sequence*.

        Raises:
            StreamNotFoundError: no such stream.
            MessageNotFoundError: nothing is stored there, or not any more.
        """
        ...

    async def get_last_message(self, stream: str, subject: str) -> Message:
        """Return the newest stored message whose subject matches *subject*, which may hold wildcards.

        With ``>`` only the very last sequence is looked at: if that message was removed, nothing is found
        (nats-server, all versions).

        Raises:
            StreamNotFoundError: no such stream.
            MessageNotFoundError: nothing matches.
        """
        ...

    async def count_subjects(self, stream: str, *, subjects: Sequence[str] = ()) -> int:
        """Return how many subjects hold a message: what a replay of `DELIVER_LAST_PER_SUBJECT` would begin with.

        Args:
            stream: which stream.
            subjects: filters, no two of which overlap; none for all subjects.

        Raises:
            StreamNotFoundError: no such stream.
            InvalidArgumentError: two filters overlap.
        """
        ...

    async def delete_message(self, stream: str, sequence: int) -> None:
        """Remove one message. Sequences are never reused, and its message ID stays remembered.

        Raises:
            StreamNotFoundError: no such stream.
            MessageNotFoundError: nothing is stored there.
            ApiError: the stream denies deletes or is sealed.
        """
        ...

    async def purge(
        self,
        stream: str,
        *,
        subject: str | None = None,
        before_sequence: int | None = None,
        keep: int | None = None,
    ) -> int:
        """Remove many messages; return how many.

        Args:
            subject: only messages this filter matches; all by default.
            before_sequence: only messages below it (>= 1). Beyond the end and without *subject*, it also moves
                the stream's last sequence forward to ``before_sequence - 1``.
            keep: leave the newest *keep* (>= 1) matching messages in total; not with *before_sequence*.

        Raises:
            StreamNotFoundError: no such stream.
            InvalidArgumentError: both *before_sequence* and *keep*, or one of them below 1.
            ApiError: the stream denies purges or is sealed.
        """
        ...

    def replay(
        self, stream: str, *, subjects: Sequence[str] = (), deliver: DeliverPolicy = DELIVER_ALL
    ) -> AbstractAsyncContextManager[Replay]:
        """Open a replay; leaving the context ends it and frees what the server held for it.

        Args:
            stream: which stream.
            subjects: filters, no two of which overlap; none for all subjects.
            deliver: where to begin.

        Raises:
            StreamNotFoundError: on entering, if there is none.
            InvalidArgumentError: two filters overlap.
        """
        ...

    async def aclose(self) -> None:
        """End all replays and give back what this storage owns; a borrowed connection is left open. Idempotent."""
        ...


class DerivedReplay:
    """What every replay derives from ``batches``."""

    _unread: Iterator[Message] = iter(())

    def batches(self) -> AsyncGenerator[Batch, None]:
        raise NotImplementedError

    async def __aiter__(self) -> AsyncIterator[Message]:
        for message in self._unread:
            yield message
        async for batch in self.batches():
            self._unread = iter(batch.messages)
            for message in self._unread:
                yield message


class ClosingStorage:
    """``async with storage:`` for every backend and wrapper."""

    async def aclose(self) -> None:
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
