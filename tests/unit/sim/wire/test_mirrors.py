"""Streams that take from others: which messages, under which sequence, and what becomes of them; observed on 2.15.1."""

import base64

import pytest

from lattice_store.errors import NotSimulatedError
from lattice_store_sim._core._invariants import check
from tests.unit.sim.wire.wire import Wire


def with_origin(*tokens: str, **config) -> Wire:
    """Return a server with a stream O on o.>, to which was published."""
    wire = Wire.with_stream()
    made = wire("STREAM.CREATE.O", {"name": "O", "subjects": ["o.>"], "storage": "memory", **config})
    assert "config" in made
    for token in tokens:
        wire.send(f"o.{token}", b"x")
    return wire


def create(wire: Wire, name: str, **config) -> dict:
    return wire(f"STREAM.CREATE.{name}", {"name": name, "storage": "memory", **config})


def state(wire: Wire, name: str) -> dict:
    return wire(f"STREAM.INFO.{name}", {"deleted_details": True})["state"]


def stored(wire: Wire, name: str) -> dict[int, str]:
    """Return the subjects of what a stream holds, by sequence."""
    now = state(wire, name)
    there = sorted({*range(now["first_seq"], now["last_seq"] + 1)} - {*now.get("deleted", ())})
    return {one: wire(f"STREAM.MSG.GET.{name}", {"seq": one})["message"]["subject"] for one in there}


def headers(wire: Wire, name: str, sequence: int) -> list[str]:
    block = base64.b64decode(wire(f"STREAM.MSG.GET.{name}", {"seq": sequence})["message"]["hdrs"]).decode()
    return block.split("\r\n")[1:-2]


# -- mirrors -----------------------------------------------------------------------------------------


def test_a_mirror_keeps_the_sequences_of_what_it_wants():
    wire = with_origin("a", "b", "a", "b")
    made = create(wire, "M", mirror={"name": "O", "filter_subject": "o.b"})
    assert made["mirror"] == {"name": "O", "lag": 0, "active": -1}
    assert "subjects" not in made["config"]
    assert "duplicate_window" not in made["config"]
    assert stored(wire, "M") == {2: "o.b", 4: "o.b"}
    wire("STREAM.PURGE.O")
    wire.send("o.b")
    assert stored(wire, "M") == {2: "o.b", 4: "o.b", 5: "o.b"}
    info = wire("STREAM.INFO.M")["mirror"]
    assert info.pop("active") >= 0
    assert info == {"name": "O", "lag": 0, "filter_subject": "o.b"}


def test_a_mirror_takes_time_and_headers_of_the_origin():
    wire = with_origin()
    wire.send("o.a", b"x", b"NATS/1.0\r\nK: v\r\nNats-Expected-Last-Sequence: 0\r\n\r\n")
    create(wire, "M", mirror={"name": "O"})
    assert headers(wire, "M", 1) == ["K: v"]
    origin, mirror = (wire(f"STREAM.MSG.GET.{name}", {"seq": 1})["message"]["time"] for name in "OM")
    assert origin == mirror


def test_nobody_publishes_to_a_mirror_but_its_messages_can_be_removed():
    wire = with_origin("a", "b")
    create(wire, "M", mirror={"name": "O"})
    assert wire("STREAM.MSG.DELETE.M", {"seq": 1})["success"]
    assert stored(wire, "M") == {2: "o.b"}
    wire("STREAM.PURGE.M")
    wire.send("o.c")
    assert stored(wire, "M") == {3: "o.c"}


def test_a_mirror_becomes_a_stream_of_its_own():
    wire = with_origin("a")
    create(wire, "M", mirror={"name": "O"})
    update = {"name": "M", "storage": "memory", "subjects": ["m.>"]}
    answer = wire("STREAM.UPDATE.M", update)
    assert "mirror" not in answer
    wire.send("o.b")
    wire.send("m.c")
    assert stored(wire, "M") == {1: "o.a", 2: "m.c"}


def test_direct_gets_from_an_origin_that_is_gone_are_answered_by_its_mirror():
    wire = with_origin("a", allow_direct=True)
    assert create(wire, "M", mirror={"name": "O"})["config"]["mirror_direct"] is True
    wire("STREAM.DELETE.O")
    [answer] = wire.ask("DIRECT.GET.O", {"seq": 1})
    assert b"Nats-Stream: M\r\n" in answer.headers


# -- sources -----------------------------------------------------------------------------------------


