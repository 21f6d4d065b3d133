"""What newer servers do with streams: mirrors and sources, mappings, copies, counters, batches, schedules, times to live."""

import json

import nats.js.errors
import pytest
from nats.js.api import Header, RePublish, StreamSource, SubjectTransform
from nats.js.errors import APIError, BadRequestError, NotFoundError

from tests.clients.running import now, until


async def messages(js, name, count):
    """Return what a stream has once that is so many."""

    async def enough():
        return (await js.stream_info(name)).state.messages == count

    await until(enough)
    found = []
    for _ in range(count):
        seq = found[-1].seq + 1 if found else 1
        found.append(await js.get_msg(name, seq, subject=">", next=True))
    return found


# -- copies -----------------------------------------------------------------------------------------


async def test_a_mirror(js):
    await js.add_stream(name="S", subjects=["s.*"])
    for number in range(3):
        await js.publish(f"s.{number}", b"%d" % number, headers={"n": str(number)})
    await js.add_stream(name="M", mirror=StreamSource(name="S"))
    found = await messages(js, "M", 3)
    assert [(msg.subject, msg.seq, msg.data, msg.headers) for msg in found] == [
        (f"s.{number}", number + 1, b"%d" % number, {"n": str(number)}) for number in range(3)
    ]
    await js.publish("s.new", b"new")
    assert (await messages(js, "M", 4))[-1].data == b"new"
    info = await js.stream_info("M")
    assert (info.mirror.name, info.mirror.lag, info.mirror.error, info.config.mirror.name) == ("S", 0, None, "S")
    with pytest.raises(APIError):
        await js.add_stream(name="M2", subjects=["m"], mirror=StreamSource(name="S"))


async def test_a_mirror_of_a_part(js):
    await js.add_stream(name="S", subjects=["s.*"])
    for number in range(6):
        await js.publish(f"s.{number % 2}", b"%d" % number)
    await js.add_stream(name="M", mirror=StreamSource(name="S", opt_start_seq=3, filter_subject="s.0"))
    assert [msg.data for msg in await messages(js, "M", 2)] == [b"2", b"4"]


async def test_sources(js):
    await js.add_stream(name="A", subjects=["a.*"])
    await js.add_stream(name="B", subjects=["b.*"])
    await js.publish("a.1", b"a1")
    await js.publish("b.1", b"b1")
    await js.add_stream(
        name="ALL",
        subjects=["own"],
        sources=[
            StreamSource(name="A"),
            StreamSource(name="B", subject_transforms=[SubjectTransform(src="b.*", dest="from.b.{{wildcard(1)}}")]),
        ],
    )
    await messages(js, "ALL", 2)
    await js.publish("own", b"own")
    await js.publish("a.2", b"a2")
    found = await messages(js, "ALL", 4)
    assert {(msg.subject, msg.data) for msg in found} == {
        ("a.1", b"a1"), ("from.b.1", b"b1"), ("own", b"own"), ("a.2", b"a2"),
    }  # fmt: skip
    first = next(msg for msg in found if msg.subject == "a.1")
    assert first.headers["Nats-Stream-Source"].split(" ")[:3] == ["A", "1", ">"]
    info = await js.stream_info("ALL")
    assert {source.name: source.lag for source in info.sources} == {"A": 0, "B": 0}


async def test_a_source_that_comes_later(js):
    await js.add_stream(name="ALL", sources=[StreamSource(name="LATE")])
    await js.add_stream(name="LATE", subjects=["late"])
    await js.publish("late", b"x")

    async def there():
        return (await js.stream_info("ALL")).state.messages == 1

    await until(there, seconds=15)


async def test_a_key_value_mirror(js):
    kv = await js.create_key_value(bucket="B")
    await kv.put("a", b"1")
    await js.add_stream(
        name="KV_M", mirror=StreamSource(name="KV_B"), mirror_direct=True, allow_direct=True, max_msgs_per_subject=1
    )
    await messages(js, "KV_M", 1)
    assert (await js.get_last_msg("KV_M", "$KV.B.a")).data == b"1"


async def test_republish(js, nc):
    await js.add_stream(name="S", subjects=["s.*"], republish=RePublish(src="s.*", dest="copy.{{wildcard(1)}}"))
    sub = await nc.subscribe("copy.*")
    await js.publish("s.a", b"1", headers={"x": "y"})
    await js.publish("s.a", b"22")
    first, second = await sub.next_msg(), await sub.next_msg()
    assert (first.subject, first.data) == ("copy.a", b"1")
    assert {**first.headers, "Nats-Time-Stamp": ""} == {
        "x": "y", "Nats-Stream": "S", "Nats-Subject": "s.a", "Nats-Sequence": "1", "Nats-Last-Sequence": "0",
        "Nats-Time-Stamp": "",
    }  # fmt: skip
    assert (second.headers["Nats-Sequence"], second.headers["Nats-Last-Sequence"]) == ("2", "1")


