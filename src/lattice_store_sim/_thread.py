"""A simulated server on TCP in a thread of its own: for tests that have no event loop, and for clients that block."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from lattice_store.errors import InvalidArgumentError
from lattice_store_sim._tcp import TcpServer, serve
from lattice_store_sim._wire._faults import Fault

P = ParamSpec("P")
T = TypeVar("T")


class ThreadedServer:
    """A simulated server that runs in a thread of its own; `serve_in_thread` makes one. Any thread may use it."""

    def __init__(self, server: TcpServer, loop: asyncio.AbstractEventLoop) -> None:
        self._server = server
        self._loop = loop
        self.url = server.url
        """Where clients connect."""
        self.host, self.port = server.host, server.port

    def __repr__(self) -> str:
        return f"ThreadedServer({self.url})"

    def run(self, function: Callable[[TcpServer], T]) -> T:
        """Call *function* with the server in the server's thread, and return what it returns.

        Raises:
            InvalidArgumentError: the server has ended.
        """
        done: Future[T] = Future()

        def call() -> None:
            try:
                done.set_result(function(self._server))
            except BaseException as error:  # noqa: BLE001  # it is the caller's
                done.set_exception(error)

        try:
            self._loop.call_soon_threadsafe(call)
        except RuntimeError as error:
            raise InvalidArgumentError(f"{self!r} has ended") from error
        return done.result()

    @property
    def address(self) -> tuple[str, int]:
        """Host and port, as sockets want them."""
        return self.host, self.port

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return self.run(lambda server: server.connections)

    def advance(self, seconds: float) -> None:
        """See `TcpServer.advance`."""
        self.run(lambda server: server.advance(seconds))

    def set_faults(self, *faults: Fault) -> None:
        """Let these go wrong from now on, in place of those before; without any, nothing."""
        self.run(lambda server: server.faults.set(*faults))

    def restart(self) -> None:
        """See `SimServer.restart`."""
        self.run(lambda server: server.sim.restart())


class _Runner:
    """Serves in a thread, until told to end."""

    def __init__(self, serving: AbstractAsyncContextManager[TcpServer]) -> None:
        self._serving = serving
        self._problems: list[BaseException] = []
        self._end: Callable[[], object] = lambda: None
        self.started: Future[ThreadedServer] = Future()
        # Not waited for at the exit of an interpreter that was interrupted in between.
        self._thread = threading.Thread(target=self._run, name="lattice_store_sim", daemon=True)

    def start(self) -> ThreadedServer:
        self._thread.start()
        try:
            return self.started.result()
        except BaseException:
            self.end()
            raise

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001  # raised where the server is used
            if self.started.done():
                self._problems.append(error)
            else:
                self.started.set_exception(error)

    async def _serve(self) -> None:
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        loop.set_exception_handler(self._note)
        self._end = lambda: loop.call_soon_threadsafe(ended.set)
        async with self._serving as server:
            self.started.set_result(ThreadedServer(server, loop))
            await ended.wait()

    def _note(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if (error := context.get("exception")) is not None:
            self._problems.append(error)
        else:
            loop.default_exception_handler(context)

    def end(self) -> list[BaseException]:
        """End the server and its thread; return what went wrong there."""
        if self._thread.is_alive():
            self._end()
            self._thread.join()
        return self._problems


def _in_thread(
    serving: Callable[P, AbstractAsyncContextManager[TcpServer]],
) -> Callable[P, AbstractContextManager[ThreadedServer]]:
    @contextmanager
    @wraps(serving, assigned=())
    def serve_in_thread(*args: P.args, **kwargs: P.kwargs) -> Iterator[ThreadedServer]:
        """Let clients of NATS connect to a simulated server that runs in a thread of its own.

        Arguments as for `serve`. Who shares its `SimServer` must not use that meanwhile, but by `ThreadedServer.run`.

        Raises:
            InvalidArgumentError: the arguments contradict each other, or the server is served already.
            OSError: it cannot listen there.
            Exception: a bug of the server, at the end of the block.
        """
        runner = _Runner(serving(*args, **kwargs))
        server = runner.start()
        try:
            yield server
        except BaseException:
            runner.end()
            raise
        for problem in runner.end():
            raise problem

    return serve_in_thread


serve_in_thread = _in_thread(serve)
