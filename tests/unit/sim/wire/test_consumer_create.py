"""Requests that create or change consumers; the expectations were observed on nats-server 2.15.1."""

import pytest

from lattice_store.errors import NotSimulatedError
from lattice_store.limits import SECOND_NS
from tests.unit.sim.wire.consumers import NO_BODY_WANTED, NO_STREAM, put, refusal, with_consumers
from tests.unit.sim.wire.wire import Wire

MISMATCH = (400, 10056, "stream name in subject does not match request")
TOO_LOW_LEVEL = (412, 10185, "JetStream minimum api level required")
LEVEL_9 = b"NATS/1.0\r\nNats-Required-Api-Level: 9\r\n\r\n"
CREATE = "io.nats.jetstream.api.v1.consumer_create_response"


# -- create: what is answered ------------------------------------------------------------------------


def test_the_answer_shows_the_configuration_with_defaults_and_where_the_consumer_stands():
    wire = Wire.with_stream(tokens="ab")
    assert put(wire, "CREATE.S.c", {"durable_name": "c", "ack_policy": "explicit"}) == {
        "type": CREATE,
        "stream_name": "S",
        "name": "c",
        "created": "2023-11-14T22:13:20.004Z",
        "config": {
            "durable_name": "c",
            "name": "c",
            "deliver_policy": "all",
            "ack_policy": "explicit",
            "ack_wait": 30 * SECOND_NS,
            "max_deliver": -1,
            "replay_policy": "instant",
            "max_waiting": 512,
            "max_ack_pending": 1000,
            "num_replicas": 0,
            "metadata": {"_nats.req.level": "0", "_nats.ver": "2.15.1", "_nats.level": "5"},
        },
        "delivered": {"consumer_seq": 0, "stream_seq": 0},
        "ack_floor": {"consumer_seq": 0, "stream_seq": 0},
        "num_ack_pending": 0,
        "num_redelivered": 0,
        "num_waiting": 0,
        "num_pending": 2,
        "ts": "2023-11-14T22:13:20.004Z",
    }


def test_a_consumer_without_ack_policy_wants_no_acks_and_without_durable_name_does_not_stay():
    config = put(Wire.with_stream(), "CREATE.S.c")["config"]
    del config["metadata"]
    assert config == {
        "name": "c",
        "deliver_policy": "all",
        "ack_policy": "none",
        "max_deliver": -1,
        "replay_policy": "instant",
        "max_waiting": 512,
        "inactive_threshold": 5 * SECOND_NS,
        "num_replicas": 0,
    }


def test_a_push_consumer_says_whether_somebody_listens():
    wire = Wire.with_stream()
    config = {"deliver_subject": "to", "idle_heartbeat": SECOND_NS, "flow_control": True}
    answer = put(wire, "CREATE.S.c", config)
    assert "push_bound" not in answer
    assert "max_waiting" not in answer["config"]
    wire.api.core.subscribe("to", now_ns=wire.now_ns)
    assert wire("CONSUMER.INFO.S.c")["push_bound"] is True


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({"backoff": [1, 2], "ack_wait": 7, "max_deliver": 2}, {"backoff": [1, 2], "ack_wait": 1, "max_deliver": 2}),
        ({"max_deliver": -5}, {"max_deliver": -1}),
        ({"max_waiting": -1}, {"max_waiting": 512}),
        ({"max_ack_pending": -5}, {"max_ack_pending": -1}),
        ({"deliver_policy": "undefined"}, {"deliver_policy": "all"}),
        (
            {"deliver_policy": "by_start_time", "opt_start_time": "2024-01-01T00:00:00.50Z"},
            {"opt_start_time": "2024-01-01T00:00:00.5Z"},
        ),
        ({"filter_subjects": ["s.a"]}, {"filter_subjects": ["s.a"]}),
        ({"filter_subject": "elsewhere"}, {"filter_subject": "elsewhere"}),
        ({"mem_storage": True, "headers_only": True}, {"mem_storage": True, "headers_only": True}),
    ],
)
def test_settings_come_back_as_the_server_understands_them(given, shown):
    config = put(Wire.with_stream(), "CREATE.S.c", given)["config"]
    assert {name: config[name] for name in shown} == shown


