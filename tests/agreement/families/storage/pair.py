"""The simulator and a real server, asked the same and compared answer by answer."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, Final

import attrs
import msgspec

from lattice_store.errors import ApiError, LatticeStoreError
from lattice_store.model import DELIVER_ALL, DeliverPolicy, Message, PubAck, StreamConfig, StreamInfo
from lattice_store.nats import connect
from lattice_store.storage import Storage
from lattice_store_sim import SimServer, SimStorage, VirtualClock
from tests.agreement.ground import Ground
from tests.agreement.pair import DifferenceError
from tests.agreement.sides import KEEPER

READ_DEADLINE_S: Final = 5.0
_KEEPER: Final = StreamConfig(name=KEEPER)

Ask = Callable[[Storage], Awaitable[Any]]


class _TickingClock(VirtualClock):
    """Passes a microsecond whenever it is read, so that no two messages share a time, as on a server."""

    def now_ns(self) -> int:
        self.advance_ns(1000)
        return super().now_ns()


class Pair:
    """Two storages that should not be told apart. Names and subjects are fresh, so nothing is left from before."""

    def __init__(self, ground: Ground, sim: Storage, real: Storage) -> None:
        self.space = f"x{secrets.token_hex(4)}"
        self.sim, self.real = sim, real
        self.tally = ground.tally
        self.trace: list[str] = []

    @classmethod
    async def open(cls, ground: Ground) -> Pair:
        url = ground.simulated_url
        served = None if url is None else await connect(url)
        sim = served or SimStorage(SimServer(clock=_TickingClock(), profile=ground.profile))
        real = await connect(ground.server.url)
        await real.create_stream(_KEEPER)
        ground.tally.examples += 1
        return cls(ground, sim, real)

    async def aclose(self) -> None:
        for storage in (self.real, self.sim):
            for name in await storage.list_streams():
                if name != KEEPER:
                    await storage.delete_stream(name)
            await storage.aclose()

    async def ask(self, rule: str, ask: Ask, what: str) -> Any:
        """Ask both and compare; return the simulator's answer, or `None` for an error."""
        simulated, expected = await _answer(ask, self.sim), await _answer(ask, self.real)
        self.trace.append(f"{what} -> {_comparable(expected)}")
        self.tally.operations += 1
        for each in expected if rule == "publish_many" and isinstance(expected, list) else [expected]:
            self.tally.reached[rule, _label(each)] += 1
        self._compare(what, _comparable(simulated), _comparable(expected))
        return None if isinstance(simulated, LatticeStoreError) else simulated

    async def compare_state(self, name: str) -> None:
        """Compare configuration and state of a stream."""
        simulated, expected = [await _answer(lambda s: s.stream_info(name), s) for s in (self.sim, self.real)]
        self.tally.states += 1
        self._compare(f"state of {name}", _comparable(simulated), _comparable(expected))

    def _compare(self, what: str, simulated: object, expected: object) -> None:
        if simulated != expected:
            text = "\n".join(
                [
                    f"{what}:",
                    f"  the simulator says {simulated!r}",
                    f"  the server says    {expected!r}",
                    "  after",
                    *(f"    {line}" for line in self.trace),
                ]
            ).replace(self.space, "x")
            self.tally.differences.append(text)
            raise DifferenceError(text)


def brief(value: object) -> str:
    """Return *value* without what is as by default, so that a story can be read."""
    if not attrs.has(type(value)):
        return repr(value)
    defaults = {field.name: field.default for field in attrs.fields(type(value))}
    shown = attrs.asdict(value, recurse=False, filter=lambda field, held: bool(held) and held != defaults[field.name])
    return f"{type(value).__name__}({', '.join(f'{name}={brief(held)}' for name, held in shown.items())})"


async def snapshot(
    storage: Storage, stream: str, subjects: tuple[str, ...] = (), deliver: DeliverPolicy = DELIVER_ALL
) -> tuple[int, list[Message]]:
    """Return what was pending before the first message, and every message up to caught up."""
    async with asyncio.timeout(READ_DEADLINE_S), storage.replay(stream, subjects=subjects, deliver=deliver) as replay:
        pending, received = replay.pending, []
        if not replay.caught_up:
            async for batch in replay.batches():
                received += batch.messages
                if batch.caught_up:
                    break
        return pending, received


async def _answer(ask: Ask, storage: Storage) -> Any:
    try:
        return await ask(storage)
    except LatticeStoreError as error:
        return error


def _label(answer: Any) -> str:
    """Name an answer for the table: an ack, a class of error, a server's text up to its numbers."""
    if isinstance(answer, ApiError):
        return f"{answer.err_code} {re.sub('[0-9]+', 'N', answer.description.partition(':')[0])}"
    if isinstance(answer, LatticeStoreError):
        return type(answer).__name__
    return "duplicate" if isinstance(answer, PubAck) and answer.duplicate else "ok"


def _comparable(answer: Any) -> Any:
    """Return *answer* without what cannot agree: times, and the words of errors that are not the server's."""
    match answer:
        case ApiError():
            text = answer.description.partition("invalid JSON")[0]
            return type(answer).__name__, answer.code, answer.err_code, text, answer.outcome.name
        case LatticeStoreError():
            return type(answer).__name__, answer.outcome.name
        case StreamInfo():
            state = answer.state
            times = [time is None for time in (state.first_time_ns, state.last_time_ns)]
            return answer.config, msgspec.structs.replace(state, first_time_ns=None, last_time_ns=None), times
        case Message():
            return answer.subject, answer.sequence, answer.headers.block, answer.payload
        case list() | tuple() if not hasattr(answer, "_fields"):
            return [_comparable(each) for each in answer]
        case _:
            return answer
