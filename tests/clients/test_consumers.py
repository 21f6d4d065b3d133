"""Consumers: their configuration, acks of every kind, redelivery, pauses, resets."""

import datetime as dt

import nats.errors
import nats.js.errors
import pytest
from nats.js.api import AckPolicy, ConsumerConfig
from nats.js.errors import APIError, NotFoundError

from tests.clients.running import now, settle, until


@pytest.fixture
async def js(js):
    """A context beside a stream S."""
    await js.add_stream(name="S", subjects=["s.>"], storage="memory")
    return js


async def publish(js, count):
    for number in range(count):
        await js.publish("s.a", b"%d" % (number + 1))


async def test_the_defaults_of_a_pull_consumer(js):
    info = await js.add_consumer("S", durable_name="d")
    config = info.config
    assert (info.name, info.stream_name, config.name, config.durable_name) == ("d", "S", "d", "d")
    assert (config.deliver_policy, config.ack_policy, config.replay_policy) == ("all", "explicit", "instant")
    assert (config.ack_wait, config.max_deliver, config.max_ack_pending, config.max_waiting) == (30, -1, 1000, 512)
    assert (config.filter_subject, config.num_replicas, config.deliver_subject, config.backoff) == (None, 0, None, None)
    assert config.metadata == {"_nats.level": "5", "_nats.req.level": "0", "_nats.ver": "2.15.1"}
    assert (info.num_pending, info.num_ack_pending, info.num_redelivered, info.num_waiting) == (0, 0, 0, 0)
    assert (info.delivered.consumer_seq, info.delivered.stream_seq, info.ack_floor.consumer_seq) == (0, 0, 0)
    assert (info.push_bound, info.paused, info.pause_remaining) == (None, None, None)
    assert info.created.tzinfo is dt.UTC


async def test_every_setting_is_kept(js):
    asked = ConsumerConfig(
        name="c",
        durable_name="c",
        description="what it is for",
        opt_start_seq=3,
        deliver_policy="by_start_sequence",
        ack_policy="explicit",
        ack_wait=7,
        max_deliver=5,
        backoff=[1, 2, 4],
        filter_subjects=["s.a", "s.b"],
        replay_policy="original",
        sample_freq="50%",
        max_waiting=7,
        max_ack_pending=8,
        headers_only=True,
        inactive_threshold=60,
        num_replicas=1,
        mem_storage=True,
        metadata={"owner": "us"},
    )
    config = (await js.add_consumer("S", asked)).config
    for name in asked.as_dict().keys() - {"metadata", "ack_wait", "idle_heartbeat", "inactive_threshold", "backoff"}:
        assert getattr(config, name) == getattr(asked, name), name
    assert (config.ack_wait, config.inactive_threshold, config.backoff) == (1, 60, [1, 2, 4])
    assert config.metadata["owner"] == "us"


async def test_a_push_consumer(js):
    config = (
        await js.add_consumer(
            "S", deliver_subject="to", deliver_group="g", idle_heartbeat=3, flow_control=True, rate_limit_bps=1024
        )
    ).config
    assert (config.deliver_subject, config.deliver_group, config.idle_heartbeat, config.flow_control) == (
        "to",
        "g",
        3,
        True,
    )
    assert (config.rate_limit_bps, config.max_waiting) == (1024, None)


async def test_creating_and_updating(js):
    first = await js.add_consumer("S", durable_name="d", ack_wait=10)
    again = await js.add_consumer("S", durable_name="d", ack_wait=10)
    assert again.created == first.created
    changed = await js.add_consumer("S", durable_name="d", ack_wait=20, description="new", filter_subject="s.b")
    assert (changed.config.ack_wait, changed.config.description, changed.config.filter_subject) == (20, "new", "s.b")
    assert changed.created == first.created


