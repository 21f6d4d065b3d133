"""What mirrors and sources show over the wire, as observed on nats-servers of all versions."""

import base64

import pytest

from tests.unit.sim.versions import per_version
from tests.unit.sim.wire.wire import Wire

SECOND_NS = 1_000_000_000


def from_an_origin(version, storage="memory"):
    """Return a server where S has what O stores on o.>."""
    wire = Wire.with_stream(version, subjects=["own"])
    wire("STREAM.CREATE.O", {"name": "O", "subjects": ["o.>"], "storage": storage})
    wire("STREAM.CREATE.T", {"name": "T", "sources": [{"name": "O"}], "storage": storage})
    wire.send("o.a", b"x")
    return wire


def subjects(wire, stream):
    last = wire(f"STREAM.INFO.{stream}")["state"]["last_seq"]
    return [
        wire(f"STREAM.MSG.GET.{stream}", {"seq": sequence})["message"]["subject"] for sequence in range(1, last + 1)
    ]


def mirror_of_o(version):
    wire = from_an_origin(version)
    wire("STREAM.CREATE.M", {"name": "M", "mirror": {"name": "O"}, "storage": "memory"})
    return wire


@pytest.mark.pins("mirrors_checked_for_markers")
@per_version(
    ("2.9", "2.10", None),
    ("2.11", "2.15", (500, 10052, "subject delete markers forbidden on mirrors")),
)
def test_a_mirror_that_leaves_delete_markers(version, expected):
    marking = {"allow_msg_ttl": True, "subject_delete_marker_ttl": 2 * SECOND_NS}
    config = {"name": "M", "mirror": {"name": "O"}, "storage": "memory", **marking}
    error = from_an_origin(version)("STREAM.CREATE.M", config).get("error")
    assert (error and (error["code"], error["err_code"], error["description"])) == expected


@pytest.mark.pins("mirrors_promoted")
@per_version(
    ("2.9", "2.11", (400, 10055, "stream mirror configuration can not be updated")),
    ("2.12", "2.15", None),
)
def test_an_update_that_makes_a_mirror_a_stream_of_its_own(version, expected):
    update = {"name": "M", "storage": "memory", "subjects": ["m.>"]}
    error = mirror_of_o(version)("STREAM.UPDATE.M", update).get("error")
    assert (error and (error["code"], error["err_code"], error["description"])) == expected


@pytest.mark.pins("sources_have_no_window")
@per_version(("2.9", "2.12", 120 * SECOND_NS), ("2.14", "2.15", None))
def test_the_duplicate_window_of_a_stream_with_sources(version, expected):
    config = from_an_origin(version)("STREAM.INFO.T")["config"]
    assert (config.get("duplicate_window") or None) == expected


@pytest.mark.pins("sources_tell_subjects", "sources_tell_filters", "recreated_origins_noticed")
@per_version(
    ("2.9", "2.9", "O 1"), ("2.10", "2.11", "O 1 > >"), ("2.12", "2.14", "O 1 > > o.a"), ("2.15", "2.15", "O 1 > > o.a")
)
def test_what_a_sourced_message_says_of_its_origin(version, expected):
    stored = from_an_origin(version)("STREAM.MSG.GET.T", {"seq": 1})["message"]
    said = base64.b64decode(stored["hdrs"]).decode().split("Nats-Stream-Source: ")[1].split("\r\n")[0]
    assert said.startswith(expected)
    assert len(said.split()) - len(expected.split()) == (1 if version == "2.15" else 0)  # which O it was


@pytest.mark.pins("source_places_told")
@per_version(("2.9", "2.14", {"name": "O", "lag": 0}), ("2.15", "2.15", {"name": "O", "lag": 0, "seq": 1}))
def test_what_is_told_of_a_source(version, expected):
    [told] = from_an_origin(version)("STREAM.INFO.T")["sources"]
    del told["active"]
    assert told == expected


@pytest.mark.pins("sources_wait_beyond_end")
@per_version(("2.9", "2.14", ["o.b", "o.c"]), ("2.15", "2.15", ["o.c"]))
def test_a_source_that_starts_beyond_the_end(version, expected):
    wire = from_an_origin(version)
    source = {"name": "O", "opt_start_seq": 3}
    wire("STREAM.CREATE.U", {"name": "U", "sources": [source], "storage": "memory"})
    wire.send("o.b")
    wire.send("o.c")
    assert subjects(wire, "U") == expected


@pytest.mark.pins("source_places_kept")
@per_version(("2.9", "2.14", ["o.a", "o.b"]), ("2.15", "2.15", ["o.a"]))
def test_where_a_restart_goes_on(version, expected):
    """Whoever removes what came from the origin removes what tells how far it was read, up to 2.14."""
    wire = from_an_origin(version, storage="file")
    wire.send("o.b")
    assert wire("STREAM.MSG.DELETE.T", {"seq": 2})["success"]
    wire.restart()
    state = wire("STREAM.INFO.T", {"deleted_details": True})["state"]
    there = set(range(state["first_seq"], state["last_seq"] + 1)) - set(state.get("deleted", ()))
    assert [wire("STREAM.MSG.GET.T", {"seq": sequence})["message"]["subject"] for sequence in sorted(there)] == expected