def test_metadata_is_kept_but_for_the_servers_own_entries():
    given = {"k": "v", "_nats.ver": "1", "_nats.req.level": "7", "_nats.other": "x"}
    config = put(Wire.with_stream(), "CREATE.S.c", {"metadata": given})["config"]
    assert config["metadata"] == {
        "k": "v",
        "_nats.other": "x",
        "_nats.req.level": "0",
        "_nats.ver": "2.15.1",
        "_nats.level": "5",
    }


# -- create: forms of the request ----------------------------------------------------------------------


def test_the_name_in_the_subject_wins():
    answer = put(Wire.with_stream(), "CREATE.S.c", {"name": "other"})
    assert (answer["name"], answer["config"]["name"]) == ("c", "c")


def test_without_a_name_anywhere_the_consumer_gets_one_that_its_configuration_does_not_show():
    wire = Wire.with_stream()
    answers = [put(wire, "CREATE.S") for _ in range(3)]
    names = [answer["name"] for answer in answers]
    assert len(set(names)) == 3
    assert all(len(name) == 8 and name.isalnum() for name in names)
    assert all("name" not in answer["config"] for answer in answers)
    assert names == [put(wire, "CREATE.S")["name"] for wire in [Wire.with_stream()] for _ in range(3)]


def test_the_legacy_form_takes_the_name_from_the_body():
    assert put(Wire.with_stream(), "CREATE.S", {"name": "c"})["name"] == "c"


def test_the_legacy_durable_form_names_the_consumer_too():
    answer = put(Wire.with_stream(), "DURABLE.CREATE.S.c", {"durable_name": "c", "name": "other"})
    assert (answer["name"], answer["config"]["name"]) == ("c", "c")


@pytest.mark.parametrize(
    ("words", "config", "expected"),
    [
        ("CREATE.none.c", {}, MISMATCH),
        ("CREATE.S.a\\b", {}, (400, 10127, "Consumer name can not contain path separators")),
        ("CREATE.S", {"name": "a/b"}, (400, 10127, "Consumer name can not contain path separators")),
        ("CREATE.S", {"name": "a.b"}, (500, 10052, "consumer name can not contain '.', '*', '>', '\\', '/'")),
        (
            "CREATE.S.c",
            {"durable_name": "d"},
            (400, 10017, "consumer name in subject does not match durable name in request"),
        ),
        (
            "DURABLE.CREATE.S.c",
            {"durable_name": "d"},
            (400, 10017, "consumer name in subject does not match durable name in request"),
        ),
        (
            "DURABLE.CREATE.S.c",
            {},
            (400, 10018, "consumer expected to be durable but a durable name was not set"),
        ),
        (
            "CREATE.S",
            {"durable_name": "d"},
            (400, 10020, "consumer expected to be ephemeral but a durable name was set in request"),
        ),
        (
            "CREATE.S.c.s.a",
            {"filter_subjects": ["s.a"]},
            (400, 10137, "consumer with multiple subject filters cannot use subject based API"),
        ),
        (
            "CREATE.S.c.s.a",
            {"filter_subject": "s.b"},
            (400, 10131, "Consumer create request did not match filtered subject from create subject"),
        ),
        ("CREATE.S.c", {"num_replicas": 3}, (500, 10074, "replicas > 1 not supported in non-clustered mode")),
    ],
)
def test_a_request_that_contradicts_itself_is_refused(words, config, expected):
    assert refusal(Wire.with_stream(), words, config) == expected


def test_a_filter_in_the_subject_is_said_twice():
    assert put(Wire.with_stream(), "CREATE.S.c.s.*", {"filter_subject": "s.*"})["config"]["filter_subject"] == "s.*"


def test_a_stream_that_does_not_exist_is_found_out_after_the_form_and_before_the_settings():
    body = {"stream_name": "none", "config": {"ack_wait": -1}}
    assert Wire.with_stream().refusal("CONSUMER.CREATE.none.c", body) == NO_STREAM


