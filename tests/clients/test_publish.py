"""What is published to streams, and read from them: acks, expectations, duplicates, messages by number and subject."""

import asyncio
import datetime as dt

import nats.errors
import nats.js.errors
import pytest
from nats.js.api import Header
from nats.js.errors import APIError, BadRequestError, NotFoundError

from tests.clients.running import now, until


@pytest.fixture
async def js(js):
    """A context beside a stream S."""
    await js.add_stream(name="S", subjects=["s.>"], storage="memory", allow_direct=True, allow_rollup_hdrs=True)
    return js


async def test_acks_count(js):
    acks = [await js.publish("s.a", b"%d" % number) for number in range(3)]
    assert [(ack.stream, ack.seq, ack.domain, ack.duplicate) for ack in acks] == [
        ("S", seq, None, None) for seq in (1, 2, 3)
    ]


async def test_nobody_stores_it(js):
    with pytest.raises(nats.js.errors.NoStreamResponseError):
        await js.publish("other", b"x")


async def test_a_duplicate(js):
    headers = {Header.MSG_ID: "one"}
    first, second = await js.publish("s.a", headers=headers), await js.publish("s.b", headers=headers)
    assert (first.seq, first.duplicate) == (1, None)
    assert (second.seq, second.duplicate) == (1, True)
    assert (await js.stream_info("S")).state.messages == 1


async def test_a_duplicate_byte_by_byte(nc, js):
    answers = [(await nc.request("s.a", headers={"Nats-Msg-Id": "one"})).data for _ in range(2)]
    assert answers == [b'{"stream":"S","seq":1}', b'{"stream":"S","seq":1,"duplicate": true}']


EXPECTATIONS = [
    ({"Nats-Expected-Stream": "S"}, None),
    ({"Nats-Expected-Stream": "T"}, (400, 10060, "expected stream does not match")),
    ({"Nats-Expected-Last-Sequence": "2"}, None),
    ({"Nats-Expected-Last-Sequence": "1"}, (400, 10071, "wrong last sequence: 2")),
    ({"Nats-Expected-Last-Sequence": "0"}, (400, 10071, "wrong last sequence: 2")),
    ({"Nats-Expected-Last-Subject-Sequence": "1"}, None),
    ({"Nats-Expected-Last-Subject-Sequence": "2"}, (400, 10071, "wrong last sequence: 1")),
    ({"Nats-Expected-Last-Subject-Sequence": "0"}, (400, 10071, "wrong last sequence: 1")),
    ({"Nats-Expected-Last-Subject-Sequence": "2", "Nats-Expected-Last-Subject-Sequence-Subject": "s.b"}, None),
    ({"Nats-Expected-Last-Msg-Id": "two"}, None),
    ({"Nats-Expected-Last-Msg-Id": "one"}, (400, 10070, "wrong last msg ID: two")),
    ({"Nats-Rollup": "everything"}, (500, 10111, 'rollup value invalid: "everything"')),
    ({"Nats-TTL": "1"}, (400, 10166, "per-message TTL is disabled")),
    ({"Nats-Incr": "1"}, (400, 10168, "message counters is disabled")),
    ({"Nats-Batch-Id": "b", "Nats-Batch-Sequence": "1"}, (400, 10174, "atomic publish is disabled")),
    (
        {"Nats-Schedule": "@at 2040-01-01T00:00:00Z", "Nats-Schedule-Target": "s.x"},
        (400, 10188, "message schedules is disabled"),
    ),
]


@pytest.mark.parametrize(("headers", "refusal"), EXPECTATIONS)
async def test_expectations(js, headers, refusal):
    await js.publish("s.a", headers={"Nats-Msg-Id": "one"})
    await js.publish("s.b", headers={"Nats-Msg-Id": "two"})
    if refusal is None:
        assert (await js.publish("s.a", headers=headers)).seq == 3
        return
    with pytest.raises(APIError) as caught:
        await js.publish("s.a", headers=headers)
    found = caught.value
    assert (found.code, found.err_code, found.description) == refusal


