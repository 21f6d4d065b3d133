"""A server in a JetStream domain, byte by byte beside a real one."""

from __future__ import annotations

import json

import pytest

from lattice_store.nats import LocalServer
from lattice_store_sim import SimServer, serve
from tests.tcp.conversations import quiet
from tests.tcp.raw import comparable, talk

_LISTEN = b"SUB _I.> 1\r\nSUB $KV.> 2\r\nSUB $JS.hub.API.> 3\r\n"
CONVERSATIONS = {
    "a bucket is reached by the domain's name": quiet(_LISTEN, b"PUB $JS.hub.API.$KV.b.k 1\r\nx\r\n"),
    "no such bucket": quiet(b"SUB _I.> 1\r\nPUB $JS.hub.API.$OBJ.b.k _I.1 1\r\nx\r\n"),
    "no such request": quiet(b"SUB _I.> 1\r\nPUB $JS.hub.API.NOSUCH _I.1 0\r\n\r\n"),
    "somebody listens below the domain": quiet(_LISTEN, b"PUB $JS.hub.API.NOSUCH _I.1 1\r\nx\r\n"),
    "another domain": quiet(b"SUB _I.> 1\r\nPUB $JS.other.API.INFO _I.1 0\r\n\r\n"),
    "no such stream": quiet(b"SUB _I.> 1\r\nPUB $JS.hub.API.DIRECT.GET.S _I.1 0\r\n\r\n"),
}


@pytest.mark.nats
@pytest.mark.parametrize("name", CONVERSATIONS)
async def test_both_servers_answer_alike_in_a_domain(name: str) -> None:
    with LocalServer("jetstream { domain: hub }") as real:
        async with serve(SimServer(domain="hub")) as server:
            said = CONVERSATIONS[name]
            assert comparable(await talk(server.port, said)) == comparable(await talk(real.port, said))


async def test_others_are_told_who_asked() -> None:
    async with serve(SimServer(domain="hub"), name="me") as server:
        who = b'CONNECT {"verbose":false,"name":"you","lang":"python","version":"1"}\r\n'
        heard = await talk(server.port, who + b"SUB $JS.EVENT.> 1\r\nPUB $JS.hub.API.INFO 0\r\n\r\nPING\r\n")
    told = next(line for line in heard.split(b"\r\n") if b"api_audit" in line)
    event = json.loads(told)
    assert event["domain"] == "hub"
    assert {name: event["client"][name] for name in ("host", "name", "lang", "ver", "acc")} == {
        "host": "127.0.0.1",
        "name": "you",
        "lang": "python",
        "ver": "1",
        "acc": "$G",
    }