async def test_republish_of_headers_only(js, nc):
    await js.add_stream(name="S", subjects=["s.*"], republish=RePublish(src=">", dest="copy.>", headers_only=True))
    sub = await nc.subscribe("copy.>")
    await js.publish("s.a", b"12345")
    msg = await sub.next_msg()
    assert (msg.subject, msg.data, msg.headers["Nats-Msg-Size"]) == ("copy.s.a", b"", "5")


@pytest.mark.parametrize(
    ("source", "destination", "sent", "stored"),
    [
        ("s.*", "t.{{wildcard(1)}}", "s.a", "t.a"),
        ("s.*.*", "t.{{wildcard(2)}}.{{wildcard(1)}}", "s.a.b", "t.b.a"),
        ("s.>", "t.>", "s.a.b", "t.a.b"),
        ("s.*", "t.$1", "s.a", "t.a"),
        ("s.*", "t.{{split(1,-)}}", "s.a-b-c", "t.a.b.c"),
        ("s.*", "t.{{left(1,2)}}.{{right(1,1)}}", "s.abc", "t.ab.c"),
        ("s.*", "t.{{splitfromleft(1,1)}}", "s.abc", "t.a.bc"),
        ("s.*", "t.{{slicefromleft(1,2)}}", "s.abcde", "t.ab.cd.e"),
        ("s.*", "t.{{partition(4,1)}}.{{wildcard(1)}}", "s.abc", "t.3.abc"),
        ("s.x", "t", "s.other", "s.other"),
    ],
)
async def test_mappings(js, source, destination, sent, stored):
    await js.add_stream(
        name="S", subjects=["s.>"], subject_transform=SubjectTransform(src=source, dest=destination), storage="memory"
    )
    await js.publish(sent, b"x")
    assert (await js.get_msg("S", 1)).subject == stored


# -- counters, times to live, batches, schedules ----------------------------------------------------


async def test_a_counter(js):
    await js.add_stream(name="C", subjects=["c.*"], allow_msg_counter=True, allow_direct=True)
    for step, value in (
        ("1", "1"),
        ("+5", "6"),
        ("-10", "-4"),
        ("0", "-4"),
        ("100000000000000000000", "99999999999999999996"),
    ):
        assert (await js.publish("c.a", headers={Header.INCR: step})).val == value
    assert json.loads((await js.get_last_msg("C", "c.a")).data) == {"val": "99999999999999999996"}
    assert (await js.publish("c.b", headers={Header.INCR: "2"})).val == "2"


@pytest.mark.parametrize(
    ("headers", "payload", "err_code"),
    [({}, b"", 10169), ({"Nats-Incr": "x"}, b"", 10171), ({"Nats-Incr": "1"}, b"x", 10170)],
)
async def test_what_no_counter_takes(js, headers, payload, err_code):
    await js.add_stream(name="C", subjects=["c.*"], allow_msg_counter=True)
    with pytest.raises(APIError) as caught:
        await js.publish("c.a", payload, headers=headers)
    assert (caught.value.code, caught.value.err_code) == (400, err_code)


async def test_messages_with_a_time_to_live(js):
    await js.add_stream(name="T", subjects=["t.*"], allow_msg_ttl=True, storage="memory")
    await js.publish("t.short", b"1", msg_ttl=1)
    await js.publish("t.long", b"2", msg_ttl=3600)
    await js.publish("t.never", b"3", headers={"Nats-TTL": "never"})
    msg = await js.get_msg("T", 1)
    assert msg.headers == {"Nats-TTL": "1"}

    async def gone():
        return (await js.stream_info("T")).state.messages == 2

    await until(gone)
    with pytest.raises(NotFoundError):
        await js.get_msg("T", 1)
    for wrong in ("0.5", "x", "-1"):
        with pytest.raises(APIError) as caught:
            await js.publish("t.a", headers={"Nats-TTL": wrong})
        assert caught.value.err_code == 10165


async def test_a_marker_of_what_grew_too_old(js, nc):
    await js.add_stream(name="T", subjects=["t.*"], max_age=1, subject_delete_marker_ttl=60, storage="memory")
    sub = await js.subscribe("t.*")
    await js.publish("t.a", b"1")
    await sub.next_msg()
    marker = await sub.next_msg(timeout=5)
    assert (marker.subject, marker.data, marker.headers["Nats-Marker-Reason"], marker.headers["Nats-TTL"]) == (
        "t.a", b"", "MaxAge", "1m0s",
    )  # fmt: skip


async def batch(js, nc, messages, batch_id="b"):
    """Send a batch; return the answer to its last message."""
    for number, (subject, payload) in enumerate(messages[:-1], 1):
        await nc.publish(subject, payload, headers={Header.BATCH_ID: batch_id, Header.BATCH_SEQUENCE: str(number)})
    subject, payload = messages[-1]
    last = {Header.BATCH_ID: batch_id, Header.BATCH_SEQUENCE: str(len(messages)), Header.BATCH_COMMIT: "1"}
    return await js.publish(subject, payload, headers=last)


