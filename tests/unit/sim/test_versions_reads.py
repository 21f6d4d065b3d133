"""What reads, deletions and purges do differently on each version; each expectation was observed on that version."""

import pytest

from tests.unit.sim.versions import VERSIONS, per_version
from tests.unit.sim.wire.wire import Wire

LONG_AGO = "2000-01-01T00:00:00Z"


def kept(wire: Wire) -> list[int]:
    return list(wire.api.core.streams["S"].log.messages)


def statuses_or_count(wire: Wire, api: str, body: object) -> list[str] | int:
    return list(filter(None, wire.statuses(api, body))) or len(wire.ask(api, body))


# -- gets -------------------------------------------------------------------------------------------

OLD = ("2.9", "2.10")


@pytest.mark.pins("unknown_get_fields")
@pytest.mark.parametrize(
    ("asked", "old", "new"),
    [
        ({"seq": 1, "batch": 1}, "message", 10003),
        ({"seq": 1, "max_bytes": 1}, "message", 10003),
        ({"seq": 1, "start_time": LONG_AGO}, "message", 10003),
        ({"start_time": LONG_AGO}, 10003, "message"),
        ({"seq": 1, "start_time": "soon"}, "message", 10025),
    ],
)
def test_a_get_knows_batches_and_start_times_from_2_11_on(asked, old, new):
    for version in VERSIONS:
        answer = Wire.with_stream(version, "ab")("STREAM.MSG.GET.S", asked)
        expected = old if version in OLD else new
        assert (answer["error"]["err_code"] if "error" in answer else "message") == expected, version


@pytest.mark.pins("unknown_get_fields")
@per_version(("2.9", "2.11", ["hdrs", "seq", "subject", "time"]), ("2.12", "2.15", ["seq", "subject", "time"]))
def test_a_get_knows_how_to_leave_out_headers_from_2_12_on(version, expected):
    wire = Wire.with_stream(version)
    wire.publish("a", b"", b"NATS/1.0\r\nK: v\r\n\r\n")
    assert sorted(wire("STREAM.MSG.GET.S", {"seq": 1, "no_hdr": True})["message"]) == expected
    [answer] = wire.ask("DIRECT.GET.S", {"seq": 1, "no_hdr": True})
    assert (answer.headers == b"") == ("hdrs" not in expected)


@pytest.mark.pins("unknown_get_fields")
@pytest.mark.parametrize(
    ("asked", "old", "new"),
    [
        ({"seq": 1, "batch": 2}, 1, ["204 EOB"]),
        ({"seq": 1, "multi_last": ["s.a"]}, 1, ["204 EOB"]),
        ({"multi_last": ["s.a"]}, ["408 Empty Request"], ["204 EOB"]),
        ({"start_time": LONG_AGO}, ["408 Empty Request"], 1),
        ({"last_by_subj": "s.a", "batch": 2}, 1, ["408 Bad Request"]),
        ({"seq": 1, "up_to_seq": 1, "up_to_time": LONG_AGO}, 1, ["408 Bad Request"]),
    ],
)
def test_a_direct_get_knows_batches_from_2_11_on(asked, old, new):
    for version in VERSIONS:
        wire = Wire.with_stream(version, "ab")
        assert statuses_or_count(wire, "DIRECT.GET.S", asked) == (old if version in OLD else new), version


@pytest.mark.pins("batch_pending_before")
@pytest.mark.parametrize(
    ("version", "batch", "last"),
    [
        ("2.11", [3, 2, 1], [2, 1]),
        ("2.12", [2, 1, 1], [2, 2]),
        ("2.14", [2, 1, 1], [2, 2]),
        ("2.15", [2, 1, 1], [2, 2]),
    ],
)
def test_2_11_counts_what_is_pending_before_the_message(version, batch, last):
    wire = Wire.with_stream(version, "abc")
    for asked, expected in (({"seq": 1, "batch": 2}, batch), ({"multi_last": [">"], "batch": 1}, last)):
        lines = [each.headers.decode().partition("Nats-Num-Pending: ")[2] for each in wire.ask("DIRECT.GET.S", asked)]
        assert [int(line.split("\r\n")[0]) for line in lines] == expected


@pytest.mark.pins("direct_get_body_by_subject")
@per_version(("2.9", "2.11", ["408 Bad Request"]), ("2.12", "2.15", 1))
def test_a_direct_get_by_subject_may_have_a_body_from_2_12_on(version, expected):
    wire = Wire.with_stream(version, "a")
    for body in (b"{}", b"null", {"no_hdr": True}, {"max_bytes": 1}):
        assert statuses_or_count(wire, "DIRECT.GET.S.s.a", body) == expected
    assert statuses_or_count(wire, "DIRECT.GET.S.s.a", b"") == 1


@pytest.mark.pins("served_apart", "no_responders_subject")
@per_version(
    ("2.9", "2.9", []),
    ("2.10", "2.11", [b"NATS/1.0 503\r\n\r\n"]),
    ("2.12", "2.15", [b"NATS/1.0 503\r\nNats-Subject: $JS.API.DIRECT.GET.NONE\r\n\r\n"]),
)
def test_nobody_responds_to_a_direct_get_from_no_stream(version, expected):
    wire = Wire.with_stream(version)
    assert [each.headers for each in wire.ask("DIRECT.GET.NONE", {"seq": 1})] == expected


# -- by time, among removed messages ----------------------------------------------------------------


