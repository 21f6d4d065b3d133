"""Pull subscriptions: every way to fetch."""

import asyncio
import json

import nats.errors
import nats.js.errors
import pytest
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from tests.clients.running import settle, until


@pytest.fixture
async def js(js):
    """A context beside a stream S."""
    await js.add_stream(name="S", subjects=["s.>"], storage="memory")
    return js


async def publish(js, count, subject="s.a"):
    for number in range(count):
        await js.publish(subject, b"%d" % (number + 1))


async def test_one_after_the_other(js):
    sub = await js.pull_subscribe("s.a", "d")
    await publish(js, 3)
    for number in (1, 2, 3):
        (msg,) = await sub.fetch()
        assert msg.data == b"%d" % number
        await msg.ack_sync()
    info = await sub.consumer_info()
    assert (info.num_pending, info.num_ack_pending, info.ack_floor.stream_seq, info.delivered.consumer_seq) == (
        0,
        0,
        3,
        3,
    )


async def test_the_metadata_of_a_message(js):
    await publish(js, 3)
    sub = await js.pull_subscribe("s.a", "d")
    msgs = await sub.fetch(2)
    meta = msgs[1].metadata
    assert (meta.stream, meta.consumer, meta.num_pending, meta.num_delivered, meta.domain) == ("S", "d", 1, 1, None)
    assert (meta.sequence.stream, meta.sequence.consumer) == (2, 2)
    assert msgs[0].reply.startswith("$JS.ACK.S.d.1.1.1.")


async def test_many_at_once(js):
    await publish(js, 50)
    sub = await js.pull_subscribe("s.a", "d")
    assert [msg.data for msg in await sub.fetch(20)] == [b"%d" % n for n in range(1, 21)]
    assert [msg.data for msg in await sub.fetch(20)] == [b"%d" % n for n in range(21, 41)]
    assert [msg.data for msg in await sub.fetch(20, timeout=0.1)] == [b"%d" % n for n in range(41, 51)]


@pytest.mark.parametrize("batch", [1, 5])
@pytest.mark.parametrize("heartbeat", [None, 0.02])
async def test_nothing_to_fetch(js, batch, heartbeat):
    sub = await js.pull_subscribe("s.a", "d")
    expected = nats.errors.TimeoutError if heartbeat is None else nats.js.errors.FetchTimeoutError
    with pytest.raises(expected):
        await sub.fetch(batch, timeout=0.1, heartbeat=heartbeat)
    await until(lambda: _waiting(sub, 0))


async def _waiting(sub, count):
    return (await sub.consumer_info()).num_waiting == count


async def test_a_fetch_waits_for_what_comes(js):
    sub = await js.pull_subscribe("s.a", "d")
    for batch in (1, 5):
        task = asyncio.create_task(sub.fetch(batch, timeout=0.3))
        await until(lambda: _waiting(sub, 1))
        await publish(js, 1)
        (msg,) = await task
        await msg.ack_sync()


async def test_a_fetch_gets_what_there_is_before_it_times_out(js):
    sub = await js.pull_subscribe("s.a", "d")
    await publish(js, 3)
    assert len(await sub.fetch(10, timeout=0.1)) == 3


async def test_a_heartbeat_that_is_too_long_for_the_request(js):
    sub = await js.pull_subscribe("s.a", "d")
    with pytest.raises(nats.js.errors.APIError) as caught:
        await sub.fetch(1, timeout=0.5, heartbeat=0.4)
    assert (caught.value.code, caught.value.description) == (400, "Bad Request - heartbeat value too large")


@pytest.mark.parametrize(("batch", "timeout"), [(0, 1), (-1, 1), (1, 0), (1, -1)])
async def test_what_no_fetch_may_ask(js, batch, timeout):
    sub = await js.pull_subscribe("s.a", "d")
    with pytest.raises(ValueError, match="nats: invalid"):
        await sub.fetch(batch, timeout)