async def test_a_batch(js, nc):
    await js.add_stream(name="S", subjects=["s.*"], allow_atomic=True)
    ack = await batch(js, nc, [("s.a", b"1"), ("s.b", b"2"), ("s.a", b"3")])
    assert (ack.stream, ack.seq, ack.batch_id, ack.batch_size) == ("S", 3, "b", 3)
    assert [msg.data for msg in await messages(js, "S", 3)] == [b"1", b"2", b"3"]


async def test_a_batch_is_stored_whole_or_not_at_all(js, nc):
    await js.add_stream(name="S", subjects=["s.*"], allow_atomic=True)
    await nc.publish("s.a", b"1", headers={Header.BATCH_ID: "b", Header.BATCH_SEQUENCE: "1"})
    with pytest.raises(BadRequestError) as caught:
        await js.publish(
            "s.a", b"3", headers={Header.BATCH_ID: "b", Header.BATCH_SEQUENCE: "3", Header.BATCH_COMMIT: "1"}
        )
    assert caught.value.err_code == 10176
    assert (await js.stream_info("S")).state.messages == 0


async def test_a_batch_that_expects_something_else(js, nc):
    await js.add_stream(name="S", subjects=["s.*"], allow_atomic=True)
    await js.publish("s.a", b"0")
    first = {Header.BATCH_ID: "b", Header.BATCH_SEQUENCE: "1", Header.EXPECTED_LAST_SUBJECT_SEQUENCE: "5"}
    await nc.publish("s.a", b"1", headers=first)
    with pytest.raises(BadRequestError) as caught:
        await js.publish(
            "s.a", b"2", headers={Header.BATCH_ID: "b", Header.BATCH_SEQUENCE: "2", Header.BATCH_COMMIT: "1"}
        )
    assert caught.value.err_code == 10071
    assert (await js.stream_info("S")).state.messages == 1


async def test_a_schedule(js):
    await js.add_stream(name="S", subjects=["s.*"], allow_msg_schedules=True, storage="memory")
    at = now(seconds=1).strftime("%Y-%m-%dT%H:%M:%SZ")
    await js.publish("s.plan", b"later", headers={Header.SCHEDULE: f"@at {at}", Header.SCHEDULE_TARGET: "s.target"})

    async def there():
        try:
            return await js.get_last_msg("S", "s.target")
        except NotFoundError:
            return None

    msg = await until(there)
    assert (msg.data, msg.headers[Header.SCHEDULER], msg.headers[Header.SCHEDULE_NEXT]) == (b"later", "s.plan", "purge")
    assert (await js.stream_info("S")).state.messages == 1


@pytest.mark.parametrize(
    ("headers", "err_code"),
    [
        ({"Nats-Schedule": "sometime", "Nats-Schedule-Target": "s.t"}, 10189),
        ({"Nats-Schedule": "@at 2090-01-01T00:00:00Z"}, 10190),
        ({"Nats-Schedule": "@at 2090-01-01T00:00:00Z", "Nats-Schedule-Target": "t"}, 10190),
        ({"Nats-Schedule": "@at 2090-01-01T00:00:00Z", "Nats-Schedule-Target": "s.t", "Nats-Schedule-TTL": "x"}, 10191),
        ({"Nats-Schedule": "@every 10ms", "Nats-Schedule-Target": "s.t"}, 10189),
    ],
)
async def test_schedules_that_cannot_be(js, headers, err_code):
    await js.add_stream(name="S", subjects=["s.*"], allow_msg_schedules=True, allow_msg_ttl=True)
    with pytest.raises(BadRequestError) as caught:
        await js.publish("s.plan", headers=headers)
    assert caught.value.err_code == err_code


async def test_requests_of_priority_groups(js, nc):
    await js.add_stream(name="S", subjects=["s"], storage="memory")
    config = {"durable_name": "d", "ack_policy": "explicit", "priority_groups": ["g"], "priority_policy": "overflow"}
    await nc.request(
        "$JS.API.CONSUMER.CREATE.S.d", json.dumps({"stream_name": "S", "config": config}).encode(), timeout=2
    )
    sub = await js.pull_subscribe_bind("d", "S")
    with pytest.raises(nats.js.errors.APIError) as caught:
        await sub.fetch(1, timeout=1)
    assert caught.value.description == "Bad Request - Priority Group missing"
    await js.publish("s", b"1")
    inbox = await nc.subscribe(nc.new_inbox())
    request = {"batch": 1, "group": "g", "min_pending": 5, "expires": 50_000_000}
    await nc.publish("$JS.API.CONSUMER.MSG.NEXT.S.d", json.dumps(request).encode(), reply=inbox.subject)
    assert (await inbox.next_msg()).headers["Status"] == "408"
    await nc.publish("$JS.API.CONSUMER.MSG.NEXT.S.d", b'{"batch":1,"group":"g","min_pending":1}', reply=inbox.subject)
    assert (await inbox.next_msg()).data == b"1"