async def test_an_expected_stream_by_argument(js):
    assert (await js.publish("s.a", stream="S")).seq == 1
    with pytest.raises(BadRequestError, match="expected stream does not match"):
        await js.publish("s.a", stream="T")


@pytest.mark.parametrize(("rollup", "left"), [("sub", 2), ("all", 1)])
async def test_rollups(js, rollup, left):
    for subject in ("s.a", "s.a", "s.b"):
        await js.publish(subject)
    await js.publish("s.a", headers={Header.ROLLUP: rollup})
    state = (await js.stream_info("S")).state
    assert (state.messages, state.last_seq) == (left, 4)


async def test_async_publishes(js):
    futures = [await js.publish_async("s.a", b"%d" % number) for number in range(100)]
    assert js.publish_async_pending() <= 100
    await asyncio.wait_for(js.publish_async_completed(), 5)
    assert [(await future).seq for future in futures] == list(range(1, 101))
    assert js.publish_async_pending() == 0


async def test_errors_of_async_publishes(js):
    nobody = await js.publish_async("other")
    right = await js.publish_async("s.a")
    with pytest.raises(nats.js.errors.NoStreamResponseError):
        await asyncio.wait_for(nobody, 2)
    assert (await asyncio.wait_for(right, 2)).seq == 1


async def test_too_many_async_publishes(nc):
    js = nc.jetstream(publish_async_max_pending=2)
    await nc.subscribe("mute")
    for _ in range(2):
        await js.publish_async("mute")
    with pytest.raises(nats.js.errors.TooManyStalledMsgsError):
        await js.publish_async("mute", wait_stall=0.01)


async def test_a_stream_that_does_not_ack(nc):
    js = nc.jetstream()
    await js.add_stream(name="QUIET", subjects=["q"], no_ack=True)
    with pytest.raises(nats.errors.TimeoutError):
        await js.publish("q", timeout=0.05)
    assert (await js.stream_info("QUIET")).state.messages == 1


async def test_plain_messages_are_stored_too(nc, js):
    await nc.publish("s.plain", b"x", headers={"a": "b"})

    async def stored():
        return (await js.stream_info("S")).state.messages == 1

    await until(stored)
    msg = await js.get_last_msg("S", "s.plain")
    assert (msg.data, msg.headers) == (b"x", {"a": "b"})


async def test_a_request_to_a_stream_gets_the_ack(nc, js):
    assert (await nc.request("s.a", b"x")).data == b'{"stream":"S","seq":1}'


# -- reading ----------------------------------------------------------------------------------------


@pytest.fixture
async def filled(js):
    for number in range(1, 6):
        await js.publish(f"s.{number % 2}", b"%d" % number, headers={"n": str(number)})
    return js


@pytest.mark.parametrize("direct", [False, True])
async def test_messages_by_number(filled, direct):
    before = now(minutes=-1)
    msg = await filled.get_msg("S", 3, direct=direct)
    assert (msg.subject, msg.seq, msg.sequence, msg.data, msg.headers["n"]) == ("s.1", 3, 3, b"3", "3")
    assert before < msg.time < before + dt.timedelta(minutes=2)
    for seq in (9, 100):
        with pytest.raises(NotFoundError):
            await filled.get_msg("S", seq, direct=direct)


@pytest.mark.parametrize("direct", [False, True])
async def test_last_messages_of_a_subject(filled, direct):
    assert (await filled.get_last_msg("S", "s.0", direct=direct)).seq == 4
    assert (await filled.get_last_msg("S", "s.1", direct=direct)).seq == 5
    assert (await filled.get_last_msg("S", "s.*", direct=direct)).seq == 5
    assert (await filled.get_last_msg("S", "s.>", direct=direct)).seq == 5
    with pytest.raises(NotFoundError):
        await filled.get_last_msg("S", "s.2", direct=direct)


