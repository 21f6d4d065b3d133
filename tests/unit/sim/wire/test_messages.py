"""STREAM.MSG.GET, STREAM.MSG.DELETE and STREAM.PURGE; the expectations were observed on nats-server 2.15.1."""

import base64

import pytest

from tests.unit.sim.wire.wire import Wire

BAD_REQUEST = (400, 10003, "bad request")
NOT_FOUND = (404, 10037, "no message found")
NO_STREAM = (404, 10059, "stream not found")
HEADERS = b"NATS/1.0\r\nK: v\r\n\r\n"
LONG_AGO, FAR_AHEAD = "2000-01-01T00:00:00Z", "2100-01-01T00:00:00Z"


def found(wire: Wire, **asked) -> int:
    return wire("STREAM.MSG.GET.S", asked)["message"]["seq"]


# -- get --------------------------------------------------------------------------------------------


def test_a_message_is_shown_with_subject_headers_payload_and_time():
    wire = Wire.with_stream()
    wire.publish("a", b"x", HEADERS)
    assert wire("STREAM.MSG.GET.S", {"seq": 1}) == {
        "type": "io.nats.jetstream.api.v1.stream_msg_get_response",
        "message": {
            "subject": "s.a",
            "seq": 1,
            "hdrs": base64.b64encode(HEADERS).decode(),
            "data": "eA==",
            "time": "2023-11-14T22:13:20.002Z",
        },
    }


def test_what_a_message_does_not_have_is_not_shown():
    wire = Wire.with_stream(tokens="a")
    assert wire("STREAM.MSG.GET.S", {"seq": 1})["message"].keys() == {"subject", "seq", "time"}


def test_headers_can_be_left_out():
    wire = Wire.with_stream()
    wire.publish("a", b"x", HEADERS)
    assert "hdrs" not in wire("STREAM.MSG.GET.S", {"seq": 1, "no_hdr": True})["message"]


@pytest.mark.parametrize(
    ("asked", "sequence"),
    [
        ({"seq": 4}, 4),
        ({"last_by_subj": "s.a"}, 5),
        ({"last_by_subj": "s.*"}, 5),
        ({"next_by_subj": "s.b"}, 3),
        ({"next_by_subj": "s.a", "seq": 3}, 5),
        ({"next_by_subj": ">", "seq": 4}, 4),
        ({"start_time": LONG_AGO}, 1),
        ({"start_time": LONG_AGO, "next_by_subj": "s.b"}, 3),
        ({"start_time": "2023-11-14T22:13:20.0041Z"}, 4),
        ({"start_time": "2023-11-14T23:13:20.005+01:00"}, 4),
    ],
)
def test_a_get_finds(asked, sequence):
    assert found(Wire.with_stream(tokens="aabba"), **asked) == sequence


@pytest.mark.parametrize(
    "asked",
    [
        {"seq": 6},
        {"last_by_subj": "s.c"},
        {"last_by_subj": "a..b"},
        {"next_by_subj": "s.b", "seq": 5},
        {"next_by_subj": "a..b"},
        {"start_time": FAR_AHEAD},
    ],
)
def test_a_get_finds_nothing(asked):
    assert Wire.with_stream(tokens="aabba").refusal("STREAM.MSG.GET.S", asked) == NOT_FOUND


@pytest.mark.parametrize(
    "asked",
    [
        b"",
        b"{}",
        {"seq": 0},
        {"last_by_subj": ""},
        {"no_hdr": True},
        {"multi_last": ["s.a"]},
        {"seq": 1, "batch": 1},
        {"seq": 1, "max_bytes": 1},
        {"seq": 1, "last_by_subj": "s.a"},
        {"seq": 1, "start_time": LONG_AGO},
        {"start_time": LONG_AGO, "last_by_subj": "s.a"},
        {"last_by_subj": "s.a", "next_by_subj": "s.a"},
    ],
)
def test_a_get_without_or_with_several_beginnings_is_refused(asked):
    assert Wire.with_stream(tokens="a").refusal("STREAM.MSG.GET.S", asked) == BAD_REQUEST


@pytest.mark.parametrize("body", [b"x", b"[]", {"seq": -1}, {"seq": "1"}, {"start_time": "soon"}, {"foo": 1}])
def test_a_get_that_cannot_be_read_is_refused(body):
    assert Wire.with_stream(tokens="a").refusal("STREAM.MSG.GET.S", body)[:2] == (400, 10025)


def test_a_get_is_checked_before_its_stream_is_looked_for():
    wire = Wire.with_stream()
    assert wire.refusal("STREAM.MSG.GET.NONE", b"") == BAD_REQUEST
    assert wire.refusal("STREAM.MSG.GET.NONE", {"seq": -1})[1] == 10025
    assert wire.refusal("STREAM.MSG.GET.NONE", {"seq": 1}) == NO_STREAM


