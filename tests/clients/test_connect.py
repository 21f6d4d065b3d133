"""Connecting: options, what is told of the server, flush and round trips, draining, closing."""

import asyncio

import nats
import nats.errors
import pytest
from nats.aio.client import Client

from lattice_store_sim import WireLimits
from tests.clients.running import settle, until


async def test_what_the_server_says_of_itself(nc):
    info = nc._server_info
    assert (info["version"], info["proto"], info["headers"], info["max_payload"]) == ("2.15.1", 1, True, 1 << 20)
    assert (info["jetstream"], info["api_lvl"], info["host"]) == (True, 5, "127.0.0.1")
    assert len(info["server_id"]) == 56
    assert info["server_id"].startswith("N")
    assert info["server_name"] == info["server_id"]
    assert "auth_required" not in info
    assert "tls_required" not in info
    assert "nonce" not in info
    version = nc.connected_server_version
    assert (version.major, version.minor, version.patch, version.dev) == (2, 15, 1, "")
    assert nc.max_payload == 1 << 20
    assert nc.client_ip == "127.0.0.1"


async def test_the_fields_of_info(nc):
    assert set(nc._server_info) == {
        "server_id", "server_name", "version", "proto", "git_commit", "go", "host", "port", "headers", "max_payload",
        "jetstream", "client_id", "client_ip", "api_lvl", "xkey",
    }  # fmt: skip


async def test_clients_have_numbers_of_their_own(server, connect):
    numbers = [(await connect(server.url)).client_id for _ in range(4)]
    assert numbers == sorted(set(numbers))
    assert numbers[0] > 0


@pytest.mark.parametrize("options", [{"verbose": True}, {"pedantic": True}, {"verbose": True, "pedantic": True}])
async def test_verbose_and_pedantic(server, connect, options):
    client = await connect(server.url, **options)
    sub = await client.subscribe("one.*")
    await client.publish("one.a", b"x", headers={"a": "b"})
    assert (await sub.next_msg()).data == b"x"
    await sub.unsubscribe()
    await settle(client)
    with pytest.raises(nats.errors.NoRespondersError):
        await client.request("nobody", timeout=2)


async def test_a_name_and_other_options(server, connect):
    client = await connect(server.url, name="somebody", dont_randomize=True, flusher_queue_size=10, pending_size=100)
    sub = await client.subscribe("one")
    for number in range(100):
        await client.publish("one", b"%d" % number)
    assert [(await sub.next_msg()).data for _ in range(100)] == [b"%d" % number for number in range(100)]


async def test_states(server):
    client = Client()
    assert (client.is_connected, client.is_closed, client.connected_url) == (False, False, None)
    await client.connect(server.url)
    assert (client.is_connected, client.is_closed, client.is_connecting, client.is_reconnecting) == (
        True,
        False,
        False,
        False,
    )
    assert client.connected_url.geturl() == server.url
    assert [url.geturl() for url in client.servers] == [server.url]
    assert client.discovered_servers == []
    assert client.last_error is None
    await client.close()
    assert (client.is_connected, client.is_closed, client.client_id) == (False, True, None)
    for late in (client.publish("a"), client.subscribe("a"), client.flush(), client.drain(), client.rtt()):
        with pytest.raises(nats.errors.ConnectionClosedError):
            await late


async def test_callbacks_of_closing(server, connect):
    heard = []

    async def note_disconnected():
        heard.append("disconnected")

    async def note_closed():
        heard.append("closed")

    client = await connect(server.url, disconnected_cb=note_disconnected, closed_cb=note_closed)
    await client.close()
    assert heard == ["disconnected", "closed"]


async def test_a_context_manager(server):
    async with await nats.connect(server.url) as client:
        await client.publish("a")
    assert client.is_closed


async def test_callbacks_have_to_be_coroutines(server):
    with pytest.raises(nats.errors.InvalidCallbackTypeError):
        await nats.connect(server.url, error_cb=print)


async def test_round_trips(nc):
    assert 0 < await nc.rtt() < 5
    with pytest.raises(nats.errors.BadTimeoutError):
        await nc.rtt(timeout=0)
    with pytest.raises(nats.errors.BadTimeoutError):
        await nc.flush(timeout=0)
    await asyncio.gather(*(nc.flush() for _ in range(20)))


async def test_nobody_listens_there(unused_tcp_port):
    errors = []

    async def note(error):
        errors.append(error)

    with pytest.raises((nats.errors.NoServersError, OSError)):
        await nats.connect(
            f"nats://127.0.0.1:{unused_tcp_port}",
            error_cb=note,
            max_reconnect_attempts=1,
            reconnect_time_wait=0.01,
            connect_timeout=1,
        )
    assert errors
    assert isinstance(errors[0], OSError)


async def test_one_of_several_servers(server, connect, unused_tcp_port):
    async def ignore(error):
        pass

    client = await connect(
        [f"nats://127.0.0.1:{unused_tcp_port}", server.url],
        dont_randomize=True,
        reconnect_time_wait=0.01,
        error_cb=ignore,
    )
    assert client.connected_url.geturl() == server.url
    assert len(client.servers) == 2
    assert [one.reconnects for one in client.server_pool] == [1, 0]


async def test_draining_a_subscription_hands_out_what_has_come(nc):
    heard = []

    async def slowly(msg):
        await asyncio.sleep(0)
        heard.append(msg.data)

    sub = await nc.subscribe("drained", cb=slowly)
    for number in range(50):
        await nc.publish("drained", b"%d" % number)
    await settle(nc)
    await sub.drain()
    await nc.publish("drained", b"late")
    await settle(nc)
    assert heard == [b"%d" % number for number in range(50)]
    with pytest.raises(nats.errors.BadSubscriptionError):
        await sub.drain()


