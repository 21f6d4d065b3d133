"""What every check stands on: fresh streams, bounded reads, failures that can be read.

Nothing here is rewritten or collected by a test framework: a failing check raises `AssertionError` with a
message that names what was looked at, what was found and what was expected.
"""

from __future__ import annotations

import asyncio
import pickle
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Final, Generic, Protocol, TypeVar

import attrs
import msgspec

from lattice_store.errors import ApiError, LatticeStoreError, MessageNotFoundError
from lattice_store.model import (
    DELIVER_ALL,
    Batch,
    DeliverPolicy,
    Message,
    StorageType,
    StreamConfig,
    StreamInfo,
    StreamState,
)
from lattice_store.storage import Replay, Storage

READ_DEADLINE_S: Final = 10.0
"""After this a read that should have been answered fails its check instead of waiting for ever."""
_POLLS: Final = 100
_POLL_S: Final = 0.05

_E = TypeVar("_E", bound=LatticeStoreError)


class AdvancingClock(Protocol):
    """A clock that moves when told to, such as ``lattice_store_sim.VirtualClock``."""

    def now_ns(self) -> int: ...

    def advance(self, seconds: float) -> object:
        """Move on by *seconds*."""
        ...


def equal(actual: object, expected: object, what: str) -> None:
    """Fail unless *actual* equals *expected*."""
    if actual != expected:
        raise AssertionError(f"{what}:\n  expected {expected!r}\n  found    {actual!r}")


def holds(condition: bool, what: str) -> None:
    """Fail unless *condition* is true."""
    if not condition:
        raise AssertionError(f"expected {what}")


class raises(Generic[_E]):  # noqa: N801 - read as a statement: with raises(StreamNotFoundError):
    """Fail unless the block ends with this error, and the error survives pickling.

    Args:
        kind: the expected class.
        answer: code, err_code and description of an `ApiError`, as far as they are promised.
    """

    error: _E

    def __init__(self, kind: type[_E], *answer: int | str) -> None:
        self._kind = kind
        self._answer = answer

    def __enter__(self) -> raises[_E]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is None:
            raise AssertionError(f"expected {self._kind.__name__}, nothing was raised")
        if not isinstance(error, self._kind):
            if isinstance(error, LatticeStoreError):
                found = f"expected {self._kind.__name__}, found {error!r}"
                raise AssertionError(found) from error  # noqa: TRY004 - a failed check, not a wrong argument
            return False
        self.error = error
        if self._answer:
            holds(isinstance(error, ApiError), f"an answer of the server, not {error!r}")
            given = (error.code, error.err_code, error.description) if isinstance(error, ApiError) else ()
            equal(given[: len(self._answer)], self._answer, "the server's answer")
        copied = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
        equal((type(copied), str(copied)), (type(error), str(error)), "the error after pickling")
        return True


@attrs.frozen
class Stream:
    """A fresh stream and the subject space it captures."""

    storage: Storage
    config: StreamConfig
    space: str
    """First token of its subjects, always eight characters: so sizes can be stated as numbers."""

    @property
    def name(self) -> str:
        return self.config.name

    @property
    def memory(self) -> bool:
        return self.config.storage is StorageType.MEMORY

    def subject(self, rest: str) -> str:
        """Return a subject or filter inside the stream's space."""
        return f"{self.space}.{rest}"

    async def fill(self, *rests: str) -> None:
        """Publish a one-byte message on each subject, in order."""
        for rest in rests:
            await self.storage.publish(self.subject(rest), b"x")

    async def info(self) -> StreamInfo:
        """Return the stream as it stands."""
        return await self.storage.stream_info(self.name)

    async def state(self) -> StreamState:
        """Return the state without times and consumers, after checking that the times fit the counts."""
        state = (await self.info()).state
        equal(state.first_time_ns is None, state.messages == 0, f"absence of the first time in {state}")
        holds(state.last_time_ns is not None or state.messages == 0, f"a last time in {state}")
        return msgspec.structs.replace(state, first_time_ns=None, last_time_ns=None, consumer_count=0)

    async def stored(self) -> dict[int, str]:
        """Return sequence and subject, without the space, of every stored message; asked one by one."""
        found: dict[int, str] = {}
        for sequence in range(1, (await self.info()).state.last_sequence + 1):
            try:
                message = await self.storage.get_message(self.name, sequence)
            except MessageNotFoundError:
                continue
            found[sequence] = message.subject.removeprefix(f"{self.space}.")
        return found