def test_sources_come_together_and_say_where_they_are_from():
    wire = with_origin("a")
    wire("STREAM.CREATE.P", {"name": "P", "subjects": ["p.>"], "storage": "memory"})
    mapped = {"name": "P", "subject_transforms": [{"src": "p.*", "dest": "q.$1"}]}
    made = create(wire, "T", subjects=["t.>"], sources=[{"name": "O", "filter_subject": "o.*"}, mapped])
    assert [each["active"] for each in made["sources"]] == [-1, -1]
    wire.send("p.b")
    wire.send("t.c")
    wire.send("o.d.e")
    assert stored(wire, "T") == {1: "o.a", 2: "q.b", 3: "t.c"}
    first, second = headers(wire, "T", 1) + headers(wire, "T", 2)
    assert first.startswith("Nats-Stream-Source: O 1 o.* > o.a ")
    assert second.startswith("Nats-Stream-Source: P 1 p.* q.$1 p.b ")
    told = wire("STREAM.INFO.T")["sources"]
    assert [each.pop("active") >= 0 for each in told] == [True, True]
    assert told == [{"name": "O", "lag": 0, "seq": 1, "filter_subject": "o.*"}, {**mapped, "lag": 0, "seq": 1}]


def test_an_origin_that_is_not_there_yet():
    wire = with_origin()
    create(wire, "T", sources=[{"name": "LATE"}])
    not_found = {"code": 404, "err_code": 10059, "description": "stream not found"}
    assert wire("STREAM.INFO.T")["sources"] == [{"name": "LATE", "lag": 0, "active": -1, "error": not_found}]
    wire("STREAM.CREATE.LATE", {"name": "LATE", "subjects": ["l"], "storage": "memory"})
    wire.send("l")
    assert stored(wire, "T") == {1: "l"}


@pytest.mark.pins("recreated_origins_noticed")
@pytest.mark.parametrize(
    ("version", "taken"),
    [("2.14", {1: "o.a", 2: "o.b", 3: "o.e"}), ("2.15", {1: "o.a", 2: "o.b", 3: "o.c", 4: "o.d", 5: "o.e"})],
)
def test_an_origin_that_is_made_again(version, taken):
    """A mirror goes on by sequences, a source of 2.15 begins anew."""
    wire = Wire.with_stream(version)
    create(wire, "O", subjects=["o.>"])
    create(wire, "T", sources=[{"name": "O"}])
    create(wire, "M", mirror={"name": "O"})
    for token in "ab":
        wire.send(f"o.{token}")
    wire("STREAM.DELETE.O")
    assert "error" not in wire("STREAM.INFO.T")["sources"][0]
    wire.now_ns += 30 * 10**9
    assert wire("STREAM.INFO.T")["sources"][0]["error"]["err_code"] == 10059
    create(wire, "O", subjects=["o.>"])
    for token in "cde":
        wire.send(f"o.{token}")
    assert stored(wire, "T") == taken
    assert stored(wire, "M") == {1: "o.a", 2: "o.b", 3: "o.e"}


def test_messages_go_on_from_stream_to_stream():
    wire = with_origin("a")
    create(wire, "T", sources=[{"name": "O"}])
    create(wire, "U", sources=[{"name": "T"}])
    create(wire, "M", mirror={"name": "U"})
    wire.send("o.b")
    assert stored(wire, "M") == {1: "o.a", 2: "o.b"}
    [source] = headers(wire, "M", 2)
    assert source.startswith("Nats-Stream-Source: T 2 > > o.b ")


def test_consumers_of_a_sourced_stream_hear_of_what_comes():
    wire = with_origin()
    create(wire, "T", sources=[{"name": "O"}])
    wire.api.core.subscribe("deliver", now_ns=wire.now_ns)
    config = {"name": "c", "deliver_subject": "deliver", "ack_policy": "none"}
    wire("CONSUMER.CREATE.T.c", {"stream_name": "T", "config": config})
    wire.now_ns += 1_000_000
    wire.api.send("o.a", b"x", now_ns=wire.now_ns)
    assert [(each.to, each.subject) for each in wire.api.core.outbox] == [("deliver", "o.a")]


def test_duplicates_are_found_by_a_stream_with_a_window():
    wire = with_origin()
    create(wire, "T", sources=[{"name": "O"}], duplicate_window=60 * 10**9)
    create(wire, "U", sources=[{"name": "O"}])
    message_id = b"NATS/1.0\r\nNats-Msg-Id: one\r\n\r\n"
    wire.send("o.a", b"", message_id)
    wire("STREAM.UPDATE.O", {"name": "O", "subjects": ["o.>"], "storage": "memory", "duplicate_window": 10**8})
    wire.now_ns += 10**9
    wire.send("o.a", b"", message_id)
    assert (stored(wire, "T"), stored(wire, "U")) == ({1: "o.a"}, {1: "o.a", 2: "o.a"})


