"""Requests about streams; the expectations were observed on nats-server 2.15.1."""

import json

import pytest

from lattice_store.limits import SECOND_NS
from lattice_store_sim._core._stream_config import StreamConfig
from tests.unit.sim.wire.wire import Wire

MISMATCH = (400, 10056, "stream name in subject does not match request")
NO_STREAM = (404, 10059, "stream not found")
NO_BODY_WANTED = (400, 10038, "expected an empty request payload")
NOWHERE = {"total": 0, "offset": 0, "limit": 0}
NO_JSON = (b"{junk", b"[]", b'{"x": 1}', b'{"offset": "1"}')


def answer(name: str, **fields):
    return {"type": f"io.nats.jetstream.api.v1.stream_{name}_response", **fields}


def error_of(answered: dict) -> int:
    return answered["error"]["err_code"]


def unchecked(wire: Wire, api: str, body: dict) -> dict:
    """Ask a server that holds too much to recount it after each request."""
    wire.api.send(f"$JS.API.{api}", json.dumps(body).encode(), reply="_INBOX.wire", now_ns=wire.now_ns)
    return json.loads(wire.api.core.outbox.pop().payload)


def with_names(*names: str) -> Wire:
    """A server with the stream "S" on "s.>" and more, each on "<name>.*"."""
    wire = Wire.with_stream()
    for name in names:
        wire(f"STREAM.CREATE.{name}", {"name": name, "subjects": [f"{name.lower()}.*"], "storage": "memory"})
    return wire


# -- create and update -------------------------------------------------------------------------------


def test_the_answer_to_a_creation_shows_the_configuration_with_defaults_and_an_unused_state():
    wire = Wire.with_stream()
    assert wire("STREAM.CREATE.T", {"name": "T"}) == answer(
        "create",
        config={
            "name": "T",
            "subjects": ["T"],
            "retention": "limits",
            **dict.fromkeys(("max_consumers", "max_msgs", "max_bytes", "max_msgs_per_subject", "max_msg_size"), -1),
            "max_age": 0,
            "discard": "old",
            "storage": "file",
            "num_replicas": 1,
            "duplicate_window": 120 * SECOND_NS,
            "compression": "none",
            **dict.fromkeys(("allow_direct", "mirror_direct", "sealed", "deny_delete", "deny_purge"), False),
            "allow_rollup_hdrs": False,
            "consumer_limits": {},
            "allow_msg_ttl": False,
            "metadata": {"_nats.req.level": "0", "_nats.ver": "2.15.1", "_nats.level": "5"},
        },
        created="2023-11-14T22:13:20.002Z",
        state={
            **dict.fromkeys(("messages", "bytes", "first_seq", "last_seq", "consumer_count"), 0),
            "first_ts": "0001-01-01T00:00:00Z",
            "last_ts": "0001-01-01T00:00:00Z",
        },
        ts="2023-11-14T22:13:20.002Z",
        did_create=True,
    )


@pytest.mark.parametrize(
    "setting",
    [
        {"description": "d"},
        {"no_ack": True},
        {"first_seq": 5},
        {"subject_delete_marker_ttl": SECOND_NS},
        {"allow_msg_counter": True},
        {"consumer_limits": {"max_ack_pending": 5}},
        {"consumer_limits": {"inactive_threshold": -7}},
    ],
)
def test_some_settings_are_shown_only_when_they_are_set(setting):
    shown = Wire.with_stream(**setting)("STREAM.INFO.S")["config"]
    assert setting.items() <= shown.items()
    unset = Wire.with_stream()("STREAM.INFO.S")["config"]
    assert {name: unset.get(name) for name in setting} in (dict.fromkeys(setting), {"consumer_limits": {}})


def test_an_update_answers_like_a_creation_but_does_not_create():
    wire = Wire.with_stream(tokens="ab")
    updated = wire("STREAM.UPDATE.S", {"name": "S", "storage": "memory", "max_msgs": 1})
    assert updated.keys() == {"type", "config", "created", "state", "ts"}
    assert (updated["config"]["subjects"], updated["config"]["max_msgs"]) == (["S"], 1)
    assert updated["created"] == "2023-11-14T22:13:20.001Z"
    assert (updated["state"]["messages"], updated["state"]["first_seq"]) == (1, 2)


