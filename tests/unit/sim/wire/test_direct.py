"""DIRECT.GET in all its forms; the expectations were observed on nats-server 2.15.1."""

import pytest

from tests.unit.sim.wire.wire import Wire

HEADERS = b"NATS/1.0\r\nK: v\r\n\r\n"
LONG_AGO, FAR_AHEAD = "2000-01-01T00:00:00Z", "2100-01-01T00:00:00Z"
NOT_FOUND, NO_RESULTS = ["404 Message Not Found"], ["404 No Results"]


def numbers(wire: Wire, asked) -> list[tuple[int, int, int]]:
    """Sequence, Nats-Num-Pending and Nats-Last-Sequence of each message of a batch, and of its end (sequence 0)."""
    told = []
    for answer in wire.ask("DIRECT.GET.S", asked):
        lines = dict(line.split(": ") for line in answer.headers.decode().split("\r\n") if ": " in line)
        told.append(tuple(int(lines.get(f"Nats-{name}", 0)) for name in ("Sequence", "Num-Pending", "Last-Sequence")))
    return told


def sequences(wire: Wire, asked) -> list[int]:
    return [sequence for sequence, _, _ in numbers(wire, asked)[:-1]]


# -- one message ------------------------------------------------------------------------------------


def test_a_message_comes_as_it_is_with_the_servers_headers_after_its_own():
    wire = Wire.with_stream()
    wire.publish("a", b"x", HEADERS)
    [answer] = wire.ask("DIRECT.GET.S", {"seq": 1})
    assert answer.payload == b"x"
    assert answer.headers == (
        b"NATS/1.0\r\nK: v\r\nNats-Stream: S\r\nNats-Subject: s.a\r\nNats-Sequence: 1\r\n"
        b"Nats-Time-Stamp: 2023-11-14T22:13:20.002Z\r\n\r\n"
    )


def test_a_message_without_headers_has_the_servers():
    [answer] = Wire.with_stream(tokens="a").ask("DIRECT.GET.S", {"last_by_subj": ">"})
    assert answer.headers.startswith(b"NATS/1.0\r\nNats-Stream: S\r\nNats-Subject: s.a\r\n")


def test_without_headers_means_without_the_servers_too():
    wire = Wire.with_stream()
    wire.publish("a", b"x", HEADERS)
    [answer] = wire.ask("DIRECT.GET.S", {"seq": 1, "no_hdr": True})
    assert (answer.headers, answer.payload) == (b"", b"x")


@pytest.mark.parametrize(
    "asked", [{"seq": 9}, {"last_by_subj": "s.c"}, {"next_by_subj": "s.a", "seq": 3}, {"start_time": FAR_AHEAD}]
)
def test_what_is_not_there(asked):
    assert Wire.with_stream(tokens="ab").statuses("DIRECT.GET.S", asked) == NOT_FOUND


@pytest.mark.parametrize("filter_", ["s.a", "s.*", "*.a", "s.>", ">"])
def test_the_last_message_is_found_by_a_subject_in_the_subject(filter_):
    wire = Wire.with_stream(tokens="ba")
    for body in (b"", b"{}", {"max_bytes": 1}, {"foo": 1}):
        [answer] = wire.ask(f"DIRECT.GET.S.{filter_}", body)
        assert b"Nats-Sequence: 2\r\n" in answer.headers
    [answer] = wire.ask(f"DIRECT.GET.S.{filter_}", {"no_hdr": True})
    assert answer.headers == b""


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"seq": 1}, "408 Bad Request"),
        ({"last_by_subj": "s.a"}, "408 Bad Request"),
        ({"multi_last": ["s.a"]}, "408 Bad Request"),
        ({"batch": -1}, "408 Bad Request"),
        ({"up_to_seq": 1}, "408 Bad Request"),
        ({"up_to_time": FAR_AHEAD}, "408 Bad Request"),
        (b"x", "408 Malformed Request"),
    ],
)
def test_beside_a_subject_in_the_subject_only_the_how_can_be_said(body, status):
    assert Wire.with_stream(tokens="a").statuses("DIRECT.GET.S.s.a", body) == [status]


