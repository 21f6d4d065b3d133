"""nats-py as it is, on a real server and on the simulator: every test runs on both, and asserts what the real one does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import nats
import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext

from lattice_store.nats import LocalServer
from tests.clients.running import RealRunning, Running, Setup, running, until

KEPT = "KEPT"
"""A stream that keeps a shared server from removing its store, which another test's stream may then not find."""

Connect = Callable[..., Awaitable[Client]]
Start = Callable[..., Awaitable[Running]]


@pytest.fixture(params=["nats", "serve"])
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="session")
def shared_server() -> Iterator[LocalServer]:
    """One real server for the whole run; without a nats-server this fails, for a skipped proof is none."""
    with LocalServer() as server:
        yield server


@pytest.fixture
async def start(kind: str) -> AsyncIterator[Start]:
    """Start a server of one's own: ``await start(auth=…, limits=…, tls=True)``."""
    async with AsyncExitStack() as stack:

        async def start(**settings: Any) -> Running:
            return await stack.enter_async_context(running(kind, Setup(**settings)))

        yield start


@pytest.fixture
async def own(start: Start) -> Running:
    """A server of this test's own, which it may stop."""
    return await start()


@pytest.fixture
async def server(kind: str, request: pytest.FixtureRequest) -> AsyncIterator[Running]:
    """A server without streams; a real one is shared, so that none may stop it."""
    if kind == "serve":
        async with running(kind, Setup()) as simulated:
            yield simulated
        return
    shared = RealRunning(request.getfixturevalue("shared_server"))
    async with await nats.connect(shared.url) as keeper:
        js = keeper.jetstream()
        await js.add_stream(name=KEPT, subjects=["kept"])
        yield shared
        for info in await js.streams_info():
            if info.config.name != KEPT:
                await js.delete_stream(info.config.name)
    folder = shared.streams_folder
    await until(
        lambda: [one.name for one in folder.iterdir()] == [KEPT]
    )  # a new stream may find the old one's messages


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Connect clients, which are closed at the end: ``await connect(server.url, …)``."""
    clients: list[Client] = []

    async def connect(url: str, **options: Any) -> Client:
        client = Client()
        clients.append(client)
        await client.connect(url, **options)
        return client

    yield connect
    for client in clients:
        await client.close()


@pytest.fixture
async def nc(server: Running, connect: Connect) -> Client:
    return await connect(server.url)


@pytest.fixture
async def js(nc: Client) -> JetStreamContext:
    return nc.jetstream()
