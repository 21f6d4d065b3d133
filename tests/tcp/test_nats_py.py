"""nats-py, as it comes from PyPI, against the simulated server: what its users do with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import nats
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import NoRespondersError
from nats.js.api import ConsumerConfig, DeliverPolicy, KeyValueConfig
from nats.js.errors import (
    BadRequestError,
    KeyNotFoundError,
    KeyWrongLastSequenceError,
    NotFoundError,
    ObjectNotFoundError,
)

from lattice_store_sim import TcpServer


@pytest.fixture
async def client(server: TcpServer) -> AsyncIterator[Client]:
    connected = await nats.connect(server.url)
    yield connected
    await connected.close()


@pytest.fixture
async def other(server: TcpServer) -> AsyncIterator[Client]:
    connected = await nats.connect(server.url)
    yield connected
    await connected.close()


# -- core --------------------------------------------------------------------------------------------


async def test_publish_and_subscribe(client: Client, other: Client) -> None:
    heard = await other.subscribe("a.*.>")
    await other.flush()
    await client.publish("a.b.c", b"x", reply="r", headers={"Some": "header"})
    message = await heard.next_msg(timeout=5)
    assert (message.subject, message.reply, message.data, message.headers) == ("a.b.c", "r", b"x", {"Some": "header"})


async def test_a_queue_group_shares(client: Client, other: Client) -> None:
    counts = [0, 0]

    def count(place: int):
        async def one(message: Msg) -> None:
            counts[place] += 1
            await message.respond(b"")

        return one

    for place, member in enumerate((client, other)):
        await member.subscribe("q", "group", cb=count(place))
        await member.flush()
    for _ in range(10):
        await client.request("q", timeout=5)
    assert counts == [5, 5]


async def test_a_request_to_nobody(client: Client) -> None:
    with pytest.raises(NoRespondersError):
        await client.request("nobody", timeout=5)
    with pytest.raises(NoRespondersError):
        await client.request("nobody", timeout=5, old_style=True)


async def test_unsubscribing_after_some(client: Client) -> None:
    heard = await client.subscribe("a")
    await heard.unsubscribe(limit=2)
    for _ in range(5):
        await client.publish("a", b"x")
    await client.flush()
    assert [(await heard.next_msg(timeout=5)).data for _ in range(2)] == [b"x", b"x"]


async def test_draining(client: Client, other: Client) -> None:
    done = []

    async def work(message: Msg) -> None:
        await asyncio.sleep(0)
        done.append(message.data)

    await client.subscribe("a", cb=work)
    await client.flush()
    for number in range(50):
        await other.publish("a", b"%d" % number)
    await other.flush()
    await client.drain()
    assert len(done) == 50
    assert client.is_closed


async def test_a_large_payload_and_one_too_large(client: Client) -> None:
    heard = await client.subscribe("a")
    await client.publish("a", b"x" * client.max_payload)
    assert len((await heard.next_msg(timeout=5)).data) == 1 << 20
    with pytest.raises(nats.errors.MaxPayloadError):
        await client.publish("a", b"x" * (client.max_payload + 1))


async def test_it_comes_back_after_a_restart(server: TcpServer) -> None:
    back = asyncio.Event()

    async def reconnected() -> None:
        back.set()

    client = await nats.connect(server.url, reconnect_time_wait=0.01, reconnected_cb=reconnected)
    heard = await client.subscribe("a")
    await client.flush()
    server.sim.restart()
    await asyncio.wait_for(back.wait(), 10)
    await client.publish("a", b"again")
    assert (await heard.next_msg(timeout=5)).data == b"again"
    await client.close()


# -- JetStream ---------------------------------------------------------------------------------------


async def test_publish_and_pull(client: Client) -> None:
    stream = client.jetstream()
    await stream.add_stream(name="S", subjects=["s.>"])
    acks = [await stream.publish(f"s.{number}", b"x", headers={"Nats-Msg-Id": str(number)}) for number in range(5)]
    assert [ack.seq for ack in acks] == [1, 2, 3, 4, 5]
    assert (await stream.publish("s.0", b"x", headers={"Nats-Msg-Id": "0"})).duplicate
    pull = await stream.pull_subscribe("s.>", "durable")
    messages = await pull.fetch(3, timeout=5)
    for message in messages:
        await message.ack_sync(timeout=5)
    assert [message.metadata.num_pending for message in messages] == [4, 3, 2]
    await (await pull.fetch(1, timeout=5))[0].nak()
    assert (await pull.fetch(1, timeout=5))[0].metadata.num_delivered == 2
    with pytest.raises(nats.errors.TimeoutError):
        await pull.fetch(5, timeout=0.05) and await pull.fetch(1, timeout=0.05)
    info = await pull.consumer_info()
    assert (info.ack_floor.stream_seq, info.num_ack_pending) == (3, 2)


async def test_push_in_order_and_with_flow_control(client: Client) -> None:
    stream = client.jetstream()
    await stream.add_stream(name="S", subjects=["s"], storage="memory")
    pending = [await stream.publish_async("s", b"x" * 5000) for _ in range(1500)]
    await asyncio.gather(*pending)
    ordered = await stream.subscribe("s", ordered_consumer=True)
    assert [(await ordered.next_msg(timeout=5)).metadata.sequence.stream for _ in range(1500)] == list(range(1, 1501))
    config = ConsumerConfig(flow_control=True, idle_heartbeat=1, deliver_policy=DeliverPolicy.ALL)
    pushed = await stream.subscribe("s", config=config, manual_ack=True)
    for _ in range(1000):
        await (await pushed.next_msg(timeout=5)).ack()


async def test_push_to_a_queue_group(client: Client, other: Client) -> None:
    stream = client.jetstream()
    await stream.add_stream(name="S", subjects=["s"])
    one = await stream.subscribe("s", queue="workers")
    two = await other.jetstream().subscribe("s", queue="workers")
    for _ in range(4):
        await stream.publish("s", b"x")
    for subscription in (one, two, one, two):
        await (await subscription.next_msg(timeout=5)).ack()


async def test_errors_are_those_of_the_server(client: Client) -> None:
    stream = client.jetstream()
    with pytest.raises(NotFoundError, match="stream not found"):
        await stream.stream_info("NONE")
    await stream.add_stream(name="S", subjects=["s"])
    with pytest.raises(BadRequestError, match="subjects overlap"):
        await stream.add_stream(name="T", subjects=["s"])
    with pytest.raises(BadRequestError, match="wrong last sequence"):
        await stream.publish("s", headers={"Nats-Expected-Last-Sequence": "7"})


async def test_key_value(client: Client) -> None:
    bucket = await client.jetstream().create_key_value(KeyValueConfig(bucket="B", history=3))
    for value in (b"1", b"2", b"3", b"4"):
        last = await bucket.put("k", value)
    assert (await bucket.get("k")).value == b"4"
    assert [entry.value for entry in await bucket.history("k")] == [b"2", b"3", b"4"]
    await bucket.update("k", b"5", last=last)
    with pytest.raises(KeyWrongLastSequenceError):
        await bucket.update("k", b"6", last=last)
    watcher = await bucket.watchall()
    assert (await watcher.updates(timeout=5)).value == b"5"
    assert await watcher.updates(timeout=5) is None
    await bucket.delete("k")
    assert (await watcher.updates(timeout=5)).operation == "DEL"
    await watcher.stop()
    with pytest.raises(KeyNotFoundError):
        await bucket.get("k")


async def test_objects(client: Client) -> None:
    store = await client.jetstream().create_object_store("O")
    data = bytes(range(256)) * 2000
    await store.put("o", data)
    assert (await store.get("o")).data == data
    assert [info.name for info in await store.list()] == ["o"]
    await store.delete("o")
    with pytest.raises(ObjectNotFoundError):
        await store.get("o")