@pytest.mark.parametrize(
    ("settings", "description"),
    [
        ({"deliver_policy": "new"}, "deliver policy can not be updated"),
        ({"ack_policy": "none"}, "ack policy can not be updated"),
        ({"replay_policy": "original"}, "replay policy can not be updated"),
        ({"deliver_policy": "by_start_sequence", "opt_start_seq": 5}, "deliver policy can not be updated"),
        ({"deliver_subject": "to"}, "can not update pull consumer to push based"),
        ({"max_waiting": 7}, "max waiting can not be updated"),
    ],
)
async def test_what_no_update_may_change(js, settings, description):
    await js.add_consumer("S", durable_name="d")
    with pytest.raises(APIError) as caught:
        await js.add_consumer("S", durable_name="d", **settings)
    assert (caught.value.code, caught.value.err_code, caught.value.description) == (500, 10012, description)


async def test_listing_and_deleting(js):
    for name in ("b", "a", "c"):
        await js.add_consumer("S", durable_name=name)
    assert [info.name for info in await js.consumers_info("S")] == ["a", "b", "c"]
    assert [info.name for info in await js.consumers_info("S", offset=1)] == ["b", "c"]
    assert (await js.stream_info("S")).state.consumer_count == 3
    assert await js.delete_consumer("S", "b") is True
    assert [info.name for info in await js.consumers_info("S")] == ["a", "c"]


@pytest.mark.parametrize("verb", ["consumer_info", "delete_consumer"])
async def test_a_consumer_that_is_not_there(js, verb):
    with pytest.raises(NotFoundError) as caught:
        await getattr(js, verb)("S", "none")
    assert (caught.value.code, caught.value.err_code, caught.value.description) == (404, 10014, "consumer not found")
    with pytest.raises(NotFoundError) as caught:
        await getattr(js, verb)("NONE", "none")
    assert caught.value.err_code == 10059


async def test_names_no_consumer_may_have(js):
    for name in ("a.b", "a b", "a*", "a>", "a/b"):
        with pytest.raises(ValueError, match="consumer name"):
            await js.add_consumer("S", durable_name=name)


async def test_a_stream_of_few_consumers(js):
    await js.add_stream(name="T", subjects=["t"], max_consumers=1)
    await js.add_consumer("T", durable_name="a")
    with pytest.raises(APIError) as caught:
        await js.add_consumer("T", durable_name="b")
    assert (caught.value.code, caught.value.err_code) == (400, 10026)


async def test_a_work_queue(js):
    await js.add_stream(name="W", subjects=["w.*"], retention="workqueue", storage="memory")
    await js.add_consumer("W", durable_name="a", filter_subject="w.a")
    for settings, err_code in (
        ({"filter_subject": "w.a"}, 10100),
        ({}, 10099),
        ({"filter_subject": "w.b", "ack_policy": "none"}, 10098),
        ({"filter_subject": "w.b", "deliver_policy": "new"}, 10101),
    ):
        with pytest.raises(APIError) as caught:
            await js.add_consumer("W", durable_name="b", **settings)
        assert caught.value.err_code in (err_code, 10084), settings
    await js.publish("w.a", b"1")
    await js.publish("w.b", b"2")
    sub = await js.pull_subscribe_bind("a", "W")
    await (await sub.fetch())[0].ack_sync()
    state = (await js.stream_info("W")).state
    assert (state.messages, state.first_seq) == (1, 2)


async def test_a_stream_that_keeps_what_is_of_interest(js):
    await js.add_stream(name="I", subjects=["i.*"], retention="interest", storage="memory")
    await js.publish("i.a")
    assert (await js.stream_info("I")).state.messages == 0
    subs = [await js.pull_subscribe("i.a", name, stream="I") for name in "ab"]
    await js.publish("i.a")
    await js.publish("i.b")
    assert (await js.stream_info("I")).state.messages == 1
    for sub, left in zip(subs, (1, 0), strict=True):
        await (await sub.fetch())[0].ack_sync()
        assert (await js.stream_info("I")).state.messages == left


# -- acks -------------------------------------------------------------------------------------------


