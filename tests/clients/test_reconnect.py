"""What clients see of a server that goes, and comes back at the same place."""

import asyncio
import json

import nats
import nats.errors
import pytest

from tests.clients.running import settle, until

QUICK = {"reconnect_time_wait": 0.01, "max_reconnect_attempts": -1, "connect_timeout": 2}


class Heard:
    """Callbacks that note what they hear."""

    def __init__(self):
        self.events = []
        self.errors = []

    @property
    def options(self):
        async def disconnected():
            self.events.append("disconnected")

        async def reconnected():
            self.events.append("reconnected")

        async def closed():
            self.events.append("closed")

        async def error(error):
            self.errors.append(error)

        return {
            "disconnected_cb": disconnected,
            "reconnected_cb": reconnected,
            "closed_cb": closed,
            "error_cb": error,
            **QUICK,
        }


async def test_a_restarted_server_is_found_again(own, connect):
    heard = Heard()
    client = await connect(own.url, **heard.options)
    sub = await client.subscribe("a.*")
    await own.stop()
    await until(lambda: "disconnected" in heard.events)
    assert client.is_reconnecting
    assert not client.is_connected
    await own.start()
    await until(lambda: "reconnected" in heard.events)
    assert heard.events == ["disconnected", "reconnected"]
    assert client.stats["reconnects"] == 1
    assert client.is_connected
    await client.publish("a.b", b"again")
    assert (await sub.next_msg()).data == b"again"


async def test_what_is_published_meanwhile_is_sent_later(own, connect):
    heard = Heard()
    client = await connect(own.url, **heard.options)
    sub = await client.subscribe("a")
    await own.stop()
    await until(lambda: client.is_reconnecting)
    for number in range(5):
        await client.publish("a", b"%d" % number)
    assert client.pending_data_size > 0
    await own.start()
    assert [(await sub.next_msg(timeout=5)).data for _ in range(5)] == [b"%d" % number for number in range(5)]


async def test_a_full_buffer_meanwhile(own, connect):
    heard = Heard()
    client = await connect(own.url, pending_size=100, **heard.options)
    await own.stop()
    await until(lambda: client.is_reconnecting)
    with pytest.raises(nats.errors.OutboundBufferLimitError):
        await client.publish("a", b"x" * 200)
    with pytest.raises(nats.errors.ConnectionReconnectingError):
        await client.drain()
    await own.start()
    await until(lambda: client.is_connected)


async def test_a_client_that_may_not_reconnect_is_closed(own, connect):
    heard = Heard()
    client = await connect(own.url, **{**heard.options, "allow_reconnect": False})
    await own.stop()
    await until(lambda: client.is_closed)
    await until(lambda: len(heard.events) == 2)
    assert heard.events == ["disconnected", "closed"]
    assert isinstance(client.last_error, nats.errors.UnexpectedEOF)


async def test_a_client_gives_up(own, connect):
    heard = Heard()
    client = await connect(own.url, **{**heard.options, "max_reconnect_attempts": 2})
    await own.stop()
    await until(lambda: "closed" in heard.events)
    assert heard.events == ["disconnected", "disconnected", "closed"]
    assert isinstance(client.last_error, nats.errors.NoServersError)


async def test_limited_subscriptions_count_on(own, connect):
    heard = Heard()
    client = await connect(own.url, **heard.options)
    sub = await client.subscribe("a")
    await sub.unsubscribe(limit=3)
    await client.publish("a", b"1")
    await settle(client)
    await own.stop()
    await until(lambda: client.is_reconnecting)
    await own.start()
    await until(lambda: client.is_connected)
    for number in range(5):
        await client.publish("a", b"%d" % (number + 2))
    await settle(client)
    assert [(await sub.next_msg()).data for _ in range(sub.pending_msgs)] == [b"1", b"2", b"3"]


async def test_requests_work_afterwards(own, connect):
    heard = Heard()
    client = await connect(own.url, **heard.options)

    async def answer(msg):
        await msg.respond(b"yes")

    await client.subscribe("help", cb=answer)
    assert (await client.request("help")).data == b"yes"
    await own.stop()
    await until(lambda: client.is_reconnecting)
    await own.start()
    await until(lambda: "reconnected" in heard.events)
    assert (await client.request("help", timeout=2)).data == b"yes"


async def test_a_reconnect_that_is_asked_for(server, connect):
    heard = Heard()
    client = await connect(server.url, **heard.options)
    sub = await client.subscribe("a")
    first = client.client_id
    await settle(client)
    await client.force_reconnect()
    await until(lambda: "reconnected" in heard.events)
    await client.publish("a", b"x")
    assert (await sub.next_msg()).data == b"x"
    assert client.client_id > first