async def ask(nc, body, consumer="d", count=1):
    """Send a request of its own, and return what comes: payloads, or statuses with their descriptions."""
    inbox = nc.new_inbox()
    sub = await nc.subscribe(inbox)
    await nc.publish(f"$JS.API.CONSUMER.MSG.NEXT.S.{consumer}", body, reply=inbox)
    found = []
    for _ in range(count):
        msg = await sub.next_msg(timeout=2)
        status = (msg.headers or {}).get("Status")
        found.append(msg.data if status is None else (status, msg.headers.get("Description")))
    await sub.unsubscribe()
    return found


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"", [b"1"]),
        (b"2", [b"1", b"2"]),
        (b'{"batch":2}', [b"1", b"2"]),
        (b'{"batch":1,"no_wait":true}', [b"1"]),
        (b'{"batch":5,"no_wait":true}', [b"1", b"2", b"3", ("404", "No Messages")]),
        (b'{"batch":5,"expires":50000000}', [b"1", b"2", b"3", ("408", "Request Timeout")]),
        (b'{"batch":5,"expires":50000000,"no_wait":true}', [b"1", b"2", b"3", ("404", "No Messages")]),
        (b'{"batch":5,"max_bytes":60,"no_wait":true}', [b"1", ("409", "Message Size Exceeds MaxBytes")]),
        (b'{"batch":5,"max_bytes":1,"no_wait":true}', [("409", "Message Size Exceeds MaxBytes")]),
        (b'{"batch":0}', [b"1"]),
        (b'{"batch":-1}', [b"1"]),
        (b'{"batch":1,"expires":-1}', [("408", "Request Timeout")]),
        (
            b'{"batch":1,"expires":1000000000,"idle_heartbeat":600000000}',
            [("400", "Bad Request - heartbeat value too large")],
        ),
        (b"nonsense", [b"1"]),
        (b'{"batch":1,"min_pending":10,"group":"g"}', [("400", "Bad Request - Not a Overflow Priority consumer")]),
    ],
)
async def test_requests(js, nc, body, found):
    await js.add_consumer("S", durable_name="d", filter_subject="s.a")
    await publish(js, 3)
    assert await ask(nc, body, count=len(found)) == found


async def test_heartbeats_of_a_request(js, nc):
    await js.add_consumer("S", durable_name="d")
    found = await ask(nc, b'{"batch":1,"expires":100000000,"idle_heartbeat":30000000}', count=3)
    assert found[0] == ("100", "Idle Heartbeat")
    assert found[-1] in {("100", "Idle Heartbeat"), ("408", "Request Timeout")}


async def test_the_limits_of_a_consumer(js, nc):
    await js.add_consumer("S", ConsumerConfig(durable_name="d", max_waiting=1, max_ack_pending=2))
    await publish(js, 3)
    assert await ask(nc, b'{"batch":5,"expires":50000000}', count=3) == [b"1", b"2", ("408", "Request Timeout")]
    sub = await nc.subscribe(nc.new_inbox())
    await nc.publish("$JS.API.CONSUMER.MSG.NEXT.S.d", b'{"expires":1000000000}', reply=sub.subject)
    assert await ask(nc, b'{"batch":1,"expires":1000000000}') == [("409", "Exceeded MaxWaiting")]


@pytest.mark.parametrize(
    ("setting", "body", "status"),
    [
        ("max_batch", b'{"batch":3}', ("409", "Exceeded MaxRequestBatch of 2")),
        ("max_expires", b'{"batch":1,"expires":20000000000}', ("409", "Exceeded MaxRequestExpires of 10s")),
        ("max_bytes", b'{"batch":1,"max_bytes":200}', ("409", "Exceeded MaxRequestMaxBytes of 100")),
    ],
)
async def test_the_limits_of_requests(js, nc, setting, body, status):
    config = {"durable_name": "d", "ack_policy": "explicit", "max_batch": 2, "max_expires": 10**10, "max_bytes": 100}
    await nc.request(
        "$JS.API.CONSUMER.CREATE.S.d", json.dumps({"stream_name": "S", "config": config}).encode(), timeout=2
    )
    assert await ask(nc, body) == [status]