def test_what_finds_no_room_waits_for_it():
    wire = with_origin("a", "b", "c", "d", "e")
    create(wire, "T", sources=[{"name": "O"}], max_msgs=2, discard="new")
    assert stored(wire, "T") == {1: "o.a", 2: "o.b"}
    assert wire("STREAM.INFO.T")["sources"][0]["lag"] == 1
    wire("STREAM.MSG.DELETE.T", {"seq": 1})
    assert stored(wire, "T") == {2: "o.b", 3: "o.c"}
    wire("STREAM.PURGE.T")
    assert stored(wire, "T") == {4: "o.d", 5: "o.e"}


def test_a_work_queue_loses_what_is_taken_and_shows_who_takes_it():
    wire = with_origin("a", "b", retention="workqueue")
    source = {"name": "O", "filter_subject": "o.a", "opt_start_seq": 1}
    create(wire, "S2", sources=[source])
    mapped = [{"src": "o.b", "dest": "b"}, {"src": "o.c", "dest": ""}]
    create(wire, "M", mirror={"name": "O", "subject_transforms": mapped})
    assert (stored(wire, "O"), state(wire, "O")["consumer_count"]) == ({}, 2)
    assert stored(wire, "M") == {2: "b"}
    mirror, sourcing = wire("CONSUMER.LIST.O")["consumers"]
    assert (mirror["name"], mirror["config"]["ack_policy"]) == ("JS_MIRROR_ih8eMwqr", "flow_control")
    assert mirror["config"]["metadata"]["_nats.mirror.stream"] == "M"
    assert sourcing["config"]["metadata"]["_nats.src.stream"] == "S2"
    assert (sourcing["config"]["opt_start_seq"], sourcing["config"]["filter_subject"]) == (1, "o.a")
    for consumer, place in ((mirror, 2), (sourcing, 1)):
        assert (consumer["delivered"]["consumer_seq"], consumer["delivered"]["stream_seq"]) == (1, place)
    wire("STREAM.DELETE.M")
    assert wire("CONSUMER.NAMES.O")["consumers"] == [sourcing["name"]]


@pytest.mark.pins("sourcing_consumers_shown")
@pytest.mark.parametrize(("version", "names"), [("2.12", []), ("2.14", ["JS_SRC_N6lXlrSF"])])
def test_who_takes_from_a_stream_that_keeps_messages_by_interest(version, names):
    wire = Wire.with_stream(version, retention="interest")
    wire("STREAM.DELETE.S")
    wire("STREAM.CREATE.O", {"name": "O", "subjects": ["o.>"], "storage": "memory", "retention": "interest"})
    create(wire, "S", sources=[{"name": "O"}])
    wire.send("o.a")
    assert (stored(wire, "O"), stored(wire, "S")) == ({}, {1: "o.a"})
    assert (wire("CONSUMER.NAMES.O")["consumers"] or []) == names


def test_a_counter_adds_up_what_others_have_counted():
    wire = with_origin(allow_msg_counter=True)
    wire("STREAM.CREATE.P", {"name": "P", "subjects": ["p.>"], "storage": "memory", "allow_msg_counter": True})
    sources = [
        {"name": name, "subject_transforms": [{"src": f"{name.lower()}.*", "dest": "t.$1"}]} for name in ("O", "P")
    ]
    create(wire, "T", subjects=["t.>"], allow_msg_counter=True, sources=sources)
    for subject, increment in (("o.a", "5"), ("p.a", "3"), ("t.a", "1"), ("o.a", "-2")):
        wire.send(subject, b"", f"NATS/1.0\r\nNats-Incr: {increment}\r\n\r\n".encode())
    sums = [wire("STREAM.MSG.GET.T", {"seq": sequence})["message"]["data"] for sequence in range(1, 5)]
    assert [base64.b64decode(each) for each in sums] == [b'{"val":"5"}', b'{"val":"8"}', b'{"val":"9"}', b'{"val":"7"}']
    assert headers(wire, "T", 3) == ["Nats-Incr: 1", 'Nats-Counter-Sources: {"O":{"o.a":"5"},"P":{"p.a":"3"}}']
    increment, source, counted = headers(wire, "T", 4)
    assert (increment, counted) == ("Nats-Incr: -2", 'Nats-Counter-Sources: {"O":{"o.a":"3"},"P":{"p.a":"3"}}')
    assert source.startswith("Nats-Stream-Source: O 2 o.* t.$1 o.a ")