def test_a_start_time_steps_over_removed_messages():
    wire = Wire.with_stream(tokens="abc")
    wire("STREAM.MSG.DELETE.S", {"seq": 2})
    assert found(wire, start_time="2023-11-14T22:13:20.003Z") == 3


@pytest.mark.pins("surprise 18")
def test_the_last_of_everything_is_looked_for_at_the_last_sequence_only():
    wire = Wire.with_stream(tokens="aba")
    assert found(wire, last_by_subj=">") == 3
    wire("STREAM.MSG.DELETE.S", {"seq": 3})
    assert wire.refusal("STREAM.MSG.GET.S", {"last_by_subj": ">"}) == NOT_FOUND
    assert found(wire, last_by_subj="s.*") == 2


# -- delete -----------------------------------------------------------------------------------------


def test_a_deleted_message_is_gone():
    wire = Wire.with_stream(tokens="ab")
    answer = wire("STREAM.MSG.DELETE.S", {"seq": 1, "no_erase": True})
    assert answer == {"type": "io.nats.jetstream.api.v1.stream_msg_delete_response", "success": True}
    assert wire.refusal("STREAM.MSG.GET.S", {"seq": 1}) == NOT_FOUND


@pytest.mark.pins("surprise 20")
@pytest.mark.parametrize(
    ("sequence", "memory", "file"),
    [
        (3, (400, 10043, "sequence 3 not found"), (400, 10043, "sequence 3 not found")),
        (0, (400, 10043, "sequence 0 not found"), (500, 10057, "no message found")),
        (1, (400, 10043, "sequence 1 not found"), (500, 10057, "no message found")),
        (9, (400, 10043, "sequence 9 not found"), (500, 10057, "stream store EOF")),
    ],
)
def test_what_is_not_there_cannot_be_deleted(sequence, memory, file):
    for storage, refusal in (("memory", memory), ("file", file)):
        wire = Wire.with_stream(tokens="abcd", storage=storage)
        for deleted in (1, 3):
            wire("STREAM.MSG.DELETE.S", {"seq": deleted})
        assert wire.refusal("STREAM.MSG.DELETE.S", {"seq": sequence}) == refusal


@pytest.mark.parametrize("storage", ["memory", "file"])
def test_nothing_can_be_deleted_from_an_emptied_stream(storage):
    wire = Wire.with_stream(tokens="ab", storage=storage)
    wire("STREAM.PURGE.S")
    texts = [wire.refusal("STREAM.MSG.DELETE.S", {"seq": sequence})[2] for sequence in (2, 3)]
    on_file = ["no message found", "stream store EOF"]
    assert texts == (on_file if storage == "file" else ["sequence 2 not found", "sequence 3 not found"])


def test_the_order_in_which_a_delete_is_checked():
    closed = {"sealed": True, "deny_delete": True}
    wire = Wire.with_stream(tokens="a", deny_delete=True)
    assert wire.refusal("STREAM.MSG.DELETE.NONE", b"{}") == BAD_REQUEST
    assert wire.refusal("STREAM.MSG.DELETE.NONE", b"{x")[1] == 10025
    assert wire.refusal("STREAM.MSG.DELETE.NONE", {"seq": 1}) == NO_STREAM
    assert wire.refusal("STREAM.MSG.DELETE.S", {"seq": 9}) == (500, 10057, "message delete not permitted")
    config = wire("STREAM.INFO.S")["config"]
    wire("STREAM.UPDATE.S", {**config, **closed})
    assert wire.refusal("STREAM.MSG.DELETE.S", {"seq": 9}) == (400, 10109, "invalid operation on sealed stream")


# -- purge ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body", [b"", b"{}", b" ", b"x", b'"x"', b"5", b"null", {"filter": ">"}, {"seq": 0, "keep": 0}]
)
def test_a_purge_without_options_removes_all(body):
    wire = Wire.with_stream(tokens="ab")
    answer = wire("STREAM.PURGE.S", body)
    assert answer == {"type": "io.nats.jetstream.api.v1.stream_purge_response", "success": True, "purged": 2}
    assert wire.state() == {"messages": 0, "bytes": 0, "first_seq": 3, "last_seq": 2}


def test_the_order_in_which_a_purge_is_checked():
    wire = Wire.with_stream(tokens="a", deny_purge=True)
    assert wire.refusal("STREAM.PURGE.NONE", b"{x")[1] == 10025
    assert wire.refusal("STREAM.PURGE.NONE", b"[]")[1] == 10025
    assert wire.refusal("STREAM.PURGE.NONE", {"seq": 2, "keep": 2}) == BAD_REQUEST
    assert wire.refusal("STREAM.PURGE.NONE", {"seq": 1}) == NO_STREAM
    assert wire.refusal("STREAM.PURGE.S", {"seq": 1}) == (500, 10110, "stream purge not permitted")
    wire("STREAM.UPDATE.S", {**wire("STREAM.INFO.S")["config"], "sealed": True})
    assert wire.refusal("STREAM.PURGE.S", {"seq": 1}) == (400, 10109, "invalid operation on sealed stream")