@pytest.mark.parametrize(
    ("body", "err_code"),
    [
        (b"", 10056),
        (b"{}", 10056),
        (b"no", 10025),
        (b'{"stream_name": "S", "config": 1}', 10025),
        (b'{"stream_name": "S", "unheard_of": 1}', 10025),
        (b'{"stream_name": "S", "config": {"unheard_of": 1}}', 10025),
        (b'{"stream_name": "S", "action": "destroy"}', 10025),
        (b'{"stream_name": "S", "config": {"opt_start_seq": -1}}', 10025),
        (b'{"stream_name": "S", "config": {"opt_start_time": "soon"}}', 10025),
        (b'{"stream_name": "S", "config": {"ack_policy": null}}', 10025),
        (b'{"stream_name": "S", "config": {"ack_policy": "Explicit"}}', 10025),
    ],
)
def test_a_body_that_is_no_request_is_refused(body, err_code):
    assert Wire.with_stream().refusal("CONSUMER.CREATE.S.c", body)[1] == err_code


def test_a_required_api_level_is_looked_at_after_the_body():
    wire = with_consumers("c")
    assert wire.refusal("CONSUMER.CREATE.S.c", b"no", LEVEL_9)[1] == 10025
    assert wire.refusal("CONSUMER.CREATE.S.c", b"{}", LEVEL_9) == TOO_LOW_LEVEL
    assert wire.refusal("CONSUMER.INFO.S.c", b"no", LEVEL_9) == NO_BODY_WANTED
    assert wire.refusal("CONSUMER.INFO.S.c", b"", LEVEL_9) == TOO_LOW_LEVEL
    assert wire.refusal("CONSUMER.DELETE.S.c", b"no", LEVEL_9) == TOO_LOW_LEVEL


# -- create and update ---------------------------------------------------------------------------------


def test_a_creation_can_insist_on_a_new_or_an_equal_consumer():
    wire = with_consumers("c")
    same = {"durable_name": "c", "ack_policy": "explicit"}
    assert put(wire, "CREATE.S.c", same, action="create")["name"] == "c"
    assert refusal(wire, "CREATE.S.c", {**same, "description": "x"}, action="create") == (
        *(400, 10148),
        "consumer already exists",
    )


def test_an_equal_consumer_that_does_not_stay_must_say_for_how_long():
    """The server compares what was asked for with what it has made of it."""
    wire = Wire.with_stream()
    put(wire, "CREATE.S.c")
    assert refusal(wire, "CREATE.S.c", {}, action="create")[1] == 10148
    assert put(wire, "CREATE.S.c", {"inactive_threshold": 5 * SECOND_NS}, action="create")["name"] == "c"


def test_an_update_can_insist_on_an_existing_consumer():
    assert refusal(Wire.with_stream(), "CREATE.S.c", {}, action="update") == (400, 10149, "consumer does not exist")


def test_what_an_update_leaves_out_goes_back_to_its_default():
    wire = Wire.with_stream()
    put(wire, "CREATE.S.c", {"durable_name": "c", "max_batch": 5, "description": "some", "headers_only": True})
    config = put(wire, "CREATE.S.c", {"durable_name": "c"})["config"]
    assert {"max_batch", "description", "headers_only"}.isdisjoint(config)


def test_a_change_of_filter_counts_anew_what_is_pending_and_keeps_the_position():
    wire = Wire.with_stream(tokens="aab")
    put(wire, "CREATE.S.c", {"durable_name": "c"})
    wire.ask("CONSUMER.MSG.NEXT.S.c", b"1")
    answer = put(wire, "CREATE.S.c", {"durable_name": "c", "filter_subject": "s.a"})
    assert (answer["num_pending"], answer["delivered"]["stream_seq"]) == (1, 1)


# -- what is not simulated --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ({"direct": True, "deliver_subject": "to"}, "'direct'"),
        ({"sourcing": True}, "'sourcing'"),
    ],
)
def test_a_setting_that_is_not_simulated_says_so(config, named):
    with pytest.raises(NotSimulatedError, match=named):
        put(Wire.with_stream(), "CREATE.S.c", config)


@pytest.mark.parametrize(
    ("settings", "expected"), [({}, (500, 10012, "error creating store for consumer")), ({"mem_storage": True}, None)]
)
def test_a_name_that_no_file_may_have(settings, expected):
    wire = Wire.with_stream(storage="file")
    config = {"name": "n" * 256, "ack_policy": "explicit", **settings}
    answer = wire(f"CONSUMER.CREATE.S.{config['name']}", {"stream_name": "S", "config": config})
    error = answer.get("error")
    assert (error and (error["code"], error["err_code"], error["description"])) == expected