# -- who answers, and what is refused ---------------------------------------------------------------


@pytest.mark.pins("surprise 23")
def test_nobody_responds_for_a_stream_that_does_not_allow_it():
    wire = Wire.with_stream(allow_direct=False, max_msgs_per_subject=1)
    assert not wire("STREAM.INFO.S")["config"]["allow_direct"]
    for api in ("DIRECT.GET.S", "DIRECT.GET.S.s.a", "DIRECT.GET.NONE", "DIRECT.GET"):
        [answer] = wire.ask(api, {"seq": 1})
        assert answer.headers == f"NATS/1.0 503\r\nNats-Subject: $JS.API.{api}\r\n\r\n".encode()


@pytest.mark.parametrize(
    ("status", "bodies"),
    [
        ("408 Empty Request", [b"", b"{}", b"null", {"seq": 0}, {"batch": 1}, {"no_hdr": True}, {"multi_last": []}]),
        (
            "408 Malformed Request",
            [b"x", b"[]", {"seq": -1}, {"seq": "1"}, {"start_time": "now"}, b'{"seq":1}{"seq":2}'],
        ),
        (
            "408 Bad Request",
            [
                {"seq": 1, "last_by_subj": "s.a"},
                {"seq": 1, "start_time": LONG_AGO},
                {"start_time": LONG_AGO, "last_by_subj": "s.a"},
                {"last_by_subj": "s.a", "next_by_subj": "s.a"},
                {"last_by_subj": "s.a", "batch": 1},
                {"last_by_subj": "s.a", "multi_last": ["s.a"]},
                {"next_by_subj": "s.a", "multi_last": ["s.a"]},
                {"seq": 1, "up_to_seq": 1, "up_to_time": LONG_AGO},
            ],
        ),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(status, bodies):
    wire = Wire.with_stream(tokens="a")
    for body in bodies:
        assert wire.statuses("DIRECT.GET.S", body) == [status], body


def test_unknown_fields_are_ignored_and_any_case_is_read():
    assert Wire.with_stream(tokens="a").statuses("DIRECT.GET.S", {"SEQ": 1, "foo": 1}) == []


def test_a_required_level_is_heeded():
    wire = Wire.with_stream(tokens="a")
    for level, statuses in ((5, []), (6, ["412 Required Api Level"]), ("x", ["412 Required Api Level"])):
        headers = f"NATS/1.0\r\nNats-Required-Api-Level: {level}\r\n\r\n".encode()
        assert wire.statuses("DIRECT.GET.S", {"seq": 1}, headers) == statuses
        assert wire.statuses("DIRECT.GET.S.s.a", b"", headers) == statuses


# -- batches ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"seq": 1, "batch": 2}, [(1, 3, 0), (3, 2, 1), (0, 2, 3)]),
        ({"seq": 2, "batch": 1}, [(3, 2, 0), (0, 2, 3)]),
        ({"seq": 4, "batch": 20}, [(4, 1, 0), (5, 0, 4), (0, 0, 5)]),
        ({"next_by_subj": "s.a", "batch": 20}, [(1, 1, 0), (5, 0, 1), (0, 0, 5)]),
        ({"next_by_subj": "s.*", "seq": 4, "batch": 1}, [(4, 1, 0), (0, 1, 4)]),
        ({"start_time": LONG_AGO, "batch": 1}, [(1, 3, 0), (0, 3, 1)]),
        ({"seq": 1, "batch": 20, "max_bytes": 4}, [(1, 3, 0), (3, 2, 1), (0, 2, 3)]),
        ({"seq": 1, "batch": 20, "max_bytes": -1}, [(1, 3, 0), (0, 3, 1)]),
        ({"seq": 1, "batch": -1}, [(0, 4, 0)]),
        ({"seq": 1, "batch": 2, "no_hdr": True}, [(0, 0, 0), (0, 0, 0), (0, 4, 3)]),
    ],
)
def test_a_batch_counts_what_is_left(asked, expected):
    wire = Wire.with_stream(tokens="acbba")
    wire("STREAM.MSG.DELETE.S", {"seq": 2})
    assert numbers(wire, asked) == expected


