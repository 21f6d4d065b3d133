"""Many connections that say what they should not, and one client that must not notice."""

from __future__ import annotations

import asyncio
import gc
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import attrs
import nats
from nats.aio.client import Client as Nats
from nats.aio.msg import Msg

from lattice_store.clock import SystemClock
from lattice_store.limits import SECOND_NS
from lattice_store_sim import TcpServer, serve
from lattice_store_sim._core import _invariants
from tests.fuzz.grammar import Grammar

_PATIENCE_S: Final = 30.0
_STREAM: Final = "BYSTANDER"
_SUBJECT: Final = "by.stander"
_ECHO: Final = "by.echo"
_AT_A_TIME: Final = 16
_ROUND: Final = 500
"""Sequences between two times that all is cleaned up and looked at."""
_SHOWN_FRAMES: Final = 8
_ABRUPT: Final = 5
"""One connection in so many is cut without waiting for the end of the answer."""


class UnharmedError(AssertionError):
    """The server did not bear it."""


@attrs.define
class Report:
    """What was seen of the server meanwhile."""

    sequences: int = 0
    connections: int = 0
    answered_bytes: int = 0
    bystander_rounds: int = 0
    slowest_round_ms: float = 0.0
    first_memory: int = 0
    last_memory: int = 0
    most_memory: int = 0

    @property
    def growth(self) -> int:
        """How much more memory was in use at the worst time than at the beginning."""
        return self.most_memory - self.first_memory


class _Attacker(asyncio.Protocol):
    def __init__(self) -> None:
        self.heard = 0
        self.ended = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        self.heard += len(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_result(None)


class Attack:
    """One server under attack.

    Args:
        seed: of all sequences.
    """

    def __init__(self, seed: int) -> None:
        self.report = Report()
        self._seed = seed
        self._escaped: dict[str, str] = {}
        self._under_way: set[int] = set()
        self._over = False

    async def run(self, first: int, count: int) -> Report:
        """Say so many sequences.

        Raises:
            UnharmedError: an exception escaped, or something hung, or the bystander was harmed.
        """
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._note)
        try:
            async with serve() as server, self._bystander(server):
                done = first
                while done < first + count:
                    upto = min(done + _ROUND, first + count)
                    await self._say(server, range(done, upto))
                    done = upto
                    await self._look(server)
        finally:
            loop.set_exception_handler(None)
        self._complain()
        return self.report

    # -- what must not happen -------------------------------------------------------------------

    def _note(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Keep one exception of each kind: where it was raised tells them apart."""
        error = context.get("exception")
        frames = traceback.extract_tb(error.__traceback__) if error else []
        shown = "".join(traceback.format_exception(error, limit=-_SHOWN_FRAMES)) if error else ""
        place = str(frames[-1]) if frames else ""
        told = f"{context.get('message')}\n{shown}among sequences {sorted(self._under_way)}"
        self._escaped.setdefault(f"{type(error)} {place}", told)

    def _complain(self) -> None:
        if self._escaped:
            raise UnharmedError("\n\n".join(self._escaped.values()))

    # -- attackers ------------------------------------------------------------------------------

    async def _say(self, server: TcpServer, numbers: range) -> None:
        left = iter(numbers)

        async def attack() -> None:
            for number in left:
                self._under_way.add(number)
                await self._attack(server.port, number)
                self._under_way.discard(number)

        async with asyncio.TaskGroup() as group:
            for _ in range(_AT_A_TIME):
                group.create_task(attack())

    async def _attack(self, port: int, number: int) -> None:
        grammar = Grammar(f"{self._seed} {number}")
        said = grammar.sequence()
        transport, attacker = await asyncio.get_running_loop().create_connection(_Attacker, "127.0.0.1", port)
        for piece in grammar.pieces(said):
            if not transport.is_closing():
                transport.write(piece)
            await asyncio.sleep(0)
        if number % _ABRUPT == 0:
            transport.abort()
        elif not transport.is_closing():
            with suppress(OSError):  # the server may have hung up this moment
                transport.write_eof()
        try:
            await asyncio.wait_for(attacker.ended, _PATIENCE_S)
        except TimeoutError:
            raise UnharmedError(f"sequence {number} got no end: {said[:2000]!r}") from None
        self.report.sequences += 1
        self.report.connections += 1
        self.report.answered_bytes += attacker.heard

    # -- what is looked at ----------------------------------------------------------------------

    async def _look(self, server: TcpServer) -> None:
        """Look whether the server's books are right, and delete what the attackers made."""
        _invariants.check(server.sim._core)
        async with asyncio.timeout(_PATIENCE_S):
            client = await nats.connect(server.url, allow_reconnect=False)
            for info in await client.jetstream().streams_info():
                if info.config.name != _STREAM:
                    await client.jetstream().delete_stream(info.config.name)
            await client.close()
        gc.collect()
        report = self.report
        report.last_memory = memory_bytes()
        report.first_memory = report.first_memory or report.last_memory
        report.most_memory = max(report.most_memory, report.last_memory)

    @asynccontextmanager
    async def _bystander(self, server: TcpServer) -> AsyncIterator[None]:
        """Publish, read and ask, over and over: each answer must come, be right, and be in time."""
        lost: list[str] = []

        async def note_loss() -> None:
            lost.append("the bystander was disconnected")

        asking = await nats.connect(server.url, disconnected_cb=note_loss, allow_reconnect=False)
        answering = await nats.connect(server.url, disconnected_cb=note_loss, allow_reconnect=False)
        await answering.subscribe(_ECHO, cb=_echo)
        await asking.jetstream().add_stream(name=_STREAM, subjects=[_SUBJECT], max_msgs=10)
        rounds = asyncio.create_task(self._go_round(asking, lost))
        try:
            yield
        finally:
            self._over = True  # nats-py may swallow a cancellation
            (harm,) = await asyncio.gather(rounds, return_exceptions=True)
            lost.clear()
            await asking.close()
            await answering.close()
        if harm is not None:
            raise UnharmedError("the bystander was harmed") from harm

    async def _go_round(self, client: Nats, lost: list[str]) -> None:
        jetstream, clock, report = client.jetstream(), SystemClock(), self.report
        while not self._over:
            began_ns = clock.monotonic_ns()
            payload = b"%d" % report.bystander_rounds
            async with asyncio.timeout(_PATIENCE_S):
                ack = await jetstream.publish(_SUBJECT, payload, timeout=_PATIENCE_S)
                stored = await jetstream.get_msg(_STREAM, ack.seq)
                answer = await client.request(_ECHO, payload, timeout=_PATIENCE_S)
            report.bystander_rounds += 1
            if (ack.seq, stored.data, answer.data) != (report.bystander_rounds, payload, payload):
                raise UnharmedError(f"round {report.bystander_rounds}: {ack}, {stored}, {answer}")
            took_ns = clock.monotonic_ns() - began_ns
            report.slowest_round_ms = max(report.slowest_round_ms, took_ns * 1000 / SECOND_NS)
            if lost:
                raise UnharmedError(lost[0])


async def _echo(message: Msg) -> None:
    await message.respond(message.data)


def memory_bytes() -> int:
    """Return how much memory this process has in use."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))