async def test_file_streams_stay_and_memory_streams_go(own, connect):
    heard = Heard()
    client = await connect(own.url, **heard.options)
    js = client.jetstream()
    await js.add_stream(name="FILE", subjects=["file.>"], storage="file")
    await js.add_stream(name="MEMORY", subjects=["memory.>"], storage="memory")
    await js.publish("file.a", b"1")
    await js.publish("memory.a", b"1")
    durable = await js.pull_subscribe("file.>", durable="d")
    await own.stop()
    await until(lambda: client.is_reconnecting)
    await own.start()
    await until(lambda: "reconnected" in heard.events)
    assert [info.config.name for info in await js.streams_info()] == ["FILE"]
    with pytest.raises(nats.js.errors.NotFoundError):
        await js.stream_info("MEMORY")
    assert (await js.get_last_msg("FILE", "file.a")).data == b"1"
    msgs = await durable.fetch(1, timeout=2)
    assert msgs[0].data == b"1"
    assert (await js.publish("file.b", b"2")).seq == 2


async def test_who_waits_for_messages_is_told_of_the_end(own, connect):
    client = await connect(own.url, **Heard().options)
    js = client.jetstream()
    await js.add_stream(name="FILE", subjects=["file.>"], storage="file")
    await js.add_consumer("FILE", durable_name="d")
    inbox = await client.subscribe("answers")
    for batch in (3, 5):  # of those with one reply subject, the last is told of
        body = {"batch": batch, "max_bytes": 1000, "expires": 60 * 10**9}
        await client.publish("$JS.API.CONSUMER.MSG.NEXT.FILE.d", json.dumps(body).encode(), reply="answers")
    await settle(client)
    await own.stop()
    assert (await inbox.next_msg(2)).headers == {
        "Status": "409",
        "Description": "Server Shutdown",
        "Nats-Pending-Messages": "5",
        "Nats-Pending-Bytes": "1000",
    }
    with pytest.raises(nats.errors.TimeoutError):
        await inbox.next_msg(0.05)


async def test_a_push_subscription_goes_on(own, connect):
    heard = Heard()
    client = await connect(own.url, **heard.options)
    js = client.jetstream()
    await js.add_stream(name="FILE", subjects=["file.>"], storage="file")
    sub = await js.subscribe("file.>", durable="d")
    await js.publish("file.a", b"1")
    await (await sub.next_msg()).ack_sync()
    await own.stop()
    await until(lambda: client.is_reconnecting)
    await own.start()
    await until(lambda: "reconnected" in heard.events)
    await js.publish("file.a", b"2")
    msg = await sub.next_msg(timeout=5)
    assert (msg.data, msg.metadata.sequence.stream) == (b"2", 2)


async def test_another_server_of_the_pool(start, connect):
    heard = Heard()
    first, second = await start(), await start()
    client = await connect([first.url, second.url], dont_randomize=True, **heard.options)
    assert client.connected_url.geturl() == first.url
    sub = await client.subscribe("a")
    await first.stop()
    await until(lambda: "reconnected" in heard.events)
    assert client.connected_url.geturl() == second.url
    await client.publish("a")
    await sub.next_msg()


async def test_a_handler_chooses_the_next_server(start, connect):
    heard = Heard()
    first, second = await start(), await start()
    asked = []

    def choose(servers, info):
        asked.append((len(servers), info["version"]))
        return next(one for one in servers if one.uri.geturl() == second.url), 0

    client = await connect(
        [first.url, second.url], dont_randomize=True, reconnect_to_server_handler=choose, **heard.options
    )
    await first.stop()
    await until(lambda: "reconnected" in heard.events)
    assert client.connected_url.geturl() == second.url
    assert asked == [(2, "2.15.1")]


async def test_a_new_pool(start, connect):
    heard = Heard()
    first, second = await start(), await start()
    client = await connect(first.url, **heard.options)
    client.set_server_pool([second.url])
    await client.force_reconnect()
    await until(lambda: "reconnected" in heard.events)
    assert client.connected_url.geturl() == second.url


async def test_many_clients_come_back(own, connect):
    heard = [Heard() for _ in range(10)]
    clients = [await connect(own.url, **one.options) for one in heard]
    subs = [await client.subscribe("a") for client in clients]
    await own.stop()
    await own.start()
    await until(lambda: all("reconnected" in one.events for one in heard))
    await settle(*clients)
    await clients[0].publish("a", b"x")
    assert [(await sub.next_msg(timeout=5)).data for sub in subs] == [b"x"] * 10
    await asyncio.gather(*(client.close() for client in clients))