@pytest.mark.pins("surprise 25")
def test_creating_again_what_is_there_answers_like_a_creation():
    wire = Wire.with_stream(tokens="a")
    same = {"name": "S", "subjects": ["s.>"], "storage": "memory", "allow_direct": True, "max_msgs": 0}
    again = wire("STREAM.CREATE.S", {**same, "duplicate_window": 120 * SECOND_NS, "metadata": {"_nats.ver": "1"}})
    assert (again["did_create"], again["state"]["messages"]) == (True, 1)
    assert error_of(wire("STREAM.CREATE.S", {**same, "metadata": {"a": "b"}})) == 10058


def test_what_a_client_says_of_the_server_in_metadata_is_overwritten_and_the_rest_kept():
    given = {"_nats.ver": "9", "_nats.level": "8", "_nats.req.level": "7", "_nats.x": "6", "k": "v"}
    kept = {"_nats.x": "6", "k": "v", "_nats.req.level": "0"}
    wire = Wire.with_stream(metadata=given)
    assert wire("STREAM.INFO.S")["config"]["metadata"] == {**kept, "_nats.ver": "2.15.1", "_nats.level": "5"}
    assert wire("STREAM.LIST")["streams"][0]["config"]["metadata"] == kept


@pytest.mark.parametrize(
    ("setting", "level"),
    [
        ({}, "0"),
        ({"persist_mode": "default"}, "0"),
        ({"allow_msg_ttl": True}, "1"),
        ({"subject_delete_marker_ttl": SECOND_NS}, "1"),
        ({"allow_msg_counter": True}, "2"),
        ({"allow_msg_counter": True, "subject_delete_marker_ttl": SECOND_NS}, "2"),
    ],
)
def test_metadata_notes_the_api_level_that_the_settings_require(setting, level):
    assert Wire.with_stream(**setting)("STREAM.INFO.S")["config"]["metadata"]["_nats.req.level"] == level


@pytest.mark.parametrize("verb", ["CREATE", "UPDATE"])
def test_the_name_is_that_of_the_subject(verb):
    wire = Wire.with_stream()
    assert wire.refusal(f"STREAM.{verb}.T", {"name": "S"}) == MISMATCH


def test_a_creation_without_a_body_names_no_stream():
    assert Wire.with_stream().refusal("STREAM.CREATE.T") == MISMATCH


def test_names_are_of_one_subject_token():
    assert Wire.with_stream().ask("STREAM.CREATE.T.U", {"name": "T"}) == []


def test_a_first_sequence_is_where_an_unused_stream_stands():
    wire = Wire.with_stream(first_seq=5)
    assert wire.state() == {"messages": 0, "bytes": 0, "first_seq": 5, "last_seq": 4}
    wire.publish("a")
    assert wire.state() == {"messages": 1, "bytes": 19, "first_seq": 5, "last_seq": 5, "num_subjects": 1}
    changed = {"name": "S", "subjects": ["s.>"], "storage": "memory", "first_seq": 9}
    updated = wire("STREAM.UPDATE.S", changed)
    assert (updated["config"]["first_seq"], updated["state"]["first_seq"]) == (9, 5)


# -- info --------------------------------------------------------------------------------------------


def test_an_info_says_where_it_comes_from_and_that_no_subjects_are_shown():
    info = Wire.with_stream()("STREAM.INFO.S")
    assert info.keys() == {"type", "config", "created", "state", "ts", "cluster", "total", "offset", "limit"}
    assert NOWHERE.items() <= info.items()
    assert list(info["cluster"]) == ["leader"]


def test_details_show_the_sequences_that_were_deleted():
    wire = Wire.with_stream(tokens="abab")
    wire("STREAM.MSG.DELETE.S", {"seq": 2})
    wire("STREAM.MSG.DELETE.S", {"seq": 4})
    details = {"first_seq": 1, "last_seq": 4, "num_subjects": 1, "num_deleted": 2, "deleted": [2, 4]}
    assert wire.state() == {"messages": 2, "bytes": 38, **details}
    assert "deleted" not in wire("STREAM.INFO.S")["state"]


