"""A storage that fails as told."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from functools import partial
from typing import Any

from lattice_store.clock import Clock, SystemClock
from lattice_store.errors import (
    ApiError,
    LatticeStoreError,
    ReplayInterruptedError,
    ResetReason,
)
from lattice_store.limits import DEFAULT_ACK_WINDOW
from lattice_store.model import DELIVER_ALL, Batch, DeliverPolicy, PubAck, Publication
from lattice_store.storage import Replay, Storage
from lattice_store.testing._faults import Due, Fault
from lattice_store.testing._forwarding import ForwardingReplay, ForwardingStorage


class FaultyStorage(ForwardingStorage):
    """Forwards every call to *inner*, but for the faults it was given.

    How to test code against a lost answer, the case that cannot be provoked with a real server at will::

        storage = FaultyStorage(SimStorage(), [LoseAnswer("publish")])
        await code_under_test(storage)      # its first publish is stored, and raises StorageTimeoutError
        # now look whether it read back, or stored the same thing twice

    Faults are plain values: hypothesis can draw them. Closing this storage closes *inner*.

    Args:
        inner: what does the work.
        faults: at most one of a kind for each call; a delay comes before the others.
        clock: what a delay waits by; the machine's clock by default.
    """

    def __init__(self, inner: Storage, faults: Iterable[Fault] = (), *, clock: Clock | None = None) -> None:
        self._inner = inner
        self._faults = tuple(faults)
        self._clock = SystemClock() if clock is None else clock
        self._calls: Counter[str] = Counter()

    def __repr__(self) -> str:
        return f"FaultyStorage({list(self._faults)!r}, {self._inner!r})"

    def _due(self, method: str) -> Due:
        self._calls[method] += 1
        position = (method, self._calls[method])
        return Due(position, tuple(fault for fault in self._faults if (fault.method, fault.call) == position))

    async def _forward(self, method: str, *arguments: Any, **options: Any) -> Any:
        due = self._due(method)
        await due.wait(self._clock)
        if due.refused:
            raise due.refusal()
        send = partial(getattr(self._inner, method), *arguments, **options)
        if not due.answer_lost:
            return await send()
        with suppress(ApiError):  # a refusal is an answer too
            await send()
        raise due.lost_answer()

    async def publish_many(
        self, publications: Iterable[Publication], *, window: int = DEFAULT_ACK_WINDOW
    ) -> AsyncGenerator[PubAck | LatticeStoreError, None]:
        waiting: deque[Due] = deque()

        def reaching() -> Iterator[Publication]:
            for publication in publications:
                waiting.append(self._due("publish_many"))
                if not waiting[-1].refused:
                    yield publication

        async with aclosing(self._inner.publish_many(reaching(), window=window)) as results:
            async for result in results:
                while waiting[0].refused:
                    yield waiting.popleft().refusal()
                due = waiting.popleft()
                await due.wait(self._clock)
                answered = isinstance(result, PubAck | ApiError)
                yield due.lost_answer() if due.answer_lost and answered else result
            while waiting:
                yield waiting.popleft().refusal()

    @asynccontextmanager
    async def replay(
        self, stream: str, *, subjects: Sequence[str] = (), deliver: DeliverPolicy = DELIVER_ALL
    ) -> AsyncGenerator[Replay, None]:
        due = self._due("replay")
        await due.wait(self._clock)
        if due.refused:
            raise due.refusal()
        async with AsyncExitStack() as stack:
            inner = await stack.enter_async_context(self._inner.replay(stream, subjects=subjects, deliver=deliver))
            if due.answer_lost:
                raise due.lost_answer()
            yield _FaultyReplay(inner, due.interruption)

    async def aclose(self) -> None:
        await self._inner.aclose()


class _FaultyReplay(ForwardingReplay):
    """Delivers *left* messages of *inner*, or all of them if that is ``None``."""

    def __init__(self, inner: Replay, left: int | None) -> None:
        super().__init__(inner)
        self._left = left
        self._sequence = 0
        self._withheld = 0

    @property
    def pending(self) -> int:
        return self._inner.pending + self._withheld

    @property
    def caught_up(self) -> bool:
        return self._inner.caught_up and not self._withheld

    async def batches(self) -> AsyncGenerator[Batch, None]:
        if self._left == 0:
            raise self._interruption()
        async with aclosing(self._inner.batches()) as batches:
            async for batch in batches:
                if self._left is None or len(batch.messages) < self._left:
                    yield self._delivered(batch)
                    continue
                yield self._delivered(self._cut(batch, self._left))
                raise self._interruption()

    def _cut(self, batch: Batch, count: int) -> Batch:
        messages = batch.messages[:count]
        self._withheld = len(batch.messages) - count
        if not self._withheld:
            return batch
        return Batch(
            messages=messages, sequence=messages[-1].sequence, pending=batch.pending + self._withheld, caught_up=False
        )

    def _delivered(self, batch: Batch) -> Batch:
        if self._left is not None:
            self._left -= len(batch.messages)
        if batch.messages:
            self._sequence = batch.messages[-1].sequence
        return batch

    def _interruption(self) -> ReplayInterruptedError:
        return ReplayInterruptedError(self.stream.config.name, ResetReason.STREAM_WENT_BACK, self._sequence)
