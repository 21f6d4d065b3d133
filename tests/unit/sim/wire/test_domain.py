"""A server in a JetStream domain; each expectation was observed on nats-server 2.15.1."""

import json

import pytest

from lattice_store.errors import InvalidArgumentError
from lattice_store_sim import SimServer
from lattice_store_sim._core._profile import NEWEST
from lattice_store_sim._core._server import SimCore
from lattice_store_sim._wire._api import JetStreamApi
from tests.unit.sim.wire.wire import Wire

HUB = {"domain": "hub"}


def in_domain() -> Wire:
    wire = Wire(JetStreamApi(SimCore(NEWEST, domain="hub")))
    wire.api.core.subscribe("_INBOX.wire", now_ns=wire.now_ns)
    wire("STREAM.CREATE.S", {"name": "S", "subjects": ["s.>", "$KV.B.>"], "storage": "memory", "allow_direct": True})
    return wire


def answer(wire: Wire, subject: str, payload: bytes = b"", headers: bytes = b"") -> dict:
    [sent] = wire.send(subject, payload, headers)
    return json.loads(sent.payload)


@pytest.mark.parametrize(
    ("api", "body", "named"),
    [
        ("INFO", b"", True),
        ("STREAM.INFO.S", b"", True),
        ("STREAM.UPDATE.S", {"name": "S", "subjects": ["s.>"], "storage": "memory"}, True),
        ("STREAM.CREATE.T", {"name": "T", "subjects": ["t"], "storage": "memory"}, False),
        ("STREAM.NAMES", b"", False),
        ("CONSUMER.CREATE.S.C", {"stream_name": "S", "config": {"durable_name": "C"}}, False),
        ("STREAM.INFO.none", b"", False),
    ],
)
def test_only_some_answers_name_the_domain(api, body, named):
    assert ("domain" in in_domain()(api, body)) is named


def test_each_stream_of_a_list_names_the_domain():
    assert in_domain()("STREAM.LIST")["streams"][0]["domain"] == "hub"


def test_an_ack_names_the_domain_and_a_refusal_does_not():
    wire = in_domain()
    with_id = b"NATS/1.0\r\nNats-Msg-Id: 1\r\n\r\n"
    assert answer(wire, "s.a", headers=with_id) == {"stream": "S", **HUB, "seq": 1}
    assert answer(wire, "s.a", headers=with_id) == {"stream": "S", **HUB, "seq": 1, "duplicate": True}
    assert "domain" not in answer(wire, "s.a", headers=b"NATS/1.0\r\nNats-Expected-Stream: T\r\n\r\n")


def test_what_names_the_domain_reaches_the_api():
    wire = in_domain()
    assert answer(wire, "$JS.hub.API.STREAM.INFO.S")["config"]["name"] == "S"
    assert answer(wire, "$JS.hub.API.INFO")["domain"] == "hub"
    assert answer(wire, "$JS.hub.API.$KV.B.key", b"value") == {"stream": "S", **HUB, "seq": 1}
    [got] = wire.send("$JS.hub.API.DIRECT.GET.S", b'{"seq": 1}')
    assert b"Nats-Subject: $KV.B.key\r\n" in got.headers


@pytest.mark.parametrize(
    ("subject", "unheard"),
    [
        ("$JS.other.API.INFO", b"$JS.other.API.INFO"),
        ("$JS.hub.API.NOSUCH", b"$JS.hub.API.NOSUCH"),
        ("$JS.hub.API.$OBJ.B.key", b"$OBJ.B.key"),
        ("$JS.hub.API.CONSUMER.MSG.NEXT.S.none", b"$JS.API.CONSUMER.MSG.NEXT.S.none"),
        ("$JS.ACK.hub.HASH.S.C.1.1.1.1.0.x", b"$JS.ACK.hub.HASH.S.C.1.1.1.1.0.x"),
    ],
)
def test_what_nobody_listens_to_is_told_as_it_was_mapped(subject, unheard):
    """A longer ack subject, with domain and account, is for servers that are told to use it."""
    [told] = in_domain().send(subject)
    assert told.headers == b"NATS/1.0 503\r\nNats-Subject: %b\r\n\r\n" % unheard


def test_without_a_domain_there_is_no_other_name():
    [told] = Wire.with_stream().send("$JS.hub.API.INFO")
    assert told.headers.startswith(b"NATS/1.0 503")


def test_advisories_name_the_domain():
    wire = in_domain().listen("$JS.EVENT.>")
    wire("STREAM.DELETE.S")
    assert [json.loads(each.payload)["domain"] for each in wire.heard] == ["hub", "hub"]


@pytest.mark.parametrize("domain", ["a.b", "a b", "*", ">"])
def test_a_domain_is_a_name(domain):
    with pytest.raises(InvalidArgumentError, match="domain"):
        SimServer(domain=domain)


def test_a_fork_stays_in_its_domain():
    assert SimServer(domain="hub").fork()._core.context.domain == "hub"