@pytest.mark.pins("surprise 22")
def test_details_of_a_file_stream_that_was_never_used_show_sequence_0():
    assert Wire.with_stream(storage="file").state()["deleted"] == [0]
    assert Wire.with_stream(storage="file").state()["num_deleted"] == 1
    assert "num_deleted" not in Wire.with_stream(storage="file")("STREAM.INFO.S")["state"]
    assert "deleted" not in Wire.with_stream(storage="memory").state()
    assert "deleted" not in Wire.with_stream(storage="file", first_seq=3).state()
    assert "deleted" not in Wire.with_stream(storage="file", tokens="a").state()


@pytest.mark.parametrize(
    ("asked", "subjects", "place"),
    [
        ({"subjects_filter": ">"}, {"s.a": 2, "s.b": 1}, (2, 0, 100_000)),
        ({"subjects_filter": "s.a"}, {"s.a": 2}, (1, 0, 100_000)),
        ({"subjects_filter": "s.*", "offset": 1}, {"s.b": 1}, (2, 1, 100_000)),
        ({"subjects_filter": "s.*", "offset": 2}, None, (2, 2, 100_000)),
        ({"subjects_filter": "s.*", "offset": 9}, None, (2, 9, 100_000)),
        ({"subjects_filter": "s.*", "offset": -3}, {"s.a": 2, "s.b": 1}, (2, 0, 100_000)),
        ({"subjects_filter": "s.c"}, None, (0, 0, 0)),
        ({"subjects_filter": "s..a"}, None, (0, 0, 0)),
        ({"offset": 4}, None, (0, 0, 0)),
    ],
)
def test_an_info_counts_the_messages_of_subjects(asked, subjects, place):
    info = Wire.with_stream(tokens="aab")("STREAM.INFO.S", asked)
    assert info["state"].get("subjects") == subjects
    assert (info["total"], info["offset"], info["limit"]) == place


@pytest.mark.slow
def test_a_page_has_100000_subjects():
    wire = Wire.with_stream()
    for number in range(100_001):
        wire.api.core.publish(f"s.{number:06}", b"", now_ns=wire.now_ns)
    first, second = (
        unchecked(wire, "STREAM.INFO.S", {"subjects_filter": ">", "offset": offset})["state"]["subjects"]
        for offset in (0, 100_000)
    )
    assert (len(first), second) == (100_000, {"s.100000": 1})


@pytest.mark.parametrize("body", [b"", b"{}", b"null", b"junk", b"5", b" ", b'"a"', b'{"DELETED_details": false}'])
def test_a_body_that_asks_for_nothing_is_ignored(body):
    wire = Wire.with_stream()
    for request in ("INFO.S", "NAMES", "LIST"):
        if body[:2] != b'{"' or request == "INFO.S":
            assert "error" not in wire(f"STREAM.{request}", body)


@pytest.mark.parametrize("body", NO_JSON)
def test_a_body_that_is_no_request_is_refused(body):
    wire = Wire.with_stream()
    for request, beside in (("INFO.S", {}), ("NAMES", {"streams": None}), ("LIST", {"streams": []})):
        refused = wire(f"STREAM.{request}", body)
        assert error_of(refused) == 10025
        assert {**NOWHERE, **beside}.items() <= refused.items()


def test_the_info_of_no_stream_is_refused():
    wire = Wire.with_stream()
    assert wire.refusal("STREAM.INFO.T") == NO_STREAM
    assert NOWHERE.items() <= wire("STREAM.INFO.T").items()


# -- delete ------------------------------------------------------------------------------------------


def test_a_deleted_stream_is_gone():
    wire = Wire.with_stream(tokens="a")
    assert wire("STREAM.DELETE.S") == answer("delete", success=True)
    assert wire.refusal("STREAM.DELETE.S") == NO_STREAM
    assert wire.refusal("STREAM.INFO.S") == NO_STREAM