class Streams:
    """Fresh streams for one check, and the way time passes in it.

    Args:
        storage: where the streams are made.
        storage_type: how the server shall keep them.
        clock: what the storage takes its time from if it can be moved; ``None`` for real time.
    """

    def __init__(self, storage: Storage, *, storage_type: StorageType, clock: AdvancingClock | None = None) -> None:
        self.storage_type = storage_type
        self.names: list[str] = []
        self._storage = storage
        self._clock = clock

    @property
    def clock(self) -> AdvancingClock:
        if self._clock is None:
            raise AssertionError("this check needs a clock that can be moved")
        return self._clock

    def config(self, **changes: Any) -> StreamConfig:
        """Return a configuration with an unused name and an unused subject space."""
        space = f"c{secrets.token_hex(4)[1:]}"
        name = f"CHECK_{space}"
        self.names.append(name)
        defaults = {"name": name, "subjects": (f"{space}.>",), "storage": self.storage_type}
        return StreamConfig(**{**defaults, **changes})

    async def new(self, **changes: Any) -> Stream:
        """Create a stream with *changes* to the defaults of `StreamConfig`."""
        config = self.config(**changes)
        await self._storage.create_stream(config)
        return Stream(self._storage, config, config.name.removeprefix("CHECK_"))

    def tick(self) -> None:
        """Let the next message be stored at a later time than the last one."""
        if self._clock is not None:
            self._clock.advance(0.001)

    async def eventually(self, condition: Callable[[], Awaitable[bool]], what: str) -> None:
        """Let time pass until *condition* holds, at most five seconds."""
        for _ in range(_POLLS):
            if await condition():
                return
            if self._clock is None:
                await asyncio.sleep(_POLL_S)
            else:
                self._clock.advance(_POLL_S)
        raise AssertionError(f"not within {_POLLS * _POLL_S:.0f} s: {what}")


class Reader:
    """Reads one replay with a deadline."""

    def __init__(self, replay: Replay) -> None:
        self.replay = replay
        self._batches = replay.batches()
        self._ahead: list[Message] = []

    async def batch(self) -> Batch:
        """Return the next batch."""
        try:
            async with asyncio.timeout(READ_DEADLINE_S):
                return await anext(self._batches)
        except TimeoutError:
            raise AssertionError(f"expected another batch; none came within {READ_DEADLINE_S} s") from None

    async def take(self, count: int) -> list[Message]:
        """Return the next *count* messages."""
        while len(self._ahead) < count:
            self._ahead += (await self.batch()).messages
        taken, self._ahead = self._ahead[:count], self._ahead[count:]
        return taken

    async def snapshot(self) -> list[Message]:
        """Return the messages up to the point where the replay has caught up."""
        while not self.replay.caught_up:
            self._ahead += (await self.batch()).messages
        return await self.take(len(self._ahead))

    async def sequences(self) -> list[int]:
        """Return the sequences of `snapshot`."""
        return [message.sequence for message in await self.snapshot()]


@asynccontextmanager
async def reading(stream: Stream, *subjects: str, deliver: DeliverPolicy = DELIVER_ALL) -> AsyncGenerator[Reader, None]:
    """Open a replay of *stream*, filtered to *subjects* of its space."""
    filters: Sequence[str] = [stream.subject(subject) for subject in subjects]
    async with stream.storage.replay(stream.name, subjects=filters, deliver=deliver) as replay:
        yield Reader(replay)