async def test_draining_a_connection(server, connect):
    heard, closed = [], asyncio.Event()

    async def slowly(msg):
        await asyncio.sleep(0)
        heard.append(msg.data)
        await msg.respond(b"late answer")

    async def note_closed():
        closed.set()

    client, other = await connect(server.url, closed_cb=note_closed), await connect(server.url)
    await client.subscribe("drained", cb=slowly)
    inbox = other.new_inbox()
    answers = await other.subscribe(inbox)
    await settle(client, other)
    for number in range(50):
        await other.publish("drained", b"%d" % number, reply=inbox)
    await settle(other, client)
    task = asyncio.create_task(client.drain())
    await until(lambda: client.is_draining or client.is_closed)
    with pytest.raises((nats.errors.ConnectionDrainingError, nats.errors.ConnectionClosedError)):
        await client.subscribe("more")
    await task
    await asyncio.wait_for(closed.wait(), 2)
    assert heard == [b"%d" % number for number in range(50)]
    assert [(await answers.next_msg()).data for _ in range(50)] == [b"late answer"] * 50
    assert client.is_closed
    with pytest.raises(nats.errors.NoRespondersError):
        await other.request("drained", timeout=2)


async def test_a_drain_that_takes_too_long(server, connect):
    errors = []

    async def never(msg):
        await asyncio.Event().wait()

    async def note(error):
        errors.append(error)

    client = await connect(server.url, drain_timeout=0.05, error_cb=note)
    await client.subscribe("stuck", cb=never)
    await client.publish("stuck")
    await settle(client)
    await client.drain()
    assert [type(error) for error in errors] == [nats.errors.DrainTimeoutError]
    assert client.is_closed


async def test_the_server_takes_no_more_connections(start, connect):
    server = await start(limits=WireLimits(max_connections=2))
    await connect(server.url)
    await connect(server.url)
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
    said = await asyncio.wait_for(reader.read(), 2)
    writer.close()
    assert said.startswith(b"INFO ")
    assert said.endswith(b"-ERR 'maximum connections exceeded'\r\n")


async def test_the_server_takes_no_more_subscriptions(start, connect):
    server = await start(limits=WireLimits(max_subscriptions=2))
    client = await connect(server.url, allow_reconnect=False)
    for subject in "abc":
        await client.subscribe(subject)
    await until(lambda: client.last_error)
    assert "maximum subscriptions exceeded" in str(client.last_error)


async def test_a_smaller_payload_limit(start, connect):
    server = await start(limits=WireLimits(max_payload=100))
    client = await connect(server.url, allow_reconnect=False)
    assert client.max_payload == 100
    with pytest.raises(nats.errors.MaxPayloadError):
        await client.publish("a", b"x" * 101)
    sub = await client.subscribe("a")
    await client.publish("a", b"x" * 100)
    assert len((await sub.next_msg()).data) == 100


async def test_a_line_that_is_too_long_ends_the_connection(start, connect):
    server = await start(limits=WireLimits(max_control_line=512))
    client = await connect(server.url, allow_reconnect=False)
    await client.publish("a" * 600)
    await until(lambda: client.is_closed)
    assert "maximum control line exceeded" in str(client.last_error).lower()


async def test_pings_of_the_client(server, connect):
    client = await connect(server.url, ping_interval=0.02)
    await until(lambda: client._pongs_received >= 3)
    assert client.is_connected


async def test_pings_of_the_server_are_answered(start, connect):
    server = await start(limits=WireLimits(ping_interval_ns=20_000_000, max_pings_out=2))
    client = await connect(server.url, allow_reconnect=False)
    sub = await client.subscribe("a")
    await asyncio.sleep(0.15)  # what is tested is that nothing happens meanwhile
    await client.publish("a")
    await sub.next_msg()
    assert client.is_connected


async def test_a_client_that_answers_no_pings_is_stale(start, connect, monkeypatch):
    server = await start(limits=WireLimits(ping_interval_ns=20_000_000, max_pings_out=1))
    client = await connect(server.url, allow_reconnect=False)

    async def stay_silent():
        pass

    monkeypatch.setattr(client, "_process_ping", stay_silent)
    await until(lambda: client.is_closed)
    assert isinstance(client.last_error, nats.errors.StaleConnectionError)


async def test_operations_the_server_does_not_know_end_the_connection(server, connect):
    client = await connect(server.url, allow_reconnect=False)
    await client._send_command(b"FOO bar\r\n")
    await client._flush_pending()
    await until(lambda: client.is_closed)
    assert "unknown protocol operation" in str(client.last_error).lower()


async def test_a_bad_subject_is_an_error_of_the_server(server, connect):
    errors = []

    async def note(error):
        errors.append(error)

    client = await connect(server.url, allow_reconnect=False, skip_subject_validation=True, error_cb=note)
    await client.subscribe("a..b")
    await until(lambda: client.last_error)
    assert "invalid subject" in str(client.last_error).lower()


async def test_pedantic_refuses_wildcards_in_what_is_published(server, connect):
    client = await connect(server.url, pedantic=True, allow_reconnect=False)
    await client.publish("a.*")
    await until(lambda: client.last_error)
    assert "invalid publish subject" in str(client.last_error).lower()
