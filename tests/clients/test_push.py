"""Push subscriptions: plain, queued, ordered, with heartbeats and flow control."""

import asyncio
from contextlib import suppress

import nats.errors
import nats.js.errors
import pytest
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, ReplayPolicy
from nats.js.errors import NotFoundError

from tests.clients.running import settle, until


@pytest.fixture
async def js(js):
    """A context beside a stream S."""
    await js.add_stream(name="S", subjects=["s.>"], storage="memory")
    return js


async def publish(js, count, subject="s.a", size=0):
    for number in range(count):
        await js.publish(subject, (b"%d" % (number + 1)).ljust(size, b"."))


async def test_what_is_there_and_what_comes(js):
    await publish(js, 3)
    sub = await js.subscribe("s.a")
    await publish(js, 2)
    msgs = [await sub.next_msg() for _ in range(5)]
    assert [msg.data for msg in msgs] == [b"1", b"2", b"3", b"1", b"2"]
    assert [msg.metadata.sequence.stream for msg in msgs] == [1, 2, 3, 4, 5]
    info = await sub.consumer_info()
    assert (info.config.ack_policy, info.num_ack_pending, info.push_bound, info.delivered.consumer_seq) == (
        "explicit", 5, True, 5,
    )  # fmt: skip
    assert sub.delivered == 5


async def test_callbacks_ack_by_themselves(js):
    heard = []

    async def hear(msg):
        heard.append(msg.data)

    sub = await js.subscribe("s.a", cb=hear)
    await publish(js, 5)
    await until(lambda: len(heard) == 5)

    async def acked():
        return (await sub.consumer_info()).ack_floor.stream_seq == 5

    await until(acked)


async def test_callbacks_that_ack_on_their_own(js):
    heard = []

    async def hear(msg):
        heard.append(msg)

    sub = await js.subscribe("s.a", cb=hear, manual_ack=True)
    await publish(js, 2)
    await until(lambda: len(heard) == 2)
    assert (await sub.consumer_info()).num_ack_pending == 2
    await heard[0].ack_sync()
    info = await sub.consumer_info()
    assert (info.num_ack_pending, info.ack_floor.consumer_seq) == (1, 1)


async def test_a_durable_goes_on_where_it_was(js):
    sub = await js.subscribe("s.a", durable="d")
    await publish(js, 3)
    for _ in range(2):
        await (await sub.next_msg()).ack_sync()
    await sub.next_msg()
    with pytest.raises(nats.js.errors.Error, match="already bound"):
        await js.subscribe("s.a", durable="d")
    await sub.unsubscribe()

    async def unbound():
        return not (await js.consumer_info("S", "d")).push_bound

    await until(unbound)
    await js.publish("s.a", b"new")
    again = await js.subscribe("s.a", durable="d")
    msg = await again.next_msg()
    assert (msg.data, msg.metadata.num_delivered) == (b"new", 1)


async def test_a_queue_group(server, connect, js):
    clients = [await connect(server.url) for _ in range(3)]
    subs = [await client.jetstream().subscribe("s.a", queue="q") for client in clients]
    await settle(*clients)
    await publish(js, 60)
    await until(lambda: sum(sub.pending_msgs for sub in subs) == 60)
    assert all(sub.pending_msgs for sub in subs)
    info = await js.consumer_info("S", "q")
    assert (info.config.deliver_group, info.config.durable_name) == ("q", "q")
    with pytest.raises(nats.js.errors.Error, match="deliver group"):
        await js.subscribe("s.a", durable="q")
    with pytest.raises(nats.js.errors.Error, match="cannot create queue subscription"):
        await js.subscribe("s.a", queue="q", durable="other")


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"deliver_policy": DeliverPolicy.NEW}, [b"new"]),
        ({"deliver_policy": DeliverPolicy.LAST}, [b"3", b"new"]),
        ({"deliver_policy": DeliverPolicy.LAST_PER_SUBJECT}, [b"3", b"new"]),
        (
            {"config": ConsumerConfig(deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=2)},
            [b"2", b"3", b"new"],
        ),
        ({"config": ConsumerConfig(ack_policy=AckPolicy.NONE)}, [b"1", b"2", b"3", b"new"]),
        ({"config": ConsumerConfig(replay_policy=ReplayPolicy.ORIGINAL)}, [b"1", b"2", b"3", b"new"]),
        ({"config": ConsumerConfig(rate_limit_bps=1_000_000)}, [b"1", b"2", b"3", b"new"]),
        ({"ordered_consumer": True}, [b"1", b"2", b"3", b"new"]),
        ({"flow_control": True, "idle_heartbeat": 1}, [b"1", b"2", b"3", b"new"]),
    ],
)
async def test_where_a_subscription_begins(js, options, found):
    await publish(js, 3)
    sub = await js.subscribe("s.a", **options)
    await js.publish("s.a", b"new")
    assert [(await sub.next_msg()).data for _ in found] == found
    await sub.unsubscribe()


