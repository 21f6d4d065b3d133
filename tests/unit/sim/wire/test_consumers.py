"""Requests about the consumers there are; the expectations were observed on nats-server 2.15.1."""

import pytest

from lattice_store.limits import SECOND_NS
from tests.unit.sim.wire.consumers import FAR_AHEAD, NO_BODY_WANTED, NO_CONSUMER, NO_STREAM, put, with_consumers
from tests.unit.sim.wire.wire import Wire

# -- look at --------------------------------------------------------------------------------------------


def test_info_wants_a_consumer_and_no_body():
    wire = with_consumers("c")
    assert wire("CONSUMER.INFO.S.c", b" { } ")["name"] == "c"
    assert wire.refusal("CONSUMER.INFO.S.c", b"x") == NO_BODY_WANTED
    assert wire.refusal("CONSUMER.INFO.S.d") == NO_CONSUMER
    assert wire.refusal("CONSUMER.INFO.none.c") == NO_STREAM


def test_names_are_sorted_and_paged():
    wire = with_consumers("c", "a", "b")
    page = {"type": "io.nats.jetstream.api.v1.consumer_names_response", "total": 3, "limit": 1024}
    assert wire("CONSUMER.NAMES.S") == {**page, "offset": 0, "consumers": ["a", "b", "c"]}
    assert wire("CONSUMER.NAMES.S", {"offset": 2}) == {**page, "offset": 2, "consumers": ["c"]}
    assert wire("CONSUMER.NAMES.S", {"offset": 9}) == {**page, "offset": 3, "consumers": []}
    assert wire("CONSUMER.NAMES.S", {"offset": -9})["offset"] == 0
    assert wire("CONSUMER.NAMES.S", b"whatever")["total"] == 3


@pytest.mark.parametrize("words", ["NAMES", "LIST"])
def test_a_list_of_no_stream_is_an_empty_page_with_an_error(words):
    answer = Wire.with_stream()(f"CONSUMER.{words}.none")
    assert answer["error"] == {"code": 404, "err_code": 10059, "description": "stream not found"}
    assert {name: answer[name] for name in ("total", "offset", "limit", "consumers")} == {
        "total": 0,
        "offset": 0,
        "limit": 0,
        "consumers": [],
    }


def test_a_list_shows_infos_without_the_servers_version():
    wire = with_consumers("b", "a")
    answer = wire("CONSUMER.LIST.S", {"offset": 1})
    assert (answer["total"], answer["offset"], answer["limit"]) == (2, 1, 256)
    [info] = answer["consumers"]
    assert info["name"] == "b"
    assert info["config"]["metadata"] == {"_nats.req.level": "0"}


def test_a_stream_and_the_account_count_their_consumers():
    wire = with_consumers("a", "b")
    assert wire("STREAM.INFO.S")["state"]["consumer_count"] == 2
    assert wire("INFO")["consumers"] == 2


# -- change and end -------------------------------------------------------------------------------------


def test_a_deleted_consumer_is_gone_and_its_waiting_requests_are_told():
    wire = with_consumers("c")
    wire.ask("CONSUMER.MSG.NEXT.S.c", b"5")
    answers = wire.ask("CONSUMER.DELETE.S.c")
    assert sorted(answer.headers.split(b"\r\n")[0] for answer in answers) == [b"", b"NATS/1.0 409 Consumer Deleted"]
    assert wire.refusal("CONSUMER.INFO.S.c") == NO_CONSUMER
    assert wire.refusal("CONSUMER.DELETE.S.c") == NO_CONSUMER
    assert wire.refusal("CONSUMER.DELETE.S.c", b"x") == NO_BODY_WANTED


def test_a_paused_consumer_says_until_when():
    wire = with_consumers("c")
    answer = wire("CONSUMER.PAUSE.S.c", {"pause_until": FAR_AHEAD})
    assert answer == {
        "type": "io.nats.jetstream.api.v1.consumer_pause_response",
        "paused": True,
        "pause_until": FAR_AHEAD,
        "pause_remaining": 2_000_000_000 * SECOND_NS - wire.now_ns,
    }
    info = wire("CONSUMER.INFO.S.c")
    assert (info["paused"], info["config"]["pause_until"]) == (True, FAR_AHEAD)
    assert info["config"]["metadata"]["_nats.req.level"] == "1"


@pytest.mark.parametrize("body", [b"", b"{}", b"whatever", b'{"pause_until": "0001-01-01T00:00:00Z"}'])
def test_a_pause_without_end_resumes(body):
    wire = with_consumers("c")
    wire("CONSUMER.PAUSE.S.c", {"pause_until": FAR_AHEAD})
    answer = wire("CONSUMER.PAUSE.S.c", body)
    assert (answer["paused"], answer["pause_until"]) == (False, "0001-01-01T00:00:00Z")
    info = wire("CONSUMER.INFO.S.c")
    assert "paused" not in info
    assert "pause_until" not in info["config"]


def test_a_pause_that_has_ended_is_none_but_still_shown():
    wire = with_consumers("c")
    assert wire("CONSUMER.PAUSE.S.c", {"pause_until": "2000-01-01T00:00:00Z"})["paused"] is False
    info = wire("CONSUMER.INFO.S.c")
    assert "paused" not in info
    assert info["config"]["pause_until"] == "2000-01-01T00:00:00Z"


def test_an_update_neither_pauses_nor_resumes():
    wire = with_consumers("c")
    wire("CONSUMER.PAUSE.S.c", {"pause_until": FAR_AHEAD})
    config = {"durable_name": "c", "ack_policy": "explicit", "pause_until": "2000-01-01T00:00:00Z"}
    assert put(wire, "CREATE.S.c", config)["config"]["pause_until"] == FAR_AHEAD


def test_a_pause_of_nothing_is_refused():
    wire = with_consumers("c")
    assert wire.refusal("CONSUMER.PAUSE.S.d") == NO_CONSUMER
    assert wire.refusal("CONSUMER.PAUSE.none.d") == NO_STREAM
    assert wire.refusal("CONSUMER.PAUSE.S.c", {"pause_until": "soon"})[1] == 10025


def test_a_reset_begins_anew_behind_the_ack_floor_or_at_a_sequence():
    wire = with_consumers("c")
    wire.ask("CONSUMER.MSG.NEXT.S.c", b"2")
    answer = wire("CONSUMER.RESET.S.c")
    assert (answer["reset_seq"], answer["num_pending"], answer["num_ack_pending"]) == (1, 2, 0)
    answer = wire("CONSUMER.RESET.S.c", {"seq": 2, "unheard_of": True})
    assert (answer["reset_seq"], answer["num_pending"], answer["delivered"]["stream_seq"]) == (2, 1, 1)
    assert wire.refusal("CONSUMER.RESET.S.c", b"no")[1] == 10025


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"deliver_policy": "new"}, "not allowed"),
        ({"deliver_policy": "by_start_sequence", "opt_start_seq": 2}, "below start seq"),
        ({"deliver_policy": "by_start_time", "opt_start_time": FAR_AHEAD}, "below start time"),
    ],
)
def test_a_reset_goes_nowhere_the_consumer_could_not_have_begun(config, problem):
    wire = Wire.with_stream(tokens="abc")
    put(wire, "CREATE.S.c", config)
    assert wire.refusal("CONSUMER.RESET.S.c", {"seq": 1}) == (400, 10204, f"invalid reset: {problem}")
    assert wire("CONSUMER.RESET.S.c")["reset_seq"] >= 1


def test_a_reset_of_nothing_stays_unanswered():
    assert Wire.with_stream().ask("CONSUMER.RESET.S.c") == []