def test_an_update_goes_on_with_the_sources_that_stay():
    wire = with_origin("a")
    wire("STREAM.CREATE.P", {"name": "P", "subjects": ["p.>"], "storage": "memory"})
    create(wire, "T", sources=[{"name": "O"}])
    wire.send("p.b")
    wire("STREAM.UPDATE.T", {"name": "T", "storage": "memory", "sources": [{"name": "O"}, {"name": "P"}]})
    assert stored(wire, "T") == {1: "o.a", 2: "p.b"}
    wire("STREAM.UPDATE.T", {"name": "T", "storage": "memory", "sources": [{"name": "P"}]})
    wire.send("o.c")
    wire("STREAM.UPDATE.T", {"name": "T", "storage": "memory", "sources": [{"name": "O"}]})
    assert stored(wire, "T") == {1: "o.a", 2: "p.b", 3: "o.c"}


# -- what is refused ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "refusal"),
    [
        ({"mirror": {"name": "O"}, "subjects": ["x"]}, (400, 10034, "stream mirrors can not contain subjects")),
        (
            {"mirror": {"name": "O"}, "sources": [{"name": "S"}]},
            (400, 10031, "stream mirrors can not also contain other sources"),
        ),
        ({"sources": [{"name": "a.b"}]}, (400, 10141, "sourced stream name is invalid")),
        ({"mirror": {"name": ""}}, (400, 10142, "mirrored stream name is invalid")),
        ({"sources": [{"name": "O"}] * 2}, (400, 10140, "duplicate source configuration detected")),
        ({"sources": [{"name": "T"}]}, (500, 10052, "detected cycle")),
        ({"mirror": {"name": "T"}}, (500, 10052, "detected cycle")),
        (
            {"mirror": {"name": "O", "external": {"api": "$JS.API", "deliver": ""}}},
            (400, 10021, "stream external api prefix $JS.API must not overlap with $JS.API"),
        ),
        (
            {"sources": [{"name": "O", "filter_subject": "o..a"}]},
            (500, 10049, "subject filter 'o..a' for the source: invalid subject"),
        ),
        (
            {"mirror": {"name": "O", "filter_subject": "o..a"}},
            (500, 10049, "subject filter 'o..a' for the mirror invalid subject"),
        ),
    ],
)
def test_a_stream_may_not_take_from(config, refusal):
    assert with_origin().refusal("STREAM.CREATE.T", {"name": "T", "storage": "memory", **config}) == refusal


def test_a_consumer_that_is_there_already_is_not_simulated():
    source = {"name": "O", "consumer": {"name": "c", "deliver_subject": "d"}}
    with pytest.raises(NotSimulatedError, match="by a consumer that is there already"):
        create(with_origin(), "T", sources=[source])


# -- the server itself -------------------------------------------------------------------------------


def test_a_copy_of_a_server_takes_from_its_own_streams():
    wire = with_origin("a")
    create(wire, "M", mirror={"name": "O"})
    copied = wire.api.core.copy()
    copied.publish("o.b", b"", now_ns=wire.now_ns)
    check(copied)
    assert copied.log("M", now_ns=wire.now_ns).last_sequence == 2
    assert wire.api.core.log("M", now_ns=wire.now_ns).last_sequence == 1


def test_what_expires_at_the_origin_leaves_its_marker_in_both():
    wire = with_origin(allow_msg_ttl=True, subject_delete_marker_ttl=10**9)
    create(wire, "M", mirror={"name": "O"}, allow_msg_ttl=True)
    wire.send("o.a", b"", b"NATS/1.0\r\nNats-TTL: 1\r\n\r\n")
    wire.now_ns += 1_500_000_000
    assert state(wire, "M")["last_seq"] == 2
    assert "Nats-Marker-Reason: MaxAge" in headers(wire, "M", 2)


@pytest.mark.parametrize("version", ["2.9", "2.14", "2.15"])
def test_a_restart_goes_on_where_all_was_removed(version):
    wire = Wire.with_stream(version)
    for name, config in {
        "O": {"subjects": ["o.>"]},
        "T": {"sources": [{"name": "O"}]},
        "M": {"mirror": {"name": "O"}},
    }.items():
        create(wire, name, **{**config, "storage": "file"})
    for token in "abc":
        wire.send(f"o.{token}")
    for name in "TM":
        wire(f"STREAM.PURGE.{name}")
    wire.restart()
    wire.send("o.d")
    assert (stored(wire, "T"), stored(wire, "M")) == ({4: "o.d"}, {4: "o.d"})


def test_a_restart_loses_what_was_in_memory():
    wire = with_origin("a", "b")
    create(wire, "M", mirror={"name": "O"}, storage="file")
    wire.restart()
    assert stored(wire, "M") == {1: "o.a", 2: "o.b"}
    assert wire("STREAM.INFO.M")["mirror"]["error"]["err_code"] == 10059