async def test_a_request_ends_with_its_consumer(js, nc):
    await js.add_consumer("S", durable_name="d")
    sub = await nc.subscribe(nc.new_inbox())
    await nc.publish("$JS.API.CONSUMER.MSG.NEXT.S.d", b'{"expires":5000000000}', reply=sub.subject)
    await settle(nc)
    await js.delete_consumer("S", "d")
    msg = await sub.next_msg()
    assert (msg.headers["Status"], msg.headers["Description"]) == ("409", "Consumer Deleted")


async def test_a_consumer_that_is_not_there(nc, js):
    with pytest.raises(nats.errors.NoRespondersError):
        await nc.request("$JS.API.CONSUMER.MSG.NEXT.S.none", timeout=2)


async def test_a_push_consumer_is_not_asked(js, nc):
    await js.add_consumer("S", durable_name="p", deliver_subject="there")
    assert await ask(nc, b"1", consumer="p") == [("409", "Consumer is push based")]


@pytest.mark.parametrize(
    ("config", "found"),
    [
        (ConsumerConfig(deliver_policy=DeliverPolicy.ALL), [b"1", b"2", b"3", b"4"]),
        (ConsumerConfig(deliver_policy=DeliverPolicy.LAST), [b"4"]),
        (ConsumerConfig(deliver_policy=DeliverPolicy.NEW), []),
        (ConsumerConfig(deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=3), [b"3", b"4"]),
        (ConsumerConfig(deliver_policy=DeliverPolicy.LAST_PER_SUBJECT), [b"3", b"4"]),
        (ConsumerConfig(ack_policy=AckPolicy.NONE), [b"1", b"2", b"3", b"4"]),
        (ConsumerConfig(filter_subjects=["s.1", "s.2"]), [b"1", b"2", b"3", b"4"]),
        (ConsumerConfig(filter_subjects=["s.1"]), [b"1", b"3"]),
    ],
)
async def test_where_a_consumer_begins(js, config, found):
    for number in (1, 2, 3, 4):
        await js.publish(f"s.{2 - number % 2}", b"%d" % number)
    sub = await js.pull_subscribe("s.>", config=config)
    if found:
        assert [msg.data for msg in await sub.fetch(10, timeout=0.1)] == found
    else:
        with pytest.raises(nats.errors.TimeoutError):
            await sub.fetch(10, timeout=0.05)


async def test_a_consumer_that_exists_is_bound(js):
    await js.add_consumer("S", durable_name="d", filter_subject="s.b")
    await js.publish("s.b", b"x")
    sub = await js.pull_subscribe("s.b", durable="d")
    assert (await sub.fetch())[0].data == b"x"
    for bind in ({"consumer": "d"}, {"durable": "d"}, {"name": "d"}):
        other = await js.pull_subscribe_bind(stream="S", **bind)
        await js.publish("s.b", b"y")
        assert (await other.fetch())[0].data == b"y"


async def test_an_ephemeral_consumer(js):
    sub = await js.pull_subscribe("s.a")
    info = await sub.consumer_info()
    assert (info.config.durable_name, info.config.inactive_threshold, info.config.name) == (None, 5, info.name)
    await publish(js, 1)
    assert (await sub.fetch())[0].data == b"1"


async def test_an_ephemeral_consumer_goes_when_nobody_asks(js):
    await js.pull_subscribe("s.a", config=ConsumerConfig(inactive_threshold=0.1))

    async def gone():
        return not await js.consumers_info("S")

    await until(gone)


async def test_fetches_at_the_same_time(js):
    subs = [await js.pull_subscribe_bind("d", "S") for _ in range(4) if await js.add_consumer("S", durable_name="d")]
    tasks = [asyncio.create_task(sub.fetch(5, timeout=2)) for sub in subs]
    await until(lambda: _waiting(subs[0], 4))
    await publish(js, 8)
    found = [msg.data for task in tasks for msg in await task]
    assert sorted(found) == sorted(set(found))
    assert len(found) >= 4


async def test_unsubscribing_twice(js):
    sub = await js.pull_subscribe("s.a", "d")
    await sub.unsubscribe()
    with pytest.raises(nats.errors.BadSubscriptionError):
        await sub.unsubscribe()
    assert (await js.consumer_info("S", "d")).name == "d"