def start(wire: Wire, sequence: int, **asked) -> int:
    """Return what a get finds from the time of *sequence* on, 0 for nothing; the n-th message is n ms younger."""
    time = f"2023-11-14T22:13:20.{sequence + 1:03}Z"
    answer = wire("STREAM.MSG.GET.S", {"start_time": time, **asked})
    return answer["message"]["seq"] if "message" in answer else 0


@pytest.mark.pins("time_search")
@pytest.mark.parametrize(
    ("version", "memory", "file"),
    [
        ("2.11", [1, 2, 0], [5, 5, 5]),
        ("2.12", [1, 2, 5], [1, 2, 5]),
        ("2.14", [1, 2, 5], [1, 2, 5]),
        ("2.15", [1, 2, 5], [1, 2, 5]),
    ],
)
def test_2_11_goes_astray_among_removed_messages(version, memory, file):
    for storage, expected in (("memory", memory), ("file", file)):
        wire = Wire.with_stream(version, "abcde", storage=storage)
        for removed in (3, 4):
            wire("STREAM.MSG.DELETE.S", {"seq": removed})
        assert [start(wire, sequence) for sequence in (1, 2, 4)] == expected


@pytest.mark.parametrize(("version", "file"), [("2.11", 1), ("2.12", 0), ("2.14", 0), ("2.15", 0)])
def test_2_11_begins_anew_on_file_where_the_tail_was_removed(version, file):
    for storage, expected in (("memory", 0), ("file", file)):
        wire = Wire.with_stream(version, "aaa", storage=storage)
        wire("STREAM.MSG.DELETE.S", {"seq": 3})
        assert start(wire, 3, next_by_subj="s.a") == expected


# -- deletions and purges ---------------------------------------------------------------------------


@pytest.mark.pins("other_bodies_ignored")
@per_version(("2.9", "2.10", 0), ("2.11", "2.15", 1))
def test_a_purge_ignores_a_body_that_is_no_json_from_2_11_on(version, expected):
    wire = Wire.with_stream(version, "a")
    if not expected:
        assert wire.refusal("STREAM.PURGE.S", b"x") == (400, 10025, "invalid JSON")
    assert wire("STREAM.PURGE.S", b"x")["purged"] == expected


@pytest.mark.pins("purge_below_1")
@per_version(
    ("2.9", "2.9", [], []),
    ("2.10", "2.12", [1, 2], []),
    ("2.14", "2.15", [1, 2], [1, 2]),
    names=("memory", "file"),
)
def test_a_purge_below_sequence_1(version, memory, file):
    for storage, expected in (("memory", memory), ("file", file)):
        wire = Wire.with_stream(version, "ab", storage=storage)
        assert wire("STREAM.PURGE.S", {"seq": 1})["purged"] == 2 - len(expected)
        assert kept(wire) == expected


@per_version(("2.9", "2.12", [2]), ("2.14", "2.15", [1, 2]))
def test_a_purge_of_a_subject_below_sequence_1(version, expected):
    for storage in ("memory", "file"):
        wire = Wire.with_stream(version, "ab", storage=storage)
        wire("STREAM.PURGE.S", {"seq": 1, "filter": "s.a"})
        assert kept(wire) == expected


@pytest.mark.pins("memory_keeps_by_sequence")
@pytest.mark.parametrize(
    ("version", "memory"),
    [("2.10", [6]), ("2.11", [6]), ("2.12", [6]), ("2.14", [3, 6]), ("2.15", [3, 6])],
)
def test_a_purge_that_keeps_counts_sequences_on_memory_up_to_2_12(version, memory):
    for storage, expected in (("memory", memory), ("file", [3, 6])):
        wire = Wire.with_stream(version, "aaaaaa", storage=storage)
        for removed in (4, 5):
            wire("STREAM.MSG.DELETE.S", {"seq": removed})
        wire("STREAM.PURGE.S", {"keep": 2})
        assert kept(wire) == expected


@pytest.mark.pins("memory_purge_leaves_first")
@pytest.mark.parametrize(("version", "first"), [("2.10", 2), ("2.11", 2), ("2.12", 2), ("2.14", 6), ("2.15", 6)])
def test_a_purge_that_empties_memory_below_a_removed_tail_leaves_the_first_sequence_up_to_2_12(version, first):
    wire = Wire.with_stream(version, "ababa")
    for removed in (1, 4, 5):
        wire("STREAM.MSG.DELETE.S", {"seq": removed})
    assert wire("STREAM.PURGE.S", {"seq": 4})["purged"] == 2
    assert wire.state() == {"messages": 0, "bytes": 0, "first_seq": first, "last_seq": 5}
    no_time = "0001-01-01T00:00:00Z"
    assert (wire("STREAM.INFO.S")["state"]["first_ts"] == no_time) == (first == 6)
    wire.publish("a")
    assert kept(wire) == [6]
    assert wire.state()["first_seq"] == 6


@pytest.mark.parametrize(("version", "deleted"), [("2.10", 4), ("2.11", 4), ("2.12", 4), ("2.14", 0), ("2.15", 0)])
def test_what_is_left_of_it_counts_as_deleted_unless_details_are_asked_for(version, deleted):
    wire = Wire.with_stream(version, "ababa")
    for removed in (1, 4, 5):
        wire("STREAM.MSG.DELETE.S", {"seq": removed})
    wire("STREAM.PURGE.S", {"seq": 4})
    assert wire("STREAM.INFO.S")["state"].get("num_deleted", 0) == deleted
    assert "num_deleted" not in wire.state()