async def test_headers_only(js):
    await js.publish("s.a", b"12345", headers={"a": "b"})
    sub = await js.subscribe("s.a", headers_only=True)
    msg = await sub.next_msg()
    assert (msg.data, msg.headers) == (b"", {"a": "b", "Nats-Msg-Size": "5"})


async def test_filters(js):
    one = await js.subscribe("s.*.x")
    two = await js.subscribe("s.>", config=ConsumerConfig(filter_subjects=["s.a.y", "s.b.x"]))
    for subject in ("s.a.x", "s.a.y", "s.b.x", "s.b.y"):
        await js.publish(subject)
    assert [(await one.next_msg()).subject for _ in range(2)] == ["s.a.x", "s.b.x"]
    assert [(await two.next_msg()).subject for _ in range(2)] == ["s.a.y", "s.b.x"]


async def test_a_limit_of_unacked_messages(js):
    await publish(js, 5)
    sub = await js.subscribe("s.a", config=ConsumerConfig(max_ack_pending=2))
    first = await sub.next_msg()
    await sub.next_msg()
    assert (await sub.consumer_info()).num_pending == 3
    assert sub.pending_msgs == 0
    await first.ack()
    assert (await sub.next_msg()).data == b"3"


async def test_heartbeats(js, nc):
    await nc.subscribe("elsewhere")
    inbox = nc.new_inbox()
    plain = await nc.subscribe(inbox)
    await publish(js, 1)
    await js.add_consumer("S", deliver_subject=inbox, idle_heartbeat=0.1, ack_policy="none")
    assert (await plain.next_msg()).data == b"1"
    beat = await plain.next_msg(timeout=2)
    assert (beat.data, beat.headers["Status"], beat.headers["Description"]) == (b"", "100", "Idle Heartbeat")
    assert (beat.headers["Nats-Last-Consumer"], beat.headers["Nats-Last-Stream"]) == ("1", "1")


async def test_flow_control(js):
    await publish(js, 200, size=10_000)
    heard = []

    async def hear(msg):
        heard.append(msg.metadata.sequence.stream)

    sub = await js.subscribe(
        "s.a", cb=hear, flow_control=True, idle_heartbeat=5, config=ConsumerConfig(ack_policy="none")
    )
    await until(lambda: len(heard) == 200, seconds=8)
    assert heard == list(range(1, 201))
    await sub.unsubscribe()


async def test_flow_control_of_a_plain_subscription(js, nc):
    inbox = nc.new_inbox()
    plain = await nc.subscribe(inbox)
    await publish(js, 30, size=100_000)  # the first window is 2 MiB
    await js.add_consumer("S", deliver_subject=inbox, idle_heartbeat=1, flow_control=True, ack_policy="none")
    seen, asked = [], []
    while len(seen) < 30:
        msg = await plain.next_msg(timeout=2)
        if msg.headers and msg.headers.get("Status") == "100":
            assert msg.headers["Description"] == "FlowControl Request"
            assert msg.reply.startswith("$JS.FC.S.")
            asked.append(msg.reply)
            await msg.respond(b"")
        else:
            seen.append(msg)
    assert asked


