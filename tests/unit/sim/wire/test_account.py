"""The account's info and the API level a request may require; the expectations were observed on nats-server 2.15.1."""

import pytest

from tests.unit.sim.wire.consumers import put
from tests.unit.sim.wire.wire import Wire

TOO_LOW_LEVEL = (412, 10185, "JetStream minimum api level required")


def test_the_account_says_what_it_holds():
    wire = Wire.with_stream(tokens="ab", max_bytes=1000)
    wire("STREAM.CREATE.F", {"name": "F", "max_bytes": 500})
    wire.send("F", b"1234567")
    put(wire, "CREATE.S.c", {"durable_name": "c"})
    assert wire("INFO") == {
        "type": "io.nats.jetstream.api.v1.account_info_response",
        "memory": 38,
        "storage": 38,
        "reserved_memory": 1000,
        "reserved_storage": 500,
        "streams": 2,
        "consumers": 1,
        "limits": {
            **dict.fromkeys(("max_memory", "max_storage", "max_streams", "max_consumers", "max_ack_pending"), -1),
            **dict.fromkeys(("memory_max_stream_bytes", "storage_max_stream_bytes"), -1),
            "max_bytes_required": False,
        },
        "api": {"level": 5, "total": 3, "errors": 0},
    }


def test_the_account_counts_answers_before_its_own_but_no_direct_gets():
    wire = Wire.with_stream(tokens="a")
    wire("STREAM.INFO.T")
    wire.ask("DIRECT.GET.S", {"seq": 1})
    assert wire("INFO", b"junk")["api"] == {"level": 5, "total": 2, "errors": 1}
    assert wire("INFO")["api"] == {"level": 5, "total": 3, "errors": 1}


@pytest.mark.parametrize("level", ["5", "0", "-1", "+1", " 3", ""])
def test_a_level_the_server_has_is_no_hindrance(level):
    headers = f"NATS/1.0\r\nNats-Required-Api-Level: {level}\r\n\r\n".encode()
    assert "error" not in Wire.with_stream()("STREAM.INFO.S", b"", headers)


@pytest.mark.parametrize("level", ["6", "x", "3 ", "1.0"])
def test_a_level_it_has_not_is_refused_before_anything_else(level):
    headers = f"NATS/1.0\r\nNats-Required-Api-Level: {level}\r\n\r\n".encode()
    wire = Wire.with_stream()
    for api in ("INFO", "STREAM.CREATE.T", "STREAM.INFO.T", "STREAM.DELETE.S", "STREAM.NAMES", "STREAM.MSG.GET.T"):
        assert wire.refusal(api, b"{junk", headers) == TOO_LOW_LEVEL
