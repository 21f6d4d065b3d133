"""The processes that measure: one task each, in turns, while nothing else of ours runs."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import attrs
import msgspec

from lattice_store.cli._bench._task import FOREIGN, Measured, MeasurementError, Task, Where

_PATIENCE_S: Final = 30.0
_PATIENCE_A_KEY_S: Final = 2e-4
"""Ten times what the slowest path takes: nats-py's ordered consumer waits for ever once it has lost a message."""
ENDS_EARLY: Final = frozenset(("watchall",))
"""Says now and then "end" before it is: such a run is done again, and counted."""
COUNTS_MESSAGES: Final = frozenset(("drain",))
_FORGIVEN: Final = 10


@attrs.define
class Runs:
    """What one path took, run by run."""

    measured: list[Measured] = attrs.field(factory=list)
    partial: int = 0
    """Runs that ended before all records were there, and do not count."""
    failure: str = ""
    """Why a path of another library was given up."""


async def in_turns(
    tasks: Mapping[str, Task],
    runs: int,
    tell: Callable[[str, int], None],
    *,
    before: Callable[[], Awaitable[None]] | None = None,
) -> dict[str, Runs]:
    """Do every task *runs* times: A B C, A B C, …, so that a noisy machine spoils none alone.

    Args:
        tasks: what to do, by the name to report it under.
        runs: how often.
        tell: called with name and number of what begins.
        before: what must be done anew for each, off the clock.

    Raises:
        MeasurementError: with our own library a process failed, or read or wrote another number of records.
    """
    found = {name: Runs() for name in tasks}
    for number in range(runs):
        for name, task in tasks.items():
            tell(name, number)
            if found[name].failure:
                continue
            if before is not None:
                await before()
            try:
                await _until_whole(msgspec.structs.replace(task, number=number), found[name])
            except MeasurementError as error:
                if task.path not in FOREIGN:
                    raise
                found[name].failure = str(error)
    return found


async def _until_whole(task: Task, runs: Runs) -> None:
    measured = await do(task)
    while not _is_whole(task, measured):
        runs.partial += 1
        if task.path not in ENDS_EARLY or runs.partial > _FORGIVEN:
            raise MeasurementError(f"{task.path} ended with {measured.records} of {task.keys} records")
        measured = await do(task)
    runs.measured.append(measured)


def _is_whole(task: Task, measured: Measured) -> bool:
    if task.path in COUNTS_MESSAGES:  # one that was updated meanwhile came twice
        return measured.records >= task.keys
    return measured.records == task.keys


async def do(task: Task) -> Measured:
    """Let a new process do *task*."""
    seconds = _PATIENCE_S + _PATIENCE_A_KEY_S * task.keys
    async with _process() as process:
        try:
            async with asyncio.timeout(seconds):
                out, err = await process.communicate(msgspec.json.encode(task) + b"\n")
        except TimeoutError:
            raise MeasurementError(f"{task.path} did not end within {seconds:.0f} s") from None
    return _result(task, process, out, err)


def _result(task: Task, process: asyncio.subprocess.Process, out: bytes, err: bytes) -> Measured:
    if process.returncode != 0:
        lines = err.decode(errors="replace").split("\n")
        said = next((line for line in reversed(lines) if line.strip()), f"exit code {process.returncode}")
        raise MeasurementError(f"{task.path} failed: {said}")
    return msgspec.json.decode(out, type=Measured)


@asynccontextmanager
async def _process() -> AsyncIterator[asyncio.subprocess.Process]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "lattice_store.cli._bench"), stdin=pipe, stdout=pipe, stderr=pipe
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


@asynccontextmanager
async def writing(task: Task, writers: int) -> AsyncIterator[list[Measured]]:
    """Let *writers* processes do *task* until the block ends; the list holds then what each did."""
    done: list[Measured] = []
    async with AsyncExitStack() as stack:
        processes = [await stack.enter_async_context(_process()) for _ in range(writers)]
        for process in processes:
            assert process.stdin is not None
            process.stdin.write(msgspec.json.encode(task) + b"\n")
        yield done
        for process in processes:
            out, err = await process.communicate(b"")  # before 3.12, nothing to say would leave it open
            done.append(_result(task, process, out, err))


@asynccontextmanager
async def counting(where: Where) -> AsyncIterator[tuple[Where, list[int]]]:
    """Put a relay before a server that counts the bytes it sends; the list holds them."""
    parts = urlsplit(where.url)
    received = [0]
    tasks: set[asyncio.Task[None]] = set()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection(parts.hostname, parts.port or 4222)
        tasks.add(asyncio.ensure_future(_pump(reader, server_writer, [0])))
        tasks.add(asyncio.ensure_future(_pump(server_reader, writer, received)))

    server = await asyncio.start_server(relay, "127.0.0.1")
    port = server.sockets[0].getsockname()[1]
    user, at, _ = parts.netloc.rpartition("@")
    relayed = urlunsplit((parts.scheme, f"{user}{at}127.0.0.1:{port}", "", "", ""))
    try:
        yield msgspec.structs.replace(where, url=relayed), received
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, count: list[int]) -> None:
    with suppress(OSError):
        while data := await reader.read(1 << 18):
            count[0] += len(data)
            writer.write(data)
            await writer.drain()
    writer.close()