def test_a_refused_purge_has_purged_nothing():
    assert Wire.with_stream(deny_purge=True)("STREAM.PURGE.S")["purged"] == 0


@pytest.mark.parametrize("storage", ["memory", "file"])
@pytest.mark.parametrize(
    ("asked", "purged", "kept"),
    [
        ({"seq": 1}, 0, [1, 2, 3, 4, 6]),
        ({"seq": 3}, 2, [3, 4, 6]),
        ({"seq": 5}, 4, [6]),
        ({"keep": 2}, 3, [4, 6]),
        ({"keep": 5}, 0, [1, 2, 3, 4, 6]),
        ({"filter": "s.a"}, 2, [3, 4, 6]),
        ({"filter": "s.a", "seq": 2}, 1, [2, 3, 4, 6]),
        ({"filter": "s.b", "seq": 99}, 2, [1, 2, 6]),
        ({"filter": "s.*", "keep": 2}, 3, [4, 6]),
        ({"filter": "s.b", "keep": 1}, 1, [1, 2, 4, 6]),
        ({"filter": "none"}, 0, [1, 2, 3, 4, 6]),
        ({"filter": "a..b"}, 0, [1, 2, 3, 4, 6]),
    ],
)
def test_a_purge_with_options_keeps(asked, purged, kept, storage):
    wire = Wire.with_stream(tokens="aabbcc", storage=storage)
    wire("STREAM.MSG.DELETE.S", {"seq": 5})
    assert wire("STREAM.PURGE.S", asked)["purged"] == purged
    assert list(wire.api.core.streams["S"].log.messages) == kept
    state = wire.state()
    assert (state["first_seq"], state["last_seq"]) == (kept[0], 6)


@pytest.mark.pins("surprise 17")
def test_what_one_might_expect_of_a_purge_and_does_not_get():
    wire = Wire.with_stream(tokens="aabb")
    assert wire("STREAM.PURGE.S", {"seq": 1})["purged"] == 0
    assert wire("STREAM.PURGE.S", {"filter": "s.*", "keep": 3})["purged"] == 1  # of all, not of each subject
    assert wire.refusal("STREAM.PURGE.S", {"seq": 2, "keep": 1}) == BAD_REQUEST
    assert wire("STREAM.PURGE.S", b"no JSON")["purged"] == 3


@pytest.mark.pins("surprise 15")
def test_a_purge_beyond_the_end_moves_the_last_sequence_forward_and_nothing_moves_it_back():
    wire = Wire.with_stream(tokens="ab")
    last_ts = wire("STREAM.INFO.S")["state"]["last_ts"]
    wire("STREAM.MSG.DELETE.S", {"seq": 2})
    wire("STREAM.PURGE.S")
    assert wire.state() == {"messages": 0, "bytes": 0, "first_seq": 3, "last_seq": 2}
    wire("STREAM.PURGE.S", {"seq": 9})
    assert wire.state() == {"messages": 0, "bytes": 0, "first_seq": 9, "last_seq": 8}
    wire("STREAM.PURGE.S", {"filter": "s.a", "seq": 99})
    assert wire.state() == {"messages": 0, "bytes": 0, "first_seq": 9, "last_seq": 8}
    assert wire("STREAM.INFO.S")["state"]["last_ts"] == last_ts
    wire.publish("a")
    assert found(wire, last_by_subj="s.a") == 9


@pytest.mark.pins("surprise 16")
def test_a_stream_never_used_begins_at_0_and_one_purged_at_1():
    wire = Wire.with_stream()
    assert (wire.state()["first_seq"], wire.state()["last_seq"]) == (0, 0)
    wire("STREAM.PURGE.S", {"filter": "s.a"})
    wire("STREAM.PURGE.S", {"keep": 1})
    wire("STREAM.PURGE.S", {"seq": 1})
    assert (wire.state()["first_seq"], wire.state()["last_seq"]) == (0, 0)
    wire("STREAM.PURGE.S")
    assert (wire.state()["first_seq"], wire.state()["last_seq"]) == (1, 0)


@pytest.mark.pins("surprise 19")
def test_what_was_deleted_counts_between_the_first_message_and_the_end():
    wire = Wire.with_stream(tokens="abcde")
    for sequence in (1, 3, 5):
        wire("STREAM.MSG.DELETE.S", {"seq": sequence})
    state = wire.state()
    assert (state["num_deleted"], state["deleted"]) == (2, [3, 5])
