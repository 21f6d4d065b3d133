"""Requests and answers, also of old style; headers; what comes back when nobody listens."""

import asyncio

import nats.errors
import pytest

from tests.clients.running import settle, until


async def answer(msg):
    await msg.respond(b"re:" + msg.data)


async def test_a_request_is_answered(nc):
    await nc.subscribe("help", cb=answer)
    got = await nc.request("help", b"me")
    assert got.data == b"re:me"
    assert got.subject.startswith("_INBOX.")
    assert got.reply == ""


@pytest.mark.parametrize("old_style", [False, True])
async def test_many_requests_at_once(server, connect, old_style):
    service, client = await connect(server.url), await connect(server.url)
    await service.subscribe("help", cb=answer, queue="q")
    await settle(service)
    got = await asyncio.gather(
        *(client.request("help", b"%d" % number, old_style=old_style, timeout=5) for number in range(100))
    )
    assert [msg.data for msg in got] == [b"re:%d" % number for number in range(100)]


@pytest.mark.parametrize("old_style", [False, True])
async def test_nobody_there(nc, old_style):
    with pytest.raises(nats.errors.NoRespondersError):
        await nc.request("nobody", b"x", timeout=2, old_style=old_style)


async def test_the_answer_of_a_server_for_nobody(nc):
    inbox = nc.new_inbox()
    sub = await nc.subscribe(inbox)
    await nc.publish("nobody", b"x", reply=inbox)
    msg = await sub.next_msg()
    assert (msg.subject, msg.reply, msg.data) == (inbox, "", b"")
    assert msg.headers["Status"] == "503"
    assert msg.headers["Nats-Subject"] == "nobody"


async def test_a_publish_without_reply_to_nobody_is_silent(nc):
    sub = await nc.subscribe("_INBOX.>")
    await nc.publish("nobody", b"x")
    await settle(nc)
    assert sub.pending_msgs == 0


async def test_no_answer_in_time(nc):
    await nc.subscribe("mute")
    with pytest.raises(nats.errors.TimeoutError):
        await nc.request("mute", timeout=0.02)
    with pytest.raises(nats.errors.TimeoutError):
        await nc.request("mute", timeout=0.02, old_style=True)


async def test_who_listens_with_no_echo_does_not_count(server, connect):
    quiet = await connect(server.url, no_echo=True)
    await quiet.subscribe("self", cb=answer)
    with pytest.raises((nats.errors.NoRespondersError, nats.errors.TimeoutError)) as caught:
        await quiet.request("self", timeout=0.2)
    assert caught.type is nats.errors.NoRespondersError


async def test_the_first_of_many_answers_counts(server, connect):
    services, client = [await connect(server.url) for _ in range(3)], await connect(server.url)
    for service in services:
        await service.subscribe("help", cb=answer)
    await settle(*services)
    assert (await client.request("help", b"x")).data == b"re:x"
    inbox = client.new_inbox()
    sub = await client.subscribe(inbox)
    await client.publish("help", b"y", reply=inbox)
    assert [(await sub.next_msg()).data for _ in range(3)] == [b"re:y"] * 3


async def test_an_inbox_of_ones_own(server, connect):
    client = await connect(server.url, inbox_prefix="my.inbox")
    await client.subscribe("help", cb=answer)
    got = await client.request("help", b"x")
    assert got.subject.startswith("my.inbox.")
    assert client.new_inbox().startswith("my.inbox.")


async def test_requests_with_headers(nc):
    seen = []

    async def note(msg):
        seen.append(msg.headers)
        await nc.publish(msg.reply, msg.data, headers={"Answer": "yes", "Number": "2"})

    await nc.subscribe("help", cb=note)
    got = await nc.request("help", b"x", headers={"Ask": "me"})
    assert seen == [{"Ask": "me"}]
    assert (got.data, got.headers, got.header) == (b"x", {"Answer": "yes", "Number": "2"}, got.headers)