def test_a_batch_ends_with_a_status():
    answers = Wire.with_stream(tokens="ab").ask("DIRECT.GET.S", {"seq": 1, "batch": 1})
    assert b"Nats-Num-Pending: 1\r\nNats-Last-Sequence: 0\r\n\r\n" in answers[0].headers
    assert answers[1].headers == b"NATS/1.0 204 EOB\r\nNats-Num-Pending: 1\r\nNats-Last-Sequence: 1\r\n\r\n"


@pytest.mark.parametrize(
    "asked", [{"seq": 3, "batch": 2}, {"next_by_subj": "s.c", "batch": 2}, {"start_time": FAR_AHEAD, "batch": 2}]
)
def test_a_batch_of_nothing_has_no_end(asked):
    assert Wire.with_stream(tokens="ab").statuses("DIRECT.GET.S", asked) == NOT_FOUND


# -- the last of each subject -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"multi_last": ["s.b", "s.a"]}, [(4, 1, 0), (5, 0, 4), (0, 0, 5)]),
        ({"multi_last": ["s.*", "s.a"]}, [(3, 2, 0), (4, 1, 3), (5, 0, 4), (0, 0, 5)]),
        ({"multi_last": [">"], "batch": 1}, [(3, 2, 0), (0, 2, 3)]),
        ({"multi_last": [">"], "max_bytes": 1}, [(3, 2, 0), (0, 2, 3)]),
        ({"multi_last": [">"], "seq": 4}, [(4, 1, 0), (5, 0, 4), (0, 0, 5)]),
        ({"multi_last": [">"], "seq": 9}, [(0, 0, 0)]),
        ({"multi_last": ["s.a", "s.b"], "up_to_seq": 3}, [(1, 1, 0), (2, 0, 1), (0, 0, 2)]),
        ({"multi_last": ["s.a"], "no_hdr": True}, [(5, 0, 0), (0, 0, 5)]),
    ],
)
def test_the_last_of_each_subject(asked, expected):
    assert numbers(Wire.with_stream(tokens="abcba"), asked) == expected


@pytest.mark.parametrize(
    ("asked", "up_to"),
    [
        ({}, 4),
        ({"up_to_seq": 3}, 3),
        ({"up_to_time": "2023-11-14T22:13:20.0041Z"}, 3),
        ({"up_to_time": FAR_AHEAD}, 4),
    ],
)
def test_the_end_tells_up_to_where_was_looked(asked, up_to):
    answers = Wire.with_stream(tokens="abab").ask("DIRECT.GET.S", {"multi_last": ["s.a"], **asked})
    assert f"Nats-UpTo-Sequence: {up_to}\r\n\r\n".encode() in answers[-1].headers


@pytest.mark.parametrize(
    "asked",
    [
        {"multi_last": ["s.c"]},
        {"multi_last": [""]},
        {"multi_last": ["s.b"], "up_to_seq": 1},
        {"multi_last": [">"], "up_to_time": LONG_AGO},
    ],
)
def test_no_last_messages(asked):
    assert Wire.with_stream(tokens="ab").statuses("DIRECT.GET.S", asked) == NO_RESULTS


@pytest.mark.pins("surprise 28")
def test_up_to_a_sequence_beyond_the_end_memory_finds_and_a_file_does_not():
    asked = {"multi_last": [">"], "up_to_seq": 3}
    assert sequences(Wire.with_stream(tokens="ab"), asked) == [1, 2]
    assert Wire.with_stream(tokens="ab", storage="file").statuses("DIRECT.GET.S", asked) == NO_RESULTS


def test_more_than_1024_subjects_are_too_many():
    wire = Wire.with_stream()
    for number in range(1025):
        wire.api.core.publish(f"s.{number}", b"", now_ns=wire.now_ns)
    assert wire.statuses("DIRECT.GET.S", {"multi_last": ["s.*"], "batch": 1}) == ["413 Too Many Results"]
    assert len(sequences(wire, {"multi_last": ["s.*"], "up_to_seq": 1024})) == 1024