async def test_a_nak_delivers_again(js, nc):
    await publish(js, 2)
    sub = await js.pull_subscribe("s.a", "d")
    first = (await sub.fetch())[0]
    await nc.request(first.reply, b"-NAK", timeout=2)  # a nak that is confirmed has come before the next request
    again = (await sub.fetch())[0]
    assert (again.data, again.metadata.num_delivered, again.metadata.sequence.consumer) == (b"1", 2, 2)
    assert (await sub.consumer_info()).num_redelivered == 1


async def test_a_nak_with_a_delay(js):
    await publish(js, 1)
    sub = await js.pull_subscribe("s.a", "d")
    await (await sub.fetch())[0].nak(delay=0.1)
    with pytest.raises(nats.errors.TimeoutError):
        await sub.fetch(timeout=0.02)
    assert (await sub.fetch(timeout=2))[0].metadata.num_delivered == 2


async def test_a_term_delivers_no_more(js):
    await publish(js, 2)
    sub = await js.pull_subscribe("s.a", "d", config=ConsumerConfig(ack_wait=0.1))
    await (await sub.fetch())[0].term()
    await (await sub.fetch())[0].ack_sync()
    info = await sub.consumer_info()
    assert (info.num_ack_pending, info.ack_floor.stream_seq, info.num_redelivered) == (0, 2, 0)


async def test_work_in_progress_takes_its_time(js):
    await publish(js, 1)
    sub = await js.pull_subscribe("s.a", "d", config=ConsumerConfig(ack_wait=30))
    msg = (await sub.fetch())[0]
    for _ in range(3):
        await msg.in_progress()
    assert msg.is_acked is False
    await msg.ack_sync()
    assert msg.is_acked is True
    with pytest.raises(nats.errors.MsgAlreadyAckdError):
        await msg.ack()


async def test_an_ack_that_is_late(js):
    await publish(js, 1)
    sub = await js.pull_subscribe("s.a", "d", config=ConsumerConfig(ack_wait=0.05))
    await sub.fetch()
    again = (await sub.fetch(timeout=2))[0]
    assert again.metadata.num_delivered == 2
    await again.ack_sync()


async def test_deliveries_have_an_end(js, nc):
    advisories = await nc.subscribe("$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.S.d")
    await publish(js, 1)
    sub = await js.pull_subscribe("s.a", "d", config=ConsumerConfig(ack_wait=0.05, max_deliver=2))
    for count in (1, 2):
        assert (await sub.fetch(timeout=2))[0].metadata.num_delivered == count
    with pytest.raises(nats.errors.TimeoutError):
        await sub.fetch(timeout=0.15)
    assert b'"stream_seq":1' in (await advisories.next_msg(timeout=2)).data


async def test_backoff(js):
    await publish(js, 1)
    sub = await js.pull_subscribe("s.a", "d", config=ConsumerConfig(backoff=[0.02, 0.04], max_deliver=3))
    found = [(await sub.fetch(timeout=2))[0].metadata.num_delivered for _ in range(3)]
    assert found == [1, 2, 3]


async def test_an_ack_of_all_before(js):
    await publish(js, 5)
    sub = await js.pull_subscribe("s.a", "d", config=ConsumerConfig(ack_policy=AckPolicy.ALL))
    msgs = await sub.fetch(5)
    await msgs[3].ack_sync()
    info = await sub.consumer_info()
    assert (info.ack_floor.stream_seq, info.num_ack_pending) == (4, 1)


@pytest.mark.parametrize("payload", [b"", b"+ACK", b"+OK", b"-NAK", b"+TERM", b"+TERM because", b"+WPI"])
async def test_acks_are_confirmed(js, nc, payload):
    await publish(js, 2)
    sub = await js.pull_subscribe("s.a", "d")
    msg = (await sub.fetch())[0]
    got = await nc.request(msg.reply, payload, timeout=2)
    assert got.data == b""


async def test_an_ack_that_asks_for_the_next_message(js, nc):
    await publish(js, 2)
    sub = await js.pull_subscribe("s.a", "d")
    msg = (await sub.fetch())[0]
    inbox = await nc.subscribe(nc.new_inbox())
    await nc.publish(msg.reply, b"+NXT", reply=inbox.subject)
    assert (await inbox.next_msg()).data == b"2"
    info = await sub.consumer_info()
    assert (info.ack_floor.stream_seq, info.num_ack_pending) == (1, 1)