@pytest.mark.pins("surprise 21")
def test_a_stream_created_again_begins_anew_also_on_file():
    """Real servers mean to do so too, but race: deleted messages of a file stream may come back."""
    wire = Wire.with_stream(tokens="ab", storage="file")
    wire("STREAM.DELETE.S")
    again = {"name": "S", "subjects": ["s.>"], "storage": "file"}
    assert wire("STREAM.CREATE.S", again)["state"]["last_seq"] == 0
    wire.publish("a")
    assert (wire.state()["first_seq"], wire.state()["messages"]) == (1, 1)


@pytest.mark.parametrize("body", [b"junk", b"[]", b"5", b"null", b'{"a": 1}', b"{} {}", b" ", b"{}x"])
def test_a_deletion_takes_no_body(body):
    wire = Wire.with_stream()
    assert wire.refusal("STREAM.DELETE.S", body) == NO_BODY_WANTED
    assert wire.refusal("STREAM.DELETE.T", body) == NO_BODY_WANTED


@pytest.mark.parametrize("body", [b"", b"{}", b" { } "])
def test_an_empty_object_is_no_body(body):
    assert Wire.with_stream()("STREAM.DELETE.S", body)["success"]


# -- names and list ----------------------------------------------------------------------------------


def test_streams_are_listed_by_name():
    wire = with_names("B", "A")
    assert wire("STREAM.NAMES") == answer("names", total=3, offset=0, limit=1024, streams=["A", "B", "S"])
    listed = wire("STREAM.LIST")
    assert (listed["total"], listed["offset"], listed["limit"]) == (3, 0, 256)
    assert [info["config"]["name"] for info in listed["streams"]] == ["A", "B", "S"]
    assert all(info.keys() == {"config", "created", "state", "ts"} for info in listed["streams"])


def test_a_server_without_streams_lists_none():
    wire = Wire.with_stream()
    wire("STREAM.DELETE.S")
    assert wire("STREAM.NAMES") == answer("names", total=0, offset=0, limit=1024, streams=None)
    assert wire("STREAM.LIST") == answer("list", total=0, offset=0, limit=256, streams=[])


@pytest.mark.parametrize(
    ("asked", "names", "total", "offset"),
    [
        ({"offset": 1}, ["B", "S"], 3, 1),
        ({"offset": 3}, None, 3, 3),
        ({"offset": 9}, None, 3, 3),
        ({"offset": -1}, ["A", "B", "S"], 3, 0),
        ({"subject": "a.x"}, ["A"], 1, 0),
        ({"subject": "*.x"}, ["A", "B", "S"], 3, 0),
        ({"subject": "*.x.y"}, ["S"], 1, 0),
        ({"subject": "*.x", "offset": 2}, ["S"], 3, 2),
        ({"subject": "a"}, None, 0, 0),
        ({"subject": "a", "offset": 4}, None, 0, 0),
        ({"subject": ""}, ["A", "B", "S"], 3, 0),
    ],
)
def test_a_list_is_filtered_and_begins_at_an_offset(asked, names, total, offset):
    wire = with_names("A", "B")
    listed = wire("STREAM.NAMES", asked)
    assert (listed["streams"], listed["total"], listed["offset"]) == (names, total, offset)
    infos = wire("STREAM.LIST", asked)
    assert ([info["config"]["name"] for info in infos["streams"]] or None) == names
    assert (infos["total"], infos["offset"]) == (total, offset)


@pytest.mark.slow
def test_a_page_has_256_streams_or_1024_names():
    wire = Wire.with_stream()
    for number in range(1024):
        wire.api.core.create_stream(StreamConfig(name=f"T{number:04}", storage="memory"), now_ns=wire.now_ns)
    assert len(unchecked(wire, "STREAM.LIST", {})["streams"]) == 256
    [last] = unchecked(wire, "STREAM.LIST", {"offset": 1024})["streams"]
    assert last["config"]["name"] == "T1023"
    assert len(unchecked(wire, "STREAM.NAMES", {})["streams"]) == 1024
    assert unchecked(wire, "STREAM.NAMES", {"offset": 1024})["streams"] == ["T1023"]
