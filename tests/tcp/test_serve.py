"""The shell on TCP: begin and end, many connections, who is slow, stale or late, and what else happens in the process."""

from __future__ import annotations

import asyncio
import gc
import json
import ssl
from contextlib import suppress
from pathlib import Path

import nats
import pytest

from lattice_store.errors import InvalidArgumentError
from lattice_store.model import DeliverAll, StorageType, StreamConfig
from lattice_store.nats import connect
from lattice_store_sim import Auth, SimServer, SimStorage, TcpServer, VirtualClock, WireLimits, serve

MS = 1_000_000
QUIET = b'CONNECT {"verbose":false,"headers":true,"no_responders":true}\r\n'
TLS = Path(__file__).parents[1] / "nats/tls"


class Raw:
    """A client that reads only what it is told to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def to(cls, server: TcpServer) -> Raw:
        raw = cls(*await asyncio.open_connection(server.host, server.port))
        assert (await raw.reader.readline()).startswith(b"INFO ")
        raw.writer.write(QUIET)
        return raw

    async def say(self, *lines: bytes) -> bytes:
        """Say lines; return what comes back before the server has seen the last of them."""
        self.writer.write(b"".join(lines) + b"PING\r\n")
        return (await self.reader.readuntil(b"PONG\r\n")).removesuffix(b"PONG\r\n")

    async def rest(self) -> bytes:
        """Return what comes until the server hangs up."""
        try:
            return await self.reader.read()
        except ConnectionError:
            return b"cut"

    def leave(self) -> None:
        self.writer.transport.abort()


async def test_a_server_names_itself_alike_everywhere() -> None:
    async with serve(name="sim-1") as server, await nats.connect(server.url) as client:
        js = client.jetstream()
        await js.add_stream(name="S", subjects=["s"])
        info = json.loads((await client.request("$JS.API.STREAM.INFO.S", b"")).data)
        assert info["cluster"]["leader"] == client._server_info["server_name"] == "sim-1"
        heard = await client.subscribe("$JS.EVENT.ADVISORY.API")
        await js.account_info()
        told = json.loads((await heard.next_msg(timeout=5)).data)
        assert (told["server"], told["client"]["server"]) == ("sim-1", "sim-1")


# -- begin and end -----------------------------------------------------------------------------------


async def test_it_listens_at_its_url(server: TcpServer) -> None:
    assert server.url == f"nats://127.0.0.1:{server.port}"
    assert repr(server) == f"TcpServer({server.url})"
    raw = await Raw.to(server)
    assert await raw.say(b"SUB a 1\r\nPUB a 1\r\nx\r\n") == b"MSG a 1 1\r\nx\r\n"
    assert server.connections == 1
    raw.leave()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
async def test_it_lets_nobody_in_from_outside(host: str) -> None:
    with pytest.raises(InvalidArgumentError, match="allow_remote=True"):
        async with serve(host=host):
            pass


async def test_it_lets_others_in_where_that_is_wanted() -> None:
    async with serve(host="0.0.0.0", allow_remote=True) as server:
        assert server.url.startswith("nats://0.0.0.0:")


async def test_a_server_is_served_once() -> None:
    sim = SimServer()
    async with serve(sim) as server:
        with pytest.raises(InvalidArgumentError, match="served already"):
            async with serve(sim):
                pass
        with pytest.raises(InvalidArgumentError, match="profile"):
            async with serve(sim, profile="2.12"):
                pass
    with pytest.raises(OSError, match=str(server.port)):
        await asyncio.open_connection(server.host, server.port)
    async with serve(sim, port=server.port) as again:
        assert again.port == server.port


async def test_a_port_that_is_taken_leaves_the_server_free(server: TcpServer) -> None:
    sim = SimServer()
    with pytest.raises(OSError, match="in use"):
        async with serve(sim, port=server.port):
            pass
    async with serve(sim):
        pass


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def servers() -> int:
    return sum(isinstance(one, TcpServer) for one in gc.get_objects())


@pytest.mark.slow
async def test_many_starts_and_stops_leave_nothing_behind() -> None:
    async def once(*, stays: bool) -> None:
        async with serve() as server:
            raw = await Raw.to(server)
            await raw.say(b"SUB a 1\r\nPUB $JS.API.STREAM.CREATE.S 0\r\n\r\n")
            if not stays:
                raw.leave()
        if stays:
            assert await raw.rest() == b""
            raw.leave()

    for _ in range(3):
        await once(stays=True)
    await asyncio.sleep(0)
    gc.collect()
    files, tasks, before = open_files(), len(asyncio.all_tasks()), servers()  # a test before may have left its own
    for number in range(500):
        await once(stays=number % 2 == 0)
    await asyncio.sleep(0)
    gc.collect()
    assert (open_files(), len(asyncio.all_tasks())) == (files, tasks)
    assert servers() <= before


async def test_the_end_is_announced(server: TcpServer) -> None:
    raw = await Raw.to(server)
    raw.writer.write(b'CONNECT {"protocol":1}\r\n')
    await raw.say()
    await raw.reader.readline()
    server.announce_end()
    info = json.loads((await raw.reader.readline()).removeprefix(b"INFO "))
    assert info["ldm"]
    assert await raw.say(b"SUB a 1\r\nPUB a 1\r\nx\r\n") == b"MSG a 1 1\r\nx\r\n"
    with pytest.raises(OSError, match="Connect"):
        await asyncio.open_connection(server.host, server.port)
    raw.leave()


# -- clients that are slow, stale, late or many ------------------------------------------------------


async def test_a_client_that_does_not_read_holds_up_nobody_and_is_cut() -> None:
    async with serve(limits=WireLimits(max_pending=1 << 20)) as server:
        stalled, reader, writer = [await Raw.to(server) for _ in range(3)]
        await stalled.say(b"SUB a 1\r\n")
        await reader.say(b"SUB a 1\r\n")
        message = b"PUB a 100000\r\n" + b"x" * 100_000 + b"\r\n"
        for _ in range(100):
            await writer.say(message)
            assert (await reader.reader.readuntil(b"\r\n")) == b"MSG a 1 100000\r\n"
            await reader.reader.readexactly(100_002)
            if server.connections == 2:
                break
        assert server.connections == 2
        assert len(await stalled.rest()) < 100 * 100_000
        for raw in (stalled, reader, writer):
            raw.leave()


async def test_a_client_that_reads_nothing_for_long_is_cut() -> None:
    async with serve(limits=WireLimits(write_deadline_ns=10 * MS)) as server:
        stalled, writer = [await Raw.to(server) for _ in range(2)]
        await stalled.say(b"SUB a 1\r\n")
        for _ in range(100):
            await writer.say(b"PUB a 1000000\r\n" + b"x" * 1_000_000 + b"\r\n")
            if server.connections == 1:
                break
        async with asyncio.timeout(5):
            while server.connections > 1:
                await asyncio.sleep(0.001)
        stalled.leave()
        writer.leave()


async def test_a_client_that_does_not_answer_is_stale() -> None:
    async with serve(limits=WireLimits(ping_interval_ns=2 * MS, max_pings_out=2)) as server:
        raw = await Raw.to(server)
        assert await raw.rest() == b"PING\r\nPING\r\n-ERR 'Stale Connection'\r\n"
        raw.leave()


async def test_a_client_that_answers_is_not() -> None:
    async with serve(limits=WireLimits(ping_interval_ns=2 * MS, max_pings_out=1)) as server:
        raw = await Raw.to(server)
        for _ in range(5):
            assert await raw.reader.readline() == b"PING\r\n"
            raw.writer.write(b"PONG\r\n")
        raw.leave()


async def test_a_client_too_many() -> None:
    async with serve(limits=WireLimits(max_connections=1)) as server:
        raw = await Raw.to(server)
        refused = await Raw.to(server)
        assert await refused.rest() in (b"-ERR 'maximum connections exceeded'\r\n", b"cut")
        raw.leave()
        refused.leave()


async def test_a_default_of_the_server_can_be_another() -> None:
    async with serve(limits=WireLimits(max_payload=10, max_control_line=500, max_subscriptions=1), name="N") as server:
        raw = await Raw.to(server)
        assert await raw.say(b"SUB a 1\r\nSUB b 2\r\n") == b"-ERR 'maximum subscriptions exceeded'\r\n"
        raw.writer.write(b"PUB a 11\r\n")
        assert await raw.rest() == b"-ERR 'Maximum Payload Violation'\r\n"
        client = await nats.connect(server.url)
        assert client.max_payload == 10
        assert client._server_info["server_name"] == "N"
        await client.close()
        raw.leave()


# -- time --------------------------------------------------------------------------------------------


async def test_what_comes_due_is_sent_in_real_time(server: TcpServer) -> None:
    client = await nats.connect(server.url)
    stream = client.jetstream()
    await stream.add_stream(name="S", subjects=["s"])
    pull = await stream.pull_subscribe("s", "d")
    with pytest.raises(nats.errors.TimeoutError):
        await pull.fetch(1, timeout=0.05)
    await stream.publish("s", b"x")
    assert [one.data for one in await pull.fetch(1, timeout=5)] == [b"x"]
    await client.close()


async def test_what_comes_due_is_sent_when_a_virtual_clock_says_so() -> None:
    clock = VirtualClock()
    async with serve(SimServer(clock=clock)) as server:
        raw = await Raw.to(server)
        create = b'{"name":"S","subjects":["s"],"storage":"memory"}'
        consumer = b'{"stream_name":"S","config":{"durable_name":"d","ack_policy":"explicit"}}'
        await raw.say(
            b"PUB $JS.API.STREAM.CREATE.S %d\r\n%b\r\n" % (len(create), create),
            b"PUB $JS.API.CONSUMER.DURABLE.CREATE.S.d %d\r\n%b\r\n" % (len(consumer), consumer),
            b"SUB r 1\r\n",
        )
        wanted = b'{"batch":1,"expires":60000000000}'
        await raw.say(b"PUB $JS.API.CONSUMER.MSG.NEXT.S.d r %d\r\n%b\r\n" % (len(wanted), wanted))
        clock.advance(59)
        assert await raw.say() == b""
        clock.advance(1)
        assert (await raw.reader.readuntil(b"\r\n\r\n\r\n")).split(b"\r\n")[1] == b"NATS/1.0 408 Request Timeout"
        raw.leave()


# -- in one process with others ----------------------------------------------------------------------

CONFIG = StreamConfig(name="S", subjects=("s.>",), storage=StorageType.MEMORY)


async def test_a_storage_in_the_process_and_clients_see_each_other() -> None:
    sim = SimServer()
    async with serve(sim) as server, SimStorage(sim) as inside, await connect(server.url) as outside:
        await inside.create_stream(CONFIG)
        async with inside.replay("S", deliver=DeliverAll()) as here, outside.replay("S", deliver=DeliverAll()) as there:
            await outside.publish("s.1", b"from outside")
            await inside.publish("s.2", b"from inside")
            for replay in (here, there):
                seen: list[bytes] = []
                async for batch in replay.batches():
                    seen += [message.payload for message in batch.messages]
                    if len(seen) == 2:
                        break
                assert seen == [b"from outside", b"from inside"]


async def test_subscribers_see_what_is_published_in_the_process() -> None:
    sim = SimServer()
    async with serve(sim) as server, SimStorage(sim) as inside:
        raw = await Raw.to(server)
        await raw.say(b"SUB s.* 1\r\n")
        await inside.create_stream(CONFIG)
        await inside.publish("s.1", b"x", message_id="one")
        await inside.publish("s.1", b"x", message_id="one")
        assert (await raw.say()).count(b"HMSG s.1 1 30 31\r\nNATS/1.0\r\nNats-Msg-Id: one\r\n\r\nx\r\n") == 2
        raw.leave()


async def test_a_restart_loses_connections_and_what_is_in_memory() -> None:
    sim = SimServer()
    async with serve(sim) as server, SimStorage(sim) as inside:
        await inside.create_stream(CONFIG)
        raw = await Raw.to(server)
        await raw.say(b"SUB s.1 1\r\n")
        sim.restart()
        assert await raw.rest() == b""
        assert await inside.list_streams() == ()
        again = await Raw.to(server)
        assert await again.say(b"PUB s.1 1\r\nx\r\n") == b""
        raw.leave()
        again.leave()


async def test_going_back_to_a_snapshot_loses_connections() -> None:
    sim = SimServer(clock=VirtualClock())
    async with serve(sim) as server, SimStorage(sim) as inside:
        await inside.create_stream(CONFIG)
        raw = await Raw.to(server)
        await raw.say(b"SUB s.1 1\r\n")
        kept = sim.snapshot()
        await inside.publish("s.1", b"x")
        sim.restore(kept)
        assert b"MSG s.1 1 1" in await raw.rest()
        assert not sim._core.context.interest.has("s.1")
        again = await Raw.to(server)
        await again.say(b"SUB s.1 1\r\n")
        await inside.publish("s.1", b"y")
        assert await again.say() == b"MSG s.1 1 1\r\ny\r\n"
        raw.leave()
        again.leave()


# -- TLS ---------------------------------------------------------------------------------------------


def certified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / "cert.pem", TLS / "key.pem")
    return context


def trusting() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(TLS / "cert.pem"))


@pytest.mark.parametrize("first", [False, True])
async def test_a_connection_is_encrypted(first: bool) -> None:
    async with serve(tls=certified(), tls_first=first, auth=Auth(token="T")) as server:
        assert server.url.startswith("tls://")
        client = await nats.connect(server.url, tls=trusting(), tls_handshake_first=first, token="T")
        heard = await client.subscribe("a")
        await client.publish("a", b"x" * 100_000)
        assert len((await heard.next_msg(timeout=5)).data) == 100_000
        await client.close()


async def test_what_comes_with_the_end_of_the_handshake_is_heard() -> None:
    """As node sends it: the last of the handshake and CONNECT in one write."""
    async with serve(tls=certified()) as server:
        reader, writer = await asyncio.open_connection(server.host, server.port)
        await reader.readline()
        come, gone = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = trusting().wrap_bio(come, gone, server_hostname="127.0.0.1")
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                writer.write(gone.read())
                come.write(await reader.read(65536))
        tls.write(QUIET + b"PING\r\n")
        writer.write(gone.read())
        answer = b""
        while not answer:
            come.write(await asyncio.wait_for(reader.read(65536), 5))
            with suppress(ssl.SSLWantReadError):
                answer = tls.read()
        assert answer == b"PONG\r\n"
        writer.transport.abort()


async def test_who_does_not_encrypt_is_not_served() -> None:
    async with serve(tls=certified()) as server:
        reader, writer = await asyncio.open_connection(server.host, server.port)
        info = json.loads((await reader.readline()).removeprefix(b"INFO "))
        assert info["tls_required"]
        writer.write(QUIET + b"PING\r\n")
        assert b"PONG" not in await Raw(reader, writer).rest()
        writer.transport.abort()


@pytest.mark.parametrize("leaves", [False, True])
@pytest.mark.parametrize("first", [False, True])
async def test_who_does_not_begin_to_encrypt_holds_up_nothing(first: bool, leaves: bool) -> None:
    limits = WireLimits(tls_timeout_ns=100 * MS)
    async with serve(tls=certified(), tls_first=first, limits=limits) as server:
        _, writer = await asyncio.open_connection(server.host, server.port)
        while not server.connections:
            await asyncio.sleep(0)
        if leaves:
            writer.transport.abort()
            while server.connections:
                await asyncio.sleep(0.001)
    writer.transport.abort()
