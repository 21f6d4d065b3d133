"""A server with little room; each expectation was observed on nats-server 2.15.1 with ``max_mem`` and ``max_file``."""

import json
from typing import Any

import pytest

from lattice_store_sim import SimServer
from lattice_store_sim._wire._api import JetStreamApi
from tests.unit.sim.wire.wire import Wire

NO_MEMORY = (500, 10028, "insufficient memory resources available")
NO_STORAGE = (500, 10047, "insufficient storage resources available")


def small() -> Wire:
    wire = Wire(JetStreamApi(SimServer(max_memory=2000, max_storage=3000)._core))
    wire.api.core.subscribe("_INBOX.wire", now_ns=wire.now_ns)
    return wire


def config(name: str, storage: str, max_bytes: int = -1) -> dict[str, Any]:
    return {"name": name, "subjects": [f"{name}.>"], "storage": storage, "max_bytes": max_bytes}


@pytest.mark.parametrize(("storage", "refusal"), [("memory", NO_MEMORY), ("file", NO_STORAGE)])
def test_a_stream_can_reserve_no_more_than_there_is(storage, refusal):
    assert small().refusal("STREAM.CREATE.A", config("A", storage, 5000)) == refusal


def test_what_others_have_reserved_is_gone():
    wire = small()
    wire("STREAM.CREATE.A", config("A", "memory", 1500))
    assert wire.refusal("STREAM.CREATE.B", config("B", "memory", 600)) == NO_MEMORY
    assert wire.refusal("STREAM.UPDATE.A", config("A", "memory", 2600)) == NO_MEMORY
    assert wire("STREAM.UPDATE.A", config("A", "memory", 1900))["config"]["max_bytes"] == 1900


def test_nothing_is_stored_once_more_is_stored_than_there_is_room_for():
    wire = small()
    wire("STREAM.CREATE.F", config("F", "file"))
    acks = [json.loads(wire.send("F.x", b"x" * 600)[0].payload) for _ in range(6)]
    assert [ack["seq"] for ack in acks] == [1, 2, 3, 4, 5, 0]
    assert acks[-1]["error"] == {"code": 503, "err_code": 10023, "description": "insufficient resources"}
    account = wire("INFO")
    assert (account["storage"], account["limits"]["max_storage"]) == (3165, -1)
    wire("STREAM.PURGE.F")
    assert json.loads(wire.send("F.x", b"x" * 600)[0].payload)["seq"] == 6


def test_a_copy_has_as_little_room():
    wire = small()
    assert wire.api.core.copy().room == wire.api.core.room