@pytest.mark.parametrize("direct", [False, True])
async def test_next_messages_of_a_subject(filled, direct):
    found = [(await filled.get_msg("S", seq, subject="s.0", next=True, direct=direct)).seq for seq in (1, 2, 3)]
    assert found == [2, 2, 4]
    assert (await filled.get_msg("S", 3, subject="s.*", next=True, direct=direct)).seq == 3
    with pytest.raises(NotFoundError):
        await filled.get_msg("S", 5, subject="s.0", next=True, direct=direct)


async def test_what_direct_messages_carry(filled, nc):
    msg = await nc.request("$JS.API.DIRECT.GET.S.s.0", timeout=2)
    assert msg.data == b"4"
    assert (msg.headers["Nats-Stream"], msg.headers["Nats-Subject"], msg.headers["Nats-Sequence"], msg.headers["n"]) == (
        "S", "s.0", "4", "4",
    )  # fmt: skip
    assert msg.headers["Nats-Time-Stamp"].endswith("Z")


async def test_several_messages_at_once(filled, nc):
    inbox = nc.new_inbox()
    sub = await nc.subscribe(inbox)
    await nc.publish("$JS.API.DIRECT.GET.S", b'{"seq":1,"batch":3}', reply=inbox)
    msgs = [await sub.next_msg() for _ in range(4)]
    assert [msg.data for msg in msgs] == [b"1", b"2", b"3", b""]
    assert [msg.headers.get("Nats-Num-Pending") for msg in msgs] == ["4", "3", "2", "2"]
    assert msgs[3].headers["Status"] == "204"
    await nc.publish("$JS.API.DIRECT.GET.S", b'{"multi_last":["s.0","s.1"]}', reply=inbox)
    msgs = [await sub.next_msg() for _ in range(3)]
    assert [msg.data for msg in msgs] == [b"4", b"5", b""]


async def test_direct_reads_that_are_not_allowed(js):
    await js.add_stream(name="T", subjects=["t"], allow_direct=False)
    await js.publish("t")
    with pytest.raises(nats.errors.NoRespondersError):
        await js.get_msg("T", 1, direct=True)


async def test_an_empty_message_directly(js):
    await js.publish("s.a")
    msg = await js.get_msg("S", 1, direct=True)
    assert (msg.data, msg.subject) == (None, "s.a")
    assert (await js.get_msg("S", 1)).data is None


async def test_deleting_messages(filled):
    assert await filled.delete_msg("S", 2) is True
    with pytest.raises(NotFoundError) as caught:
        await filled.get_msg("S", 2)
    assert (caught.value.code, caught.value.err_code, caught.value.description) == (404, 10037, "no message found")
    with pytest.raises(APIError) as caught:
        await filled.delete_msg("S", 2)
    assert (caught.value.code, caught.value.err_code) == (400, 10043)
    state = (await filled.stream_info("S")).state
    assert (state.messages, state.num_deleted) == (4, 1)


async def test_messages_of_a_stream_that_is_not_there(js):
    for read in (js.get_msg("NONE", 1), js.get_last_msg("NONE", "a"), js.delete_msg("NONE", 1)):
        with pytest.raises(NotFoundError) as caught:
            await read
        assert caught.value.err_code == 10059


async def test_a_bad_request_for_a_message(js):
    with pytest.raises(BadRequestError) as caught:
        await js.get_msg("S")
    assert caught.value.err_code == 10003


async def test_headers_and_large_payloads_come_back_as_sent(js):
    payload = bytes(range(256)) * 2000
    headers = {"a": "b", "empty": "", "colon": "x: y", "umlaut": "ä"}
    await js.publish("s.large", payload, headers=headers)
    assert (await js.get_msg("S", 1)).data == payload
    direct = await js.get_msg("S", 1, direct=True)
    assert direct.data == payload
    assert {name: direct.headers[name] for name in headers} == headers