async def test_acks_of_what_is_no_jetstream_message(nc):
    sub = await nc.subscribe("plain")
    await nc.publish("plain")
    msg = await sub.next_msg()
    for ack in (msg.ack(), msg.nak(), msg.term(), msg.in_progress(), msg.ack_sync()):
        with pytest.raises(nats.errors.NotJSMessageError):
            await ack
    with pytest.raises(nats.errors.NotJSMessageError):
        _ = msg.metadata


# -- pauses and resets ------------------------------------------------------------------------------


async def test_a_pause(js):
    await publish(js, 1)
    sub = await js.pull_subscribe("s.a", "d")
    until_when = now(hours=1).isoformat()
    answer = await js.pause_consumer("S", "d", until_when.replace("+00:00", "Z"))
    assert answer.paused is True
    assert answer.pause_remaining
    info = await sub.consumer_info()
    assert info.paused is True
    assert info.pause_remaining
    with pytest.raises(nats.errors.TimeoutError):
        await sub.fetch(timeout=0.05)
    answer = await js.resume_consumer("S", "d")
    assert (answer.paused, answer.pause_remaining) == (False, None)
    assert (await sub.consumer_info()).paused is None
    assert (await sub.fetch(timeout=2))[0].data == b"1"


async def test_a_consumer_that_is_paused_from_the_start(js):
    info = await js.add_consumer("S", durable_name="d", pause_until="2090-01-01T00:00:00Z")
    assert (info.paused, info.config.pause_until) == (True, "2090-01-01T00:00:00Z")


async def test_a_pause_that_makes_no_sense(js):
    await js.add_consumer("S", durable_name="d")
    with pytest.raises(APIError) as caught:
        await js.pause_consumer("S", "d", "tomorrow")
    assert (caught.value.code, caught.value.err_code) == (400, 10025)
    with pytest.raises(NotFoundError):
        await js.pause_consumer("S", "none", "2090-01-01T00:00:00Z")


async def test_a_reset(js):
    await publish(js, 5)
    sub = await js.pull_subscribe("s.a", "d")
    for msg in await sub.fetch(4):
        await msg.ack_sync()
    reset = await js.reset_consumer("S", "d", seq=2)
    assert (reset.reset_seq, reset.info.num_pending, reset.info.ack_floor.stream_seq) == (2, 4, 1)
    assert (await sub.fetch())[0].data == b"2"
    reset = await js.reset_consumer("S", "d")
    assert (reset.reset_seq, reset.info.delivered.consumer_seq) == (2, 0)


async def test_resets_that_are_refused(js):
    await publish(js, 5)
    await js.add_consumer("S", durable_name="d", deliver_policy="by_start_sequence", opt_start_seq=3)
    with pytest.raises(nats.js.errors.ConsumerInvalidResetError) as caught:
        await js.reset_consumer("S", "d", seq=1)
    assert caught.value.err_code == 10204
    await js.add_consumer("S", durable_name="n", deliver_policy="new")
    with pytest.raises(nats.js.errors.ConsumerInvalidResetError):
        await js.reset_consumer("S", "n", seq=1)
    with pytest.raises(nats.errors.TimeoutError):  # a server does not answer that
        await js.reset_consumer("S", "none", timeout=0.1)


async def test_purges_and_deletes_move_a_consumer_on(js, nc):
    await publish(js, 5)
    sub = await js.pull_subscribe("s.a", "d")
    await js.delete_msg("S", 1)
    await js.purge_stream("S", seq=3)
    await settle(nc)
    msg = (await sub.fetch())[0]
    assert (msg.data, msg.metadata.num_pending) == (b"3", 2)
    await js.purge_stream("S")

    async def nothing():
        info = await sub.consumer_info()
        return (info.num_pending, info.num_ack_pending) == (0, 0)

    await until(nothing)
