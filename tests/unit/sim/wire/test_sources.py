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


def mirror_of_o(version, **settings):
    wire = from_an_origin(version)
    wire("STREAM.CREATE.M", {"name": "M", "mirror": {"name": "O"}, "storage": "memory", **settings})
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


@pytest.mark.pins("creations_tell_origins")
@per_version(("2.9", "2.9", False), ("2.10", "2.15", True))
def test_what_the_answer_to_a_creation_tells_of_origins(version, expected):
    wire = from_an_origin(version)
    mirror = wire("STREAM.CREATE.M", {"name": "M", "mirror": {"name": "O"}, "storage": "memory"})
    sourced = wire("STREAM.CREATE.N", {"name": "N", "sources": [{"name": "O"}], "storage": "memory"})
    assert ("mirror" in mirror, "sources" in sourced) == (expected, expected)
    assert "mirror" in wire("STREAM.INFO.M")


ELSEWHERE = {"api": "$JS.e.API", "deliver": "d"}
OUT_OF_RANGE = "invalid mapping destination: wildcard index out of range in $2: [2]"


def refusal(version, verb, config):
    wire = from_an_origin(version)
    name = "T" if verb == "UPDATE" else "N"
    error = wire(f"STREAM.{verb}.{name}", {"name": name, "storage": "memory", **config}).get("error")
    return error and (error["code"], error["err_code"], error["description"])


@pytest.mark.pins("source_sizes_first")
@per_version(
    ("2.10", "2.11", (400, 10046, "stream source must have max message size >= target")),
    ("2.12", "2.15", (400, 10146, f"source transform: {OUT_OF_RANGE}")),
)
def test_the_size_of_messages_and_a_mapping_that_is_none(version, expected):
    wire = Wire.with_stream(version)
    wire("STREAM.CREATE.O", {"name": "O", "subjects": ["o.>"], "storage": "memory", "max_msg_size": 50})
    config = {"name": "N", "sources": [mapped("*", "$2")], "storage": "memory", "max_msg_size": 20}
    error = wire("STREAM.CREATE.N", config)["error"]
    assert (error["code"], error["err_code"], error["description"]) == expected


@pytest.mark.pins("source_sizes_first")
@per_version(
    ("2.10", "2.11", (500, 10049, f"subject transform from '*' to '$2' for the source: {OUT_OF_RANGE}")),
    ("2.12", "2.15", (400, 10146, f"source transform: {OUT_OF_RANGE}")),
)
def test_a_mapping_that_is_none_of_a_source_elsewhere(version, expected):
    assert refusal(version, "CREATE", {"sources": [mapped("*", "$2") | {"external": ELSEWHERE}]}) == expected


def mapped(source, destination):
    return {"name": "O", "subject_transforms": [{"src": source, "dest": destination}]}


@pytest.mark.pins("transforms_checked_first")
@pytest.mark.parametrize(
    ("verb", "config", "expected"),
    [
        ("CREATE", {"sources": [mapped("", "x.>")]}, (400, 10145, "source subject filter is invalid")),
        ("CREATE", {"sources": [mapped("a..b", "x")]}, (400, 10145, "source subject filter is invalid")),
        (
            "CREATE",
            {"sources": [mapped("a", "{{unheard(1)}}")]},
            (400, 10146, "source transform destination is invalid"),
        ),
        (
            *("CREATE", {"sources": [mapped(">", "t")]}),
            (500, 10049, "subject transform from '>' to 't' for the source: invalid subject"),
        ),
        (
            *("CREATE", {"sources": [mapped("o..*", "{{x}}") | {"external": ELSEWHERE}]}),
            (500, 10049, "subject filter 'o..*' for the source: invalid subject"),
        ),
        ("CREATE", {"mirror": mapped("a..b", "x")}, (400, 10151, "mirror subject filter is invalid")),
        (
            *("CREATE", {"mirror": mapped("*", "$2")}),
            (500, 10049, f"subject transform from '*' to '$2' for the mirror: {OUT_OF_RANGE}"),
        ),
        (
            "UPDATE",
            {"sources": [mapped(">", "t")]},
            (500, 10069, "unable to get subject transform for source: invalid subject"),
        ),
    ],
)
def test_mappings_that_2_10_refuses(verb, config, expected):
    assert refusal("2.10", verb, config) == expected


@pytest.mark.pins("empty_mirrors_skip")
@per_version(("2.9", "2.9", "skipped"), ("2.10", "2.15", "moved on"))
def test_a_mirror_of_what_is_empty_again(version, expected):
    wire = from_an_origin(version)
    wire("STREAM.MSG.DELETE.O", {"seq": 1})
    wire("STREAM.CREATE.M", {"name": "M", "mirror": {"name": "O"}, "storage": "memory"})
    state = wire("STREAM.INFO.M")["state"]
    assert (state["first_seq"], state["last_seq"]) == (2, 1)
    assert ("moved on" if state["last_ts"] == "0001-01-01T00:00:00Z" else "skipped") == expected


@pytest.mark.pins("rollups_judged_again")
@per_version(("2.9", "2.11", 0), ("2.12", "2.15", 1))
def test_a_rollup_that_only_the_origin_allows(version, expected):
    wire = Wire.with_stream(version, allow_rollup_hdrs=True)
    wire("STREAM.CREATE.M", {"name": "M", "mirror": {"name": "S"}, "storage": "memory"})
    wire.send("s.a", b"x", b"NATS/1.0\r\nNats-Rollup: sub\r\n\r\n")
    assert wire("STREAM.INFO.M")["state"]["messages"] == expected


@pytest.mark.pins("mirrors_close_up")
@per_version(("2.9", "2.11", (2, 2)), ("2.12", "2.15", (1, 1)))
def test_a_mirror_goes_on_without_what_is_too_large(version, expected):
    wire = mirror_of_o(version, max_msg_size=20)
    wire.send("o.a", b"x" * 21)
    wire.send("o.a", b"z")
    state = wire("STREAM.INFO.M")["state"]
    assert (state["messages"], state["last_seq"]) == expected


def test_a_mirror_stands_in_for_its_origin_once_it_has_heard_of_it():
    wire = Wire.with_stream(subjects=["own"])
    wire("STREAM.CREATE.O", {"name": "O", "subjects": ["o.>"], "storage": "memory"})
    wire("STREAM.CREATE.M", {"name": "M", "mirror": {"name": "O", "external": ELSEWHERE}, "mirror_direct": True})
    [answer] = wire.ask("DIRECT.GET.O", {"seq": 1})
    assert answer.headers.startswith(b"NATS/1.0 503")


@pytest.mark.parametrize("version", ["2.14", "2.15"])
def test_a_consumer_that_is_shown_starts_where_it_was_told_to(version):
    wire = Wire.with_stream(version, retention="interest")
    wire("STREAM.CREATE.T", {"name": "T", "sources": [{"name": "S", "opt_start_seq": 9}], "storage": "memory"})
    [consumer] = wire("CONSUMER.LIST.S")["consumers"]
    assert (consumer["config"]["opt_start_seq"], consumer["delivered"]["stream_seq"]) == (9, 8)


@pytest.mark.pins("infos_tell_filters")
@per_version(("2.9", "2.9", None), ("2.10", "2.15", "o.a"))
def test_the_filter_of_a_mirror_in_infos(version, expected):
    wire = from_an_origin(version)
    wire("STREAM.CREATE.M", {"name": "M", "mirror": {"name": "O", "filter_subject": "o.a"}, "storage": "memory"})
    assert wire("STREAM.INFO.M")["mirror"].get("filter_subject") == expected