async def test_an_ordered_subscription(js):
    await publish(js, 100)
    sub = await js.subscribe("s.a", ordered_consumer=True)
    assert [(await sub.next_msg()).metadata.sequence.stream for _ in range(100)] == list(range(1, 101))
    info = await sub.consumer_info()
    config = info.config
    assert (config.ack_policy, config.max_deliver, config.flow_control, config.mem_storage, config.num_replicas) == (
        "none", 1, True, True, 1,
    )  # fmt: skip
    assert (config.ack_wait, config.idle_heartbeat) == (79200, 5)
    await sub.unsubscribe()


async def consumer_of(sub):
    """Return the consumer's name, also while nats-py makes another one because a busy machine was late with a heartbeat."""
    for _ in range(100):
        with suppress(NotFoundError):
            return (await sub.consumer_info()).name
        await asyncio.sleep(0.05)
    raise AssertionError("there is no consumer")


async def test_an_ordered_subscription_heals(js):
    await publish(js, 5)
    sub = await js.subscribe("s.a", ordered_consumer=True, idle_heartbeat=0.3)
    for _ in range(5):
        await sub.next_msg()
    first = await consumer_of(sub)
    await js.delete_consumer("S", first)
    await publish(js, 2)
    msgs = [await sub.next_msg(timeout=30) for _ in range(2)]
    assert [msg.metadata.sequence.stream for msg in msgs] == [6, 7]
    assert await consumer_of(sub) != first
    await sub.unsubscribe()


async def test_what_an_ordered_subscription_may_not_be(js):
    for options in ({"durable": "d"}, {"queue": "q"}):
        sub = await js.subscribe("s.a", ordered_consumer=True, **options)
        await sub.unsubscribe()


async def test_a_slow_subscription_is_told(server, connect, js):
    errors = []

    async def note(error):
        errors.append(error)

    client = await connect(server.url, error_cb=note)
    sub = await client.jetstream().subscribe("s.a", pending_msgs_limit=2)
    await publish(js, 5)
    await until(lambda: len(errors) == 3)
    assert {type(error) for error in errors} == {nats.errors.SlowConsumerError}
    assert sub.pending_msgs == 2


async def test_binding(js):
    info = await js.add_consumer("S", durable_name="p", deliver_subject="to.me", filter_subject="s.b")
    sub = await js.subscribe_bind(stream="S", config=info.config, consumer="p")
    await js.publish("s.b", b"x")
    assert (await sub.next_msg()).data == b"x"
    with pytest.raises(TypeError):
        await js.subscribe_bind(stream="S", config=ConsumerConfig(), consumer="p")


async def test_subscribing_to_what_no_stream_has(js):
    with pytest.raises(nats.js.errors.NotFoundError):
        await js.subscribe("other")
    with pytest.raises(nats.js.errors.NotFoundError) as caught:
        await js.subscribe("other", stream="NONE")
    assert caught.value.err_code == 10059


async def test_deliveries_stop_while_nobody_listens(js, nc):
    await publish(js, 3)
    await js.add_consumer("S", durable_name="p", deliver_subject="to.me")
    info = await js.consumer_info("S", "p")
    assert (info.push_bound, info.num_pending, info.delivered.consumer_seq) == (None, 3, 0)
    sub = await nc.subscribe("to.me")
    assert [(await sub.next_msg()).data for _ in range(3)] == [b"1", b"2", b"3"]
    assert (await js.consumer_info("S", "p")).push_bound is True


async def test_an_ephemeral_push_consumer_goes_with_its_subscription(js):
    sub = await js.subscribe("s.a", inactive_threshold=0.1)
    name = (await sub.consumer_info()).name
    await sub.unsubscribe()

    async def gone():
        return name not in [info.name for info in await js.consumers_info("S")]

    await until(gone)


async def test_many_subscriptions_to_one_stream(js):
    subs = [await js.subscribe("s.>", ordered_consumer=True) for _ in range(10)]
    await asyncio.gather(*(js.publish(f"s.{number}", b"%d" % number) for number in range(50)))
    found = [[(await sub.next_msg()).metadata.sequence.stream for _ in range(50)] for sub in subs]
    assert found == [list(range(1, 51))] * 10
    for sub in subs:
        await sub.unsubscribe()
