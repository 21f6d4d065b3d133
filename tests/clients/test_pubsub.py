"""Publish and subscribe: subjects, wildcards, queue groups, headers, limits of a subscription."""

import asyncio
import collections

import nats.errors
import pytest

from tests.clients.running import settle, until


async def test_a_message_arrives_as_it_was_sent(nc):
    sub = await nc.subscribe("one")
    await nc.publish("one", b"payload", reply="answers")
    msg = await sub.next_msg()
    assert (msg.subject, msg.reply, msg.data, msg.headers) == ("one", "answers", b"payload", None)
    assert msg.sid == sub._id


async def test_an_empty_payload(nc):
    sub = await nc.subscribe("one")
    await nc.publish("one")
    assert (await sub.next_msg()).data == b""


async def test_binary_payloads_with_line_breaks(nc):
    sub = await nc.subscribe("one")
    payloads = [bytes(range(256)), b"\r\n", b"\r\nMSG a 1 3\r\nabc\r\n", b"PING\r\n", b"\0" * 7]
    for payload in payloads:
        await nc.publish("one", payload)
    assert [(await sub.next_msg()).data for _ in payloads] == payloads


async def test_messages_of_one_client_keep_their_order(nc):
    sub = await nc.subscribe("ordered.*")
    for number in range(500):
        await nc.publish(f"ordered.{number % 3}", str(number).encode())
    assert [(await sub.next_msg()).data for _ in range(500)] == [str(number).encode() for number in range(500)]


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("a", ["a"], ["b", "a.b", "A"]),
        ("a.*", ["a.b", "a.c"], ["a", "a.b.c", "b.a"]),
        ("*.b", ["a.b", "c.b"], ["b", "a.b.c"]),
        ("a.*.c", ["a.b.c"], ["a.b", "a.b.d", "a.b.c.d"]),
        ("a.>", ["a.b", "a.b.c"], ["a", "b.a"]),
        ("*", ["a", "b"], ["a.b"]),
        ("w.>", ["w.a", "w.a.b.c.d.e.f.g.h"], ["w", "v.a"]),
        ("*.*.>", ["a.b.c", "a.b.c.d"], ["a.b"]),
        ("a-b_c.$x", ["a-b_c.$x"], ["a-b_c.x"]),
        ("grüße.*", ["grüße.äöü"], ["gruesse.a"]),
    ],
)
async def test_wildcards(nc, pattern, matching, others):
    sub = await nc.subscribe(pattern)
    for subject in others + matching:
        await nc.publish(subject)
    await settle(nc)
    assert [(await sub.next_msg()).subject for _ in matching] == matching
    assert sub.pending_msgs == 0


@pytest.mark.parametrize("subject", ["", "a b", "a..b", ".a", "a.", "a.>.b", "a*.b", "a\r\nb"])
async def test_subjects_that_cannot_be_subscribed_to(nc, subject):
    with pytest.raises(nats.errors.BadSubjectError):
        await nc.subscribe(subject)
    await settle(nc)


@pytest.mark.parametrize("subject", ["a..b", ".a", "a."])
async def test_subjects_with_empty_tokens_reach_nobody(nc, subject):
    sub = await nc.subscribe(">")
    await settle(nc)
    await nc.publish(subject)
    await nc.publish("last")
    assert (await sub.next_msg()).subject == "last"


async def test_wildcards_in_a_published_subject_are_plain_tokens(nc):
    everything, other = await nc.subscribe("a.*"), await nc.subscribe("a.b")
    await nc.publish("a.*")
    await settle(nc)
    assert (await everything.next_msg()).subject == "a.*"
    assert other.pending_msgs == 0


async def test_every_subscription_gets_its_copy(nc):
    subs = [await nc.subscribe(subject) for subject in ("a.b", "a.*", "a.>", ">", "*.b", "a.b")]
    await nc.publish("a.b", b"x")
    await settle(nc)
    assert [sub.pending_msgs for sub in subs] == [1] * 6
    assert len({(await sub.next_msg()).sid for sub in subs}) == 6


