"""A storage that writes down what it was asked and what it answered."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import TypeVar

import attrs

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
from lattice_store.storage import ClosingStorage, Replay, Storage
from lattice_store.testing._forwarding import ForwardingReplay

_T = TypeVar("_T")


@attrs.frozen
class Call:
    """One line of a trace. Of payloads only the size is kept, of headers only the names."""

    method: str
    arguments: str
    answer: str

    def __str__(self) -> str:
        return f"{self.method}({self.arguments}) -> {self.answer}"


def _named(**arguments: object) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in arguments.items() if value is not None)


def _publication(publication: Publication) -> str:
    expect = publication.expect and attrs.asdict(publication.expect, filter=lambda _, value: value is not None)
    extras = _named(headers=[*publication.headers] or None, message_id=publication.message_id, expect=expect)
    return f"{publication.subject}, <{len(publication.payload)} bytes>{', ' if extras else ''}{extras}"


def _describe(value: object) -> str:
    """Return *value* in a few words, without payloads and header values."""
    match value:
        case None:
            return "done"
        case PubAck():
            return f"{value.sequence} in {value.stream}{', duplicate' if value.duplicate else ''}"
        case Message():
            return f"{value.sequence} on {value.subject}, <{len(value.payload)} bytes>"
        case Publication():
            return _publication(value)
        case Batch():
            end = ", caught up" if value.caught_up else ""
            return f"{len(value.messages)} messages up to {value.sequence}, {value.pending} pending{end}"
        case StreamConfig():
            return f"{value.name} on {', '.join(value.subjects)}"
        case StreamInfo():
            return f"{value.config.name}: {value.state.messages} messages up to {value.state.last_sequence}"
        case LatticeStoreError():
            return f"{type(value).__name__}, {value.outcome.name}: {value}"
        case BaseException():
            return type(value).__name__
        case _:
            return str(value)


class RecordingStorage(ClosingStorage):
    """Forwards every call to *inner* and keeps a readable trace of calls and answers.

    A test reads ``calls``, or prints the storage to see the whole story::

        storage = RecordingStorage(SimStorage())
        await code_under_test(storage)
        assert [call.method for call in storage.calls] == ["stream_info", "publish"]

    ``publish_many`` leaves one line for each publication, a replay one when it is opened and one for each
    batch. Closing this storage closes *inner*.
    """

    def __init__(self, inner: Storage) -> None:
        self.calls: list[Call] = []
        self._inner = inner

    def __repr__(self) -> str:
        return f"RecordingStorage({self._inner!r})"

    def __str__(self) -> str:
        return "\n".join(map(str, self.calls))

    async def _record(
        self, method: str, arguments: str, answer: Awaitable[_T], describe: Callable[[_T], str] = _describe
    ) -> _T:
        try:
            result = await answer
        except BaseException as error:
            self.calls.append(Call(method, arguments, _describe(error)))
            raise
        self.calls.append(Call(method, arguments, describe(result)))
        return result

    async def create_stream(self, config: StreamConfig) -> StreamInfo:
        return await self._record("create_stream", _describe(config), self._inner.create_stream(config))

    async def update_stream(self, config: StreamConfig) -> StreamInfo:
        return await self._record("update_stream", _describe(config), self._inner.update_stream(config))

    async def delete_stream(self, stream: str) -> None:
        await self._record("delete_stream", stream, self._inner.delete_stream(stream))

    async def stream_info(self, stream: str) -> StreamInfo:
        return await self._record("stream_info", stream, self._inner.stream_info(stream))

    async def list_streams(self, *, subject: str | None = None) -> tuple[str, ...]:
        return await self._record("list_streams", _named(subject=subject), self._inner.list_streams(subject=subject))

    async def publish(
        self,
        subject: str,
        payload: bytes,
        *,
        headers: Mapping[str, str] = NO_HEADERS,
        message_id: str | None = None,
        expect: Expect | None = None,
    ) -> PubAck:
        publication = Publication(
            subject=subject, payload=payload, headers=headers, message_id=message_id, expect=expect
        )
        ack = self._inner.publish(subject, payload, headers=headers, message_id=message_id, expect=expect)
        return await self._record("publish", _describe(publication), ack)

    async def publish_many(
        self, publications: Iterable[Publication], *, window: int = DEFAULT_ACK_WINDOW
    ) -> AsyncGenerator[PubAck | LatticeStoreError, None]:
        sent: deque[str] = deque()

        def noted() -> Iterable[Publication]:
            for publication in publications:
                sent.append(_describe(publication))
                yield publication

        async with aclosing(self._inner.publish_many(noted(), window=window)) as results:
            async for result in results:
                self.calls.append(Call("publish_many", sent.popleft(), _describe(result)))
                yield result

    async def get_message(self, stream: str, sequence: int) -> Message:
        return await self._record("get_message", f"{stream}, {sequence}", self._inner.get_message(stream, sequence))

    async def get_last_message(self, stream: str, subject: str) -> Message:
        found = self._inner.get_last_message(stream, subject)
        return await self._record("get_last_message", f"{stream}, {subject}", found)

    async def delete_message(self, stream: str, sequence: int) -> None:
        await self._record("delete_message", f"{stream}, {sequence}", self._inner.delete_message(stream, sequence))

    async def purge(
        self,
        stream: str,
        *,
        subject: str | None = None,
        before_sequence: int | None = None,
        keep: int | None = None,
    ) -> int:
        arguments = _named(stream=stream, subject=subject, before_sequence=before_sequence, keep=keep)
        purged = self._inner.purge(stream, subject=subject, before_sequence=before_sequence, keep=keep)
        return await self._record("purge", arguments, purged)

    @asynccontextmanager
    async def replay(
        self, stream: str, *, subjects: Sequence[str] = (), deliver: DeliverPolicy = DELIVER_ALL
    ) -> AsyncGenerator[Replay, None]:
        arguments = ", ".join([stream, *subjects, str(deliver)])
        async with AsyncExitStack() as stack:
            entered = stack.enter_async_context(self._inner.replay(stream, subjects=subjects, deliver=deliver))
            inner = await self._record("replay", arguments, entered, lambda replay: f"{replay.pending} pending")
            yield _RecordingReplay(inner, self.calls)

    async def aclose(self) -> None:
        await self._record("aclose", "", self._inner.aclose())


class _RecordingReplay(ForwardingReplay):
    def __init__(self, inner: Replay, calls: list[Call]) -> None:
        super().__init__(inner)
        self._calls = calls

    async def batches(self) -> AsyncGenerator[Batch, None]:
        try:
            async with aclosing(self._inner.batches()) as batches:
                async for batch in batches:
                    self._calls.append(Call("batch", self.stream.config.name, _describe(batch)))
                    yield batch
        except LatticeStoreError as error:
            self._calls.append(Call("batch", self.stream.config.name, _describe(error)))
            raise