async def test_a_wildcard_service(nc):
    async def tell(msg):
        await msg.respond(msg.subject.encode())

    await nc.subscribe("service.*.do", cb=tell)
    assert (await nc.request("service.a.do")).data == b"service.a.do"
    with pytest.raises(nats.errors.NoRespondersError):
        await nc.request("service.a.undo")


async def test_nobody_is_left_after_unsubscribing(nc):
    sub = await nc.subscribe("help", cb=answer)
    await nc.request("help")
    await sub.unsubscribe()
    await settle(nc)
    with pytest.raises(nats.errors.NoRespondersError):
        await nc.request("help", timeout=2)


async def test_nobody_is_left_after_a_client_has_gone(server, connect):
    service, client = await connect(server.url), await connect(server.url)
    await service.subscribe("help", cb=answer)
    await settle(service)
    await client.request("help")
    await service.close()

    async def nobody():
        try:
            await client.request("help", timeout=0.5)
        except nats.errors.NoRespondersError:
            return True
        except nats.errors.TimeoutError:
            return False

    await until(nobody)


async def test_responding_without_a_reply_is_an_error(nc):
    sub = await nc.subscribe("one")
    await nc.publish("one")
    with pytest.raises(nats.errors.Error, match="no reply subject"):
        await (await sub.next_msg()).respond(b"x")


@pytest.mark.parametrize(
    ("sent", "received"),
    [
        ({"a": "b"}, {"a": "b"}),
        ({"Case": "Kept", "case": "apart"}, {"Case": "Kept", "case": "apart"}),
        ({"spaces": "  around  "}, {"spaces": "around"}),
        ({"empty": ""}, {"empty": ""}),
        ({"colon": "a: b:c"}, {"colon": "a: b:c"}),
        ({"umlaut": "äöü €"}, {"umlaut": "äöü €"}),
        ({"lines": "a\r\nb"}, {"lines": "a  b"}),
        ({f"h{n}": "v" * 100 for n in range(50)}, {f"h{n}": "v" * 100 for n in range(50)}),
        ({"Nats-Unknown": "1", "Status": "503"}, {"Nats-Unknown": "1", "Status": "503"}),
    ],
)
async def test_headers(nc, sent, received):
    sub = await nc.subscribe("headed")
    await nc.publish("headed", b"body", headers=sent)
    msg = await sub.next_msg()
    assert (msg.data, msg.headers) == (b"body", received)


async def test_headers_without_a_body_and_with_a_reply(nc):
    sub = await nc.subscribe("headed")
    await nc.publish("headed", headers={"a": "b"}, reply="there")
    msg = await sub.next_msg()
    assert (msg.data, msg.headers, msg.reply) == (b"", {"a": "b"}, "there")


async def test_no_headers_and_empty_ones(nc):
    sub = await nc.subscribe("headed")
    await nc.publish("headed", b"1", headers={})
    await nc.publish("headed", b"2")
    assert [(await sub.next_msg()).headers for _ in range(2)] == [None, None]


@pytest.mark.parametrize("key", ["a b", "a:b", "ä", "a\r\nb"])
async def test_names_that_no_header_may_have(nc, key):
    with pytest.raises(nats.errors.BadHeaderError):
        await nc.publish("headed", headers={key: "x"})


async def test_a_chain_of_services(server, connect):
    first, second, client = [await connect(server.url) for _ in range(3)]

    async def forward(msg):
        got = await first.request("second", msg.data + b"1")
        await msg.respond(got.data)

    async def end(msg):
        await msg.respond(msg.data + b"2")

    await first.subscribe("first", cb=forward)
    await second.subscribe("second", cb=end)
    await settle(first, second)
    assert (await client.request("first", b"0")).data == b"012"


async def test_a_future_for_one_answer(nc):
    future = asyncio.get_running_loop().create_future()
    sub = await nc.subscribe("once", future=future, max_msgs=1)
    await sub.unsubscribe(limit=1)
    await nc.publish("once", b"x")
    assert (await asyncio.wait_for(future, 2)).data == b"x"