async def test_clients_hear_each_other(server, connect):
    clients = [await connect(server.url) for _ in range(5)]
    subs = [await client.subscribe("news") for client in clients]
    await settle(*clients)
    await clients[0].publish("news", b"hello")
    assert [(await sub.next_msg()).data for sub in subs] == [b"hello"] * 5


async def test_callbacks(nc):
    heard = []

    async def hear(msg):
        heard.append(msg.data)

    sub = await nc.subscribe("calls", cb=hear)
    for number in range(10):
        await nc.publish("calls", b"%d" % number)
    await until(lambda: len(heard) == 10)
    assert heard == [b"%d" % number for number in range(10)]
    assert sub.delivered == 10
    with pytest.raises(nats.errors.Error, match="async subscriptions"):
        await sub.next_msg()


async def test_an_exception_in_a_callback_goes_to_the_error_callback(server, connect):
    errors, heard = [], []

    async def note(error):
        errors.append(error)

    async def hear(msg):
        heard.append(msg)
        raise ValueError(msg.data)

    client = await connect(server.url, error_cb=note)
    await client.subscribe("calls", cb=hear)
    await client.publish("calls", b"1")
    await client.publish("calls", b"2")
    await until(lambda: len(errors) == 2)
    assert [type(error) for error in errors] == [ValueError, ValueError]


async def test_iterating_over_messages_until_unsubscribed(nc):
    sub = await nc.subscribe("many")
    await sub.unsubscribe(limit=3)
    for number in range(5):
        await nc.publish("many", b"%d" % number)
    assert [msg.data async for msg in sub.messages] == [b"0", b"1", b"2"]


async def test_next_msg_times_out(nc):
    sub = await nc.subscribe("silence")
    with pytest.raises(nats.errors.TimeoutError):
        await sub.next_msg(timeout=0.02)


async def test_unsubscribe(nc):
    sub = await nc.subscribe("gone")
    await nc.publish("gone", b"1")
    assert (await sub.next_msg()).data == b"1"
    await sub.unsubscribe()
    await nc.publish("gone", b"2")
    await settle(nc)
    assert sub.pending_msgs == 0
    assert nc.stats["in_msgs"] == 1
    with pytest.raises(nats.errors.BadSubscriptionError):
        await sub.unsubscribe()


@pytest.mark.parametrize("limit", [1, 2, 5])
async def test_the_server_ends_a_subscription_after_its_last_message(nc, limit):
    sub = await nc.subscribe("limited")
    await sub.unsubscribe(limit=limit)
    for _ in range(limit + 3):
        await nc.publish("limited")
    await settle(nc)
    assert sub.pending_msgs == limit
    assert nc.stats["in_msgs"] == limit, "the server sent no more than that"


async def test_a_limit_counts_what_was_delivered_before(nc):
    sub = await nc.subscribe("limited")
    await nc.publish("limited")
    await nc.publish("limited")
    await settle(nc)
    await sub.unsubscribe(limit=3)
    for _ in range(3):
        await nc.publish("limited")
    await settle(nc)
    assert sub.pending_msgs == 3


async def test_a_limit_that_is_reached_already_ends_it_at_once(nc):
    sub = await nc.subscribe("limited")
    await nc.publish("limited")
    await sub.next_msg()
    await sub.unsubscribe(limit=1)
    await nc.publish("limited")
    await settle(nc)
    assert nc.stats["in_msgs"] == 1


async def test_no_echo(server, connect):
    quiet, other = await connect(server.url, no_echo=True), await connect(server.url)
    own, foreign = await quiet.subscribe("echo"), await other.subscribe("echo")
    await settle(other)
    await quiet.publish("echo", b"mine")
    assert (await foreign.next_msg()).data == b"mine"
    await settle(quiet)
    assert own.pending_msgs == 0
    await other.publish("echo", b"yours")
    assert (await own.next_msg()).data == b"yours"


async def test_a_message_goes_to_one_of_a_queue_group(server, connect):
    clients = [await connect(server.url) for _ in range(3)]
    members = [await client.subscribe("work", queue="workers") for client in clients]
    plain = await clients[0].subscribe("work")
    other = await clients[1].subscribe("work", queue="others")
    await settle(*clients)
    for number in range(300):
        await clients[0].publish("work", b"%d" % number)
    await settle(*clients)
    counts = [member.pending_msgs for member in members]
    assert sum(counts) == 300
    assert min(counts) > 50, "shared out fairly"
    assert (plain.pending_msgs, other.pending_msgs) == (300, 300)
    heard = collections.Counter(
        [(await member.next_msg()).data for member in members for _ in range(member.pending_msgs)]
    )
    assert set(heard.values()) == {1}


