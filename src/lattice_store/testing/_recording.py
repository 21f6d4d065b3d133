"""A storage that writes down what it was asked and what it answered."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import Any, TypeVar

import attrs

from lattice_store.errors import LatticeStoreError
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
from lattice_store.storage import Replay, Storage
from lattice_store.testing._forwarding import ForwardingReplay, ForwardingStorage

_T = TypeVar("_T")


@attrs.frozen
class Call:
    """One line of a trace. Of payloads only the size is kept, of headers only the names."""

    method: str
    arguments: str
    answer: str

    def __str__(self) -> str:
        return f"{self.method}({self.arguments}) -> {self.answer}"


def _asked(*arguments: object, **options: object) -> str:
    told = [(name, _option(value)) for name, value in options.items()]
    return ", ".join([*map(_describe, arguments), *(f"{name}={value!r}" for name, value in told if value is not None)])


def _option(value: object) -> object:
    match value:
        case Mapping():
            return [*value] or None  # the names of headers
        case Expect():
            return attrs.asdict(value, filter=lambda _, expected: expected is not None)
        case _:
            return value


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
            extras = {"headers": value.headers, "message_id": value.message_id, "expect": value.expect}
            return _asked(value.subject, f"<{len(value.payload)} bytes>", **extras)
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


class RecordingStorage(ForwardingStorage):
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

    async def _forward(self, method: str, *arguments: Any, **options: Any) -> Any:
        if method == "publish":
            subject, payload = arguments
            asked = _describe(Publication(subject=subject, payload=payload, **options))
        else:
            asked = _asked(*arguments, **options)
        return await self._record(method, asked, getattr(self._inner, method)(*arguments, **options))

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
