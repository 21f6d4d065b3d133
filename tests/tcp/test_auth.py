"""Users, tokens, keys and permissions: a real server with the same ones answers alike."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator

import nats
import pytest

from lattice_store.nats import LocalServer
from lattice_store_sim import Allowance, Auth, Permissions, Responses, TcpServer, User, WireLimits, serve
from tests.tcp.raw import comparable, talk

pytestmark = pytest.mark.nats

CONFIG = """
authorization {
  users = [
    { user: a, password: A, permissions: {
        publish: { allow: ["a.>", "b", "$SYS.>"], deny: "a.x" }
        subscribe: { allow: [">", "q1 g.*"], deny: ["s", "t g"] }
    } }
    { user: r, password: R, permissions: { publish: { deny: ">" }, allow_responses: true } }
    { user: w, password: W, permissions: { subscribe: ["v.*", "u q"] } }
    { nkey: UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4 }
  ]
}
"""
AUTH = Auth(
    users=[
        User(
            name="a",
            password="A",
            permissions=Permissions(
                publish=Allowance(allow=["a.>", "b", "$SYS.>"], deny="a.x"),
                subscribe=Allowance(allow=[">", "q1 g.*"], deny=["s", "t g"]),
            ),
        ),
        User(name="r", password="R", permissions=Permissions(publish=Allowance(deny=">"), responses=Responses())),
        User(name="w", password="W", permissions=Permissions(subscribe=Allowance(allow=["v.*", "u q"]))),
        User(nkey="UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4"),
    ]
)


def as_user(name: str, password: str | None = None, **options: object) -> bytes:
    said = {"user": name, "pass": password or name.upper(), "verbose": False, "headers": True, "no_responders": True}
    return f"CONNECT {json.dumps({**said, **options})}\r\n".encode()


END = b"PING\r\n"
CONVERSATIONS = {
    "nobody": b"",
    "not a word": END,
    "nothing to show": b"CONNECT {}\r\n" + END,
    "a wrong password": as_user("a", "B") + END,
    "a wrong user": as_user("x") + END,
    "a wrong key": b'CONNECT {"nkey":"UABC","sig":"x"}\r\n' + END,
    "a key without a signature": b'CONNECT {"nkey":"UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4"}\r\n'
    + END,
    "a key with a wrong signature": b'CONNECT {"nkey":"UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4","sig":"AAAA"}\r\n'
    + END,
    "welcome": as_user("a", verbose=True, protocol=1) + END,
    "publishing": as_user("a")
    + b"SUB > 1\r\n"
    + b"".join(b"PUB %b 1\r\nx\r\n" % subject for subject in (b"a.b", b"a", b"a.x", b"b", b"c", b"a.*", b'c"\\'))
    + END,
    "publishing, with a word about each": as_user("a", verbose=True) + b"PUB a.b 0\r\n\r\nPUB c 0\r\n\r\n" + END,
    "subscribing": as_user("a")
    + b"".join(
        b"SUB %b %d\r\n" % (one, place)
        for place, one in enumerate((b"s", b"s g", b"t", b"t g", b"t h", b"q1", b"q1 g.1", b"q1 x", b"*"))
    )
    + END,
    "denied within a wildcard": as_user("w")
    + b"SUB v.1 1\r\nSUB v.* 2\r\nSUB v.> 3\r\nSUB > 4\r\nSUB u 5\r\nSUB u q 6\r\nSUB u p 7\r\nSUB x 8\r\n"
    + END,
    "no answer without a request": as_user("r") + b"SUB r 1\r\nPUB r 0\r\n\r\nPUB x r 0\r\n\r\n" + END,
    "nobody responds to what is not allowed": as_user("a") + b"SUB r 1\r\nPUB c r 0\r\n\r\nPUB b r 0\r\n\r\n" + END,
}


@pytest.fixture(scope="module")
def strict() -> Iterator[LocalServer]:
    with LocalServer(CONFIG) as server:
        yield server


@pytest.fixture
async def simulated() -> AsyncIterator[TcpServer]:
    async with serve(auth=AUTH) as server:
        yield server


@pytest.mark.parametrize("name", CONVERSATIONS)
async def test_both_servers_are_equally_strict(name: str, strict: LocalServer, simulated: TcpServer) -> None:
    said = CONVERSATIONS[name]
    assert comparable(await talk(simulated.port, said)) == comparable(await talk(strict.port, said))


@pytest.fixture(scope="module")
def with_token() -> Iterator[LocalServer]:
    with LocalServer('authorization { token: "T" }') as server:
        yield server


@pytest.mark.parametrize(
    "said",
    [b"", END, b"CONNECT {}\r\n" + END, *(b'CONNECT {"auth_token":"%b"}\r\n' % one + END for one in (b"T", b"t"))],
)
async def test_both_servers_want_a_token(said: bytes, with_token: LocalServer) -> None:
    async with serve(auth=Auth(token="T")) as server:
        assert comparable(await talk(server.port, said)) == comparable(await talk(with_token.port, said))


async def who_am_i(url: str) -> object:
    client = await nats.connect(url, user="a", password="A")
    answer = await client.request("$SYS.REQ.USER.INFO")
    await client.close()
    told = json.loads(answer.data)["data"]
    for allowance in told["permissions"].values():
        for subjects in allowance.values():
            subjects.sort()  # the server tells them in any order
    return told


async def test_both_servers_say_what_a_user_may_do(strict: LocalServer, simulated: TcpServer) -> None:
    ours, theirs = await who_am_i(simulated.url), await who_am_i(strict.url)
    assert ours == theirs


async def test_a_request_may_be_answered(simulated: TcpServer) -> None:
    responder = await nats.connect(simulated.url, user="r", password="R")
    requester = await nats.connect(simulated.url, user="a", password="A")

    async def answer(message: nats.aio.msg.Msg) -> None:
        await message.respond(b"!")

    await responder.subscribe("b", cb=answer)
    await responder.flush()
    assert (await requester.request("b", b"?")).data == b"!"
    await responder.close()
    await requester.close()


async def test_who_says_nothing_is_not_waited_for_long() -> None:
    async with serve(auth=AUTH, limits=WireLimits(auth_timeout_ns=1_000_000)) as server:
        reader, writer = await asyncio.open_connection(server.host, server.port)
        assert (await reader.read()).endswith(b"} \r\n-ERR 'Authentication Timeout'\r\n")
        writer.close()
