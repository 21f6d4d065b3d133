"""A server in a thread of its own, for tests that are no coroutines."""

import asyncio
import socket
import threading

import nats
import pytest

from lattice_store.errors import InvalidArgumentError
from lattice_store_sim import Auth, SimServer, TcpServer, VirtualClock, serve, serve_in_thread
from tests.tcp.raw import talk

QUIET = b'CONNECT {"verbose":false,"headers":true,"no_responders":true}\r\n'


def said(url: str) -> bytes:
    """Connect without any event loop, and return what comes first."""
    host, port = url.removeprefix("nats://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        return connection.recv(1 << 16)


def test_it_serves_for_as_long_as_the_block_lasts():
    with serve_in_thread(profile="2.12") as server:
        assert b'"version":"2.12.' in said(server.url)
        assert repr(server) == f"ThreadedServer({server.url})"
        assert server.url == f"nats://{server.host}:{server.port}"
    with pytest.raises(ConnectionRefusedError):
        said(server.url)
    with pytest.raises(InvalidArgumentError, match="has ended"):
        server.restart()


def test_no_thread_is_left():
    before = threading.active_count()
    for _ in range(20):
        with serve_in_thread() as server, socket.create_connection(server.address):
            assert threading.active_count() == before + 1
    assert threading.active_count() == before


def test_what_the_start_refuses_is_raised_where_it_is_asked_for():
    before = threading.active_count()
    with pytest.raises(InvalidArgumentError, match="would let other machines in"), serve_in_thread(host="0.0.0.0"):
        pass
    with serve_in_thread() as server, pytest.raises(OSError, match="in use"), serve_in_thread(port=server.port):
        pass
    assert threading.active_count() == before


def test_it_takes_what_serve_takes():
    with serve_in_thread(SimServer(), auth=Auth(token="T"), name="named") as server:
        assert b'"server_name":"named"' in said(server.url)


def test_a_bug_of_the_server_fails_the_test(monkeypatch: pytest.MonkeyPatch):
    def broken(self: TcpServer, *args: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(TcpServer, "greet", broken)
    with pytest.raises(ZeroDivisionError), serve_in_thread() as server, socket.create_connection(server.address):
        while not server.connections:
            pass


def test_a_failure_of_the_test_comes_before_a_bug_of_the_server():
    with pytest.raises(ZeroDivisionError), serve_in_thread() as server:
        server.run(lambda running: running._loop.call_exception_handler({"exception": OSError()}))
        raise ZeroDivisionError


def test_what_runs_in_its_thread_may_fail():
    with serve_in_thread() as server:
        assert server.run(lambda running: running.connections) == 0
        with pytest.raises(ZeroDivisionError):
            server.run(lambda running: 1 // running.connections)


def test_time_moves_when_the_test_says_so():
    with serve_in_thread(SimServer(clock=VirtualClock())) as server:

        async def wait_for_an_hour() -> str:
            client = await nats.connect(server.url)
            stream = client.jetstream()
            await stream.add_stream(name="S", subjects=["s"])
            subscription = await stream.pull_subscribe("s", "D")
            inbox = await client.subscribe("answers")
            request = b'{"batch":1,"expires":3600000000000}'
            await client.publish("$JS.API.CONSUMER.MSG.NEXT.S.D", request, reply="answers")
            await client.flush()
            await asyncio.to_thread(server.advance, 3599)
            await client.flush()
            assert inbox.pending_msgs == 0
            await asyncio.to_thread(server.advance, 1)
            message = await inbox.next_msg(10)
            await subscription.unsubscribe()
            await client.close()
            return str(message.headers["Status"])

        assert asyncio.run(wait_for_an_hour()) == "408"


async def test_the_clock_of_a_server_without_a_thread():
    async with serve(SimServer(clock=VirtualClock())) as server:
        client = await nats.connect(server.url)
        stream = client.jetstream()
        await stream.add_stream(name="S", subjects=["s"], max_age=60)
        await stream.publish("s", b"")
        server.advance(59)
        assert (await stream.stream_info("S")).state.messages == 1
        server.advance(1)
        assert (await stream.stream_info("S")).state.messages == 0
        with pytest.raises(InvalidArgumentError, match="does not go back"):
            server.advance(-1)
        await client.close()


async def test_real_time_is_not_advanced():
    async with serve() as server:
        with pytest.raises(InvalidArgumentError, match="goes by itself"):
            server.advance(1)


def test_a_restart():
    with serve_in_thread() as server:

        async def lose() -> None:
            client = await nats.connect(server.url, allow_reconnect=False)
            closed = asyncio.Event()
            client._closed_cb = lambda: _set(closed)
            await asyncio.to_thread(server.restart)
            await asyncio.wait_for(closed.wait(), 10)
            assert b"PONG" in await talk(server.port, QUIET + b"PING\r\n")

        asyncio.run(lose())


async def _set(event: asyncio.Event) -> None:
    event.set()