async def test_a_queue_group_within_one_client(nc):
    members = [await nc.subscribe("work.*", queue="w") for _ in range(4)]
    for number in range(200):
        await nc.publish(f"work.{number}")
    await settle(nc)
    assert sum(member.pending_msgs for member in members) == 200
    assert all(member.pending_msgs > 10 for member in members)
    assert members[0].queue == "w"


async def test_who_leaves_a_queue_group_gets_no_more(nc):
    stays, leaves = await nc.subscribe("work", queue="w"), await nc.subscribe("work", queue="w")
    await leaves.unsubscribe()
    for _ in range(20):
        await nc.publish("work")
    await settle(nc)
    assert (stays.pending_msgs, leaves.pending_msgs) == (20, 0)


async def test_queue_members_with_different_wildcards(nc):
    members = [await nc.subscribe(subject, queue="w") for subject in ("a.b", "a.*", ">")]
    for _ in range(90):
        await nc.publish("a.b")
    await settle(nc)
    assert sum(member.pending_msgs for member in members) == 90, "a group is one, whatever its members listen to"


async def test_statistics(nc):
    sub = await nc.subscribe("counted")
    await nc.publish("counted", b"12345")
    await nc.publish("counted", b"123", headers={"a": "b"})
    await sub.next_msg()
    await sub.next_msg()
    stats = nc.stats
    assert (stats["out_msgs"], stats["out_bytes"], stats["in_msgs"], stats["in_bytes"]) == (2, 8, 2, 8)
    assert (stats["reconnects"], stats["errors_received"]) == (0, 0)


async def test_pending_counts(nc):
    sub = await nc.subscribe("pending")
    for _ in range(3):
        await nc.publish("pending", b"1234")
    await settle(nc)
    assert (sub.pending_msgs, sub.pending_bytes, sub.delivered) == (3, 12, 3)
    await sub.next_msg()
    assert (sub.pending_msgs, sub.pending_bytes, sub.delivered) == (2, 8, 3)


async def test_a_subscription_that_is_full_drops_and_tells(server, connect):
    errors = []

    async def note(error):
        errors.append(error)

    client = await connect(server.url, error_cb=note)
    by_count = await client.subscribe("slow.count", pending_msgs_limit=2)
    by_bytes = await client.subscribe("slow.bytes", pending_bytes_limit=10)
    for _ in range(4):
        await client.publish("slow.count", b"x")
        await client.publish("slow.bytes", b"12345678")
    await settle(client)
    assert (by_count.pending_msgs, by_bytes.pending_msgs) == (2, 1)
    assert [type(error) for error in errors] == [nats.errors.SlowConsumerError] * 5
    assert {error.subject for error in errors} == {"slow.count", "slow.bytes"}


async def test_many_subscriptions_and_messages_at_once(nc):
    subs = {f"s.{number}": await nc.subscribe(f"s.{number}") for number in range(300)}
    await asyncio.gather(*(nc.publish(subject, subject.encode()) for subject in subs))
    for subject, sub in subs.items():
        assert (await sub.next_msg()).data == subject.encode()


async def test_a_payload_of_the_greatest_size(nc):
    sub = await nc.subscribe("large")
    payload = bytes(range(256)) * (nc.max_payload // 256)
    await nc.publish("large", payload)
    assert (await sub.next_msg(timeout=5)).data == payload
    with pytest.raises(nats.errors.MaxPayloadError):
        await nc.publish("large", payload + b"x")


async def test_headers_that_make_a_message_too_large_end_the_connection(server, connect):
    client = await connect(server.url, allow_reconnect=False)
    await client.publish("large", b"x" * client.max_payload, headers={"a": "b"})
    await until(lambda: client.is_closed)
    assert "maximum payload violation" in str(client.last_error).lower()
