"""What a server on TCP takes: memory and files, with many clients and with some that do not read."""

from __future__ import annotations

import asyncio
import gc
import resource
from collections.abc import Iterator

import nats
import pytest
from nats.js.api import ConsumerConfig

from lattice_store_sim import TcpServer, WireLimits, serve
from tests.fuzz.attack import memory_bytes
from tests.tcp.test_serve import Raw

pytestmark = pytest.mark.slow
MB = 1 << 20


@pytest.fixture
def many_files() -> Iterator[None]:
    """A connection within a process is two files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_five_hundred_servers_that_were_worked_with_leave_no_memory() -> None:
    async def once() -> None:
        async with serve() as server:
            client = await nats.connect(server.url)
            jetstream = client.jetstream()
            await jetstream.add_stream(name="S", subjects=["s.>"])
            pulled = await jetstream.pull_subscribe("s.>", "d", "S", config=ConsumerConfig(ack_wait=1000))
            pushed = await jetstream.subscribe("s.>")
            await jetstream.publish("s.1", bytes(10_000))
            (message,) = await pulled.fetch(1)
            await message.ack()
            await pushed.next_msg()
            await client.close()

    found = [one for one in gc.get_objects() if isinstance(one, TcpServer)]
    for _ in range(50):
        await once()
    gc.collect()
    before = memory_bytes()
    for _ in range(500):
        await once()
    await asyncio.sleep(0)  # the last connections are let go of
    gc.collect()
    assert memory_bytes() - before < 5 * MB
    assert len([one for one in gc.get_objects() if isinstance(one, TcpServer)]) <= len(found)


async def test_a_thousand_connections_at_once(many_files: None) -> None:
    async with serve() as server:
        clients = [await Raw.to(server) for _ in range(1000)]
        await asyncio.gather(*(client.say(b"SUB a 1\r\nSUB b q 2\r\n") for client in clients))
        assert server.connections == 1000
        await clients[0].say(*(b"PUB b %d\r\n%d\r\n" % (len(str(each)), each) for each in range(1000)))
        clients[0].writer.write(b"PUB a 3\r\nall\r\n")
        heard = [await client.reader.readuntil(b"MSG a 1 3\r\nall\r\n") for client in clients[1:]]
        assert {one.count(b"MSG b 2") for one in heard} == {1}  # in turn
        for client in clients:
            client.leave()
        async with asyncio.timeout(5):
            while server.connections:
                await asyncio.sleep(0)


@pytest.mark.parametrize("asked", ["core", "push", "answers"])
async def test_what_waits_for_a_client_that_does_not_read_is_bounded(asked: str) -> None:
    """Whoever sends: other clients, a consumer without flow control, the server by answering."""
    async with serve(limits=WireLimits(max_pending=4 * MB)) as server:
        stalled, writer = [await Raw.to(server) for _ in range(2)]
        await writer.say(b'PUB $JS.API.STREAM.CREATE.S 29\r\n{"name":"S","subjects":["s"]}\r\n')
        message = b"PUB s 100000\r\n" + bytes(100_000) + b"\r\n"
        if asked == "push":
            for _ in range(200):
                await writer.say(message)
        gc.collect()
        before = most = memory_bytes()
        body = b'{"stream_name":"S","config":{"deliver_subject":"d","ack_policy":"none"}}'
        create = b"PUB $JS.API.CONSUMER.CREATE.S %d\r\n%b\r\n" % (len(body), body)
        await stalled.say(b"SUB x 1\r\nSUB d 2\r\nSUB r 3\r\n")
        for _ in range(400):
            match asked:
                case "core":
                    await writer.say(message.replace(b"PUB s", b"PUB x"))
                case "push":
                    await writer.say(create)
                case _:
                    stalled.writer.write(b"PUB $JS.API.INFO r 0\r\n\r\n" * 1000)
                    await asyncio.sleep(0)
            most = max(most, memory_bytes())
            if server.connections == 1:
                break
        assert server.connections == 1
        assert most - before < 60 * MB
        stalled.leave()
        writer.leave()
