"""What each version makes of a consumer's configuration; each expectation was observed on that version."""

from typing import Any

import pytest

from lattice_store.errors import NotSimulatedError
from lattice_store.limits import SECOND_NS
from tests.unit.sim.wire.consumers import put, refusal
from tests.unit.sim.wire.wire import Wire

VERSIONS = ("2.9", "2.10", "2.11", "2.12", "2.14", "2.15")
OK = "ok"
LEVEL_9 = b"NATS/1.0\r\nNats-Required-Api-Level: 9\r\n\r\n"


def since(first: str) -> tuple[str, ...]:
    return VERSIONS[VERSIONS.index(first) :]


def outcome(wire: Wire, words: str, config: Any = None, **options: Any) -> int | str:
    """Return the err_code of the answer to a creation, or that it is none."""
    answer = put(wire, words, config, **options)
    return answer["error"]["err_code"] if "error" in answer else OK


def outcomes(words: str, config: Any, **options: Any) -> dict[str, int | str]:
    """Return what each version answers to one creation."""
    return {version: outcome(Wire.with_stream(version), words, config, **options) for version in VERSIONS}


def changing(first: str, before: int | str, after: int | str) -> dict[str, int | str]:
    """Return what is expected of each version where *first* is the first to do otherwise."""
    return {version: after if version in since(first) else before for version in VERSIONS}


# -- what later versions know -----------------------------------------------------------------------


@pytest.mark.pins("later_fields")
def test_a_setting_that_came_later_is_unknown_before():
    assert outcomes("CREATE.S.c", {"filter_subjects": ["s.a", "s.*"]}) == changing("2.10", OK, 10138)
    assert outcomes("CREATE.S.c", {"metadata": {"k": "x" * 131073}}) == changing("2.10", OK, 10135)
    assert outcomes("CREATE.S.c", {"pause_until": "soon"}) == changing("2.11", OK, 10025)
    assert outcomes("CREATE.S.c", {"priority_policy": "overflow"}) == changing("2.11", OK, 10159)


@pytest.mark.pins("unknown_fields_refused")
def test_an_unknown_setting_is_refused_from_2_12_on():
    assert outcomes("CREATE.S.c", {"unheard_of": 1}) == changing("2.12", OK, 10025)


@pytest.mark.pins("unknown_consumer_policies")
def test_a_policy_that_came_later_is_no_json_before():
    assert outcomes("CREATE.S.c", {"ack_policy": "flow_control"}) == changing("2.14", 10025, 10218)
    prioritized = outcomes("CREATE.S.c", {"priority_policy": "prioritized"})
    assert prioritized == {**changing("2.12", OK, 10159), "2.11": 10025}


@pytest.mark.pins("later_fields")
def test_a_creation_insists_on_nothing_in_2_9():
    for version in VERSIONS:
        wire = Wire.with_stream(version)
        refused = version != "2.9"
        assert outcome(wire, "CREATE.S.c", {"durable_name": "c"}, action="update") == (10149 if refused else OK)
        put(wire, "CREATE.S.c", {"durable_name": "c"})
        changed = {"durable_name": "c", "description": "x"}
        assert outcome(wire, "CREATE.S.c", changed, action="create") == (10148 if refused else OK)


@pytest.mark.pins("later_fields")
def test_pedantic_requests_came_with_2_11():
    config = {"backoff": [1, 2], "ack_wait": 2, "max_deliver": 3}
    assert outcomes("CREATE.S.c", config, pedantic=True) == changing("2.11", OK, 10157)
    assert outcomes("CREATE.S.c", {"max_deliver": -5}, pedantic=True) == changing("2.12", OK, 10157)


@pytest.mark.pins("api_level")
def test_metadata_has_the_servers_entries_from_2_11_on():
    given = {"metadata": {"k": "v", "_nats.ver": "1"}}
    shown = {
        version: put(Wire.with_stream(version), "CREATE.S.c", given)["config"].get("metadata") for version in VERSIONS
    }
    assert shown == {
        "2.9": None,
        "2.10": {"k": "v", "_nats.ver": "1"},
        "2.11": {"k": "v", "_nats.req.level": "0", "_nats.ver": "2.11.11", "_nats.level": "1"},
        "2.12": {"k": "v", "_nats.req.level": "0", "_nats.ver": "2.12.8", "_nats.level": "3"},
        "2.14": {"k": "v", "_nats.req.level": "0", "_nats.ver": "2.14.6", "_nats.level": "4"},
        "2.15": {"k": "v", "_nats.req.level": "0", "_nats.ver": "2.15.1", "_nats.level": "5"},
    }


@pytest.mark.pins("consumer_pauses")
def test_a_consumer_can_be_paused_from_2_11_on():
    for version in VERSIONS:
        wire = Wire.with_stream(version)
        put(wire, "CREATE.S.c", {"durable_name": "c"})
        assert bool(wire.ask("CONSUMER.PAUSE.S.c")) == (version in since("2.11")), version


@pytest.mark.pins("consumer_resets")
def test_a_consumer_can_be_reset_from_2_14_on():
    for version in VERSIONS:
        wire = Wire.with_stream(version)
        put(wire, "CREATE.S.c", {"durable_name": "c"})
        assert bool(wire.ask("CONSUMER.RESET.S.c")) == (version in since("2.14")), version


@pytest.mark.pins("info_origin")
def test_info_says_when_it_was_gathered_from_2_10_on():
    for version in VERSIONS:
        assert ("ts" in put(Wire.with_stream(version), "CREATE.S.c")) == (version != "2.9"), version


@pytest.mark.pins("api_level_checked")
def test_a_required_api_level_counts_from_2_12_on():
    for version in VERSIONS:
        wire = Wire.with_stream(version)
        put(wire, "CREATE.S.c", {"durable_name": "c"})
        assert ("error" in wire("CONSUMER.INFO.S.c", b"", LEVEL_9)) == (version in since("2.12")), version


@pytest.mark.pins("negative_offsets_raised")
@pytest.mark.parametrize("words", ["STREAM.NAMES", "STREAM.LIST", "CONSUMER.NAMES.S", "CONSUMER.LIST.S"])
def test_a_list_from_a_negative_offset_ends_a_server_before_2_12(words):
    for version in VERSIONS:
        wire = Wire.with_stream(version)
        if version in since("2.12"):
            assert wire(words, {"offset": -1})["offset"] == 0
        else:
            with pytest.raises(NotSimulatedError, match=f"ends nats-server {version}"):
                wire(words, {"offset": -1})


# -- names and filters ------------------------------------------------------------------------------


@pytest.mark.pins("short_filter_in_subject")
def test_a_single_token_behind_the_name_is_no_filter_in_2_9():
    assert outcomes("CREATE.S.c.x", {}) == changing("2.10", OK, 10131)
    assert set(outcomes("CREATE.S.c.s.a", {}).values()) == {10131}


@pytest.mark.pins("consumer_names_first")
def test_an_illegal_name_is_refused_first_from_2_12_on_and_last_before():
    assert outcomes("CREATE.S", {"name": "a.b"}) == changing("2.12", 10103, 10052)
    assert outcomes("CREATE.S", {"name": "a.b", "idle_heartbeat": SECOND_NS}) == changing("2.12", 10088, 10052)


@pytest.mark.pins("legacy_names_checked")
def test_a_name_in_the_body_is_looked_at_like_one_in_the_subject_from_2_14_on():
    """Before 2.12 the server took a slash, and on file then could not store the consumer."""
    assert outcomes("CREATE.S", {"name": "a/b"}) == {**changing("2.14", OK, 10127), "2.12": 10052}


@pytest.mark.pins("legacy_durables_named")
def test_the_legacy_durable_form_sets_the_name_from_2_12_on():
    for version in VERSIONS:
        config = put(Wire.with_stream(version), "DURABLE.CREATE.S.c", {"durable_name": "c"})["config"]
        assert ("name" in config) == (version in since("2.12")), version
    contradicting = {"durable_name": "c", "name": "other"}
    assert outcomes("DURABLE.CREATE.S.c", contradicting) == changing("2.12", 10132, OK)


@pytest.mark.pins("filters_outside_accepted")
def test_a_filter_may_lie_outside_the_stream_from_2_10_on():
    assert outcomes("CREATE.S.c", {"filter_subject": "elsewhere"}) == changing("2.10", 10093, OK)
    assert outcomes("CREATE.S.c", {"filter_subject": "s..a"}) == changing("2.10", 10093, 10052)
    assert set(outcomes("CREATE.S.c", {"filter_subject": ">"}).values()) == {OK}


@pytest.mark.pins("crossing_filters_accepted")
def test_filters_may_cross_from_2_12_on():
    crossing = outcomes("CREATE.S.c", {"filter_subjects": ["s.a.*", "s.*.b"]})
    assert crossing == {**changing("2.12", 10138, OK), "2.9": OK}


# -- numbers ----------------------------------------------------------------------------------------


@pytest.mark.pins("low_consumer_numbers_raised")
def test_negative_numbers_are_none_from_2_12_on():
    assert outcomes("CREATE.S.c", {"max_waiting": -1}) == changing("2.12", 10087, OK)
    assert outcomes("CREATE.S.c", {"max_batch": -1}) == changing("2.12", 10114, OK)
    assert outcomes("CREATE.S.c", {"max_expires": -1}) == changing("2.12", 10115, OK)
    for version in VERSIONS:
        config = put(Wire.with_stream(version), "CREATE.S.c", {"max_deliver": -5, "max_bytes": -1})["config"]
        shown = config["max_deliver"], config.get("max_bytes")
        assert shown == ((-1, None) if version in since("2.12") else (-5, -1)), version


@pytest.mark.pins("negative_waits_refused")
def test_negative_waits_are_refused_from_2_12_on():
    assert outcomes("CREATE.S.c", {"ack_wait": -1}) == changing("2.12", OK, 10183)
    assert outcomes("CREATE.S.c", {"backoff": [-1], "max_deliver": 3}) == changing("2.12", OK, 10184)


@pytest.mark.pins("backoff_needs_more_deliveries")
def test_backoff_steps_may_be_as_many_as_deliveries_from_2_10_on():
    assert outcomes("CREATE.S.c", {"backoff": [1, 2], "max_deliver": 2}) == changing("2.10", 10116, OK)
    assert outcomes("CREATE.S.c", {"backoff": [1, 2]}) == changing("2.10", 10116, OK)


@pytest.mark.pins("priority_needs_policy")
def test_a_priority_timeout_needs_a_policy_from_2_12_on():
    assert outcomes("CREATE.S.c", {"priority_timeout": 1}) == changing("2.12", OK, 10197)


# -- updates ----------------------------------------------------------------------------------------


def updated(version: str, old: dict[str, Any], new: dict[str, Any]) -> int | str:
    wire = Wire.with_stream(version)
    put(wire, "CREATE.S.c", {"durable_name": "c", **old})
    answer = put(wire, "CREATE.S.c", {"durable_name": "c", **new})
    return answer["error"]["description"] if "error" in answer else OK


@pytest.mark.pins("changeable_in_consumers")
def test_the_storage_of_a_consumer_is_fixed_from_2_14_on():
    fixed = "storage type can not be updated"
    got = {version: updated(version, {}, {"mem_storage": True}) for version in VERSIONS}
    assert got == changing("2.14", OK, fixed)


@pytest.mark.pins("start_time_bars_updates")
def test_a_consumer_with_a_start_time_can_be_updated_from_2_10_on():
    old = {"deliver_policy": "by_start_time", "opt_start_time": "2020-01-01T00:00:00Z"}
    got = {version: updated(version, old, {**old, "description": "x"}) for version in VERSIONS}
    assert got == changing("2.10", "start time can not be updated", OK)
    assert {updated(version, {}, {"description": "x"}) for version in VERSIONS} == {OK}


@pytest.mark.pins("max_waiting_compared_first")
def test_2_9_compares_the_waiting_requests_before_the_deliver_subject():
    got = {version: updated(version, {}, {"deliver_subject": "to"}) for version in VERSIONS}
    assert got == changing("2.10", "max waiting can not be updated", "can not update pull consumer to push based")


@pytest.mark.pins("updates_recount")
def test_every_update_counts_anew_what_is_pending_up_to_2_11():
    """Of the last message per subject each publish counts as one more, until it is counted anew; 2.9 always counts."""
    counted = {}
    for version in VERSIONS:
        wire = Wire.with_stream(version)
        config = {"durable_name": "c", "deliver_policy": "last_per_subject", "filter_subject": "s.>"}
        put(wire, "CREATE.S.c", config)
        for _ in range(3):
            wire.publish("a")
        counted[version] = put(wire, "CREATE.S.c", config)["num_pending"]
    assert counted == changing("2.12", 1, 3)


# -- streams that are particular -----------------------------------------------------------------------


def of_workqueue(version: str, *configs: dict[str, Any]) -> tuple[int, int, str] | None:
    """Return how the last of several consumers of a work queue is refused."""
    wire = Wire.with_stream(version, retention="workqueue")
    *first, (name, config) = [(config.get("durable_name", "c"), config) for config in configs]
    for other, settings in first:
        put(wire, f"CREATE.S.{other}", settings)
    answer = put(wire, f"CREATE.S.{name}", config)
    return answer["error"]["err_code"] if "error" in answer else None


@pytest.mark.pins("workqueue_pull_refusal")
def test_a_work_queue_refuses_a_pull_without_acks_in_other_words_up_to_2_10():
    old = (400, 10084, "consumer in pull mode requires ack policy")
    new = (400, 10084, "consumer in pull mode requires explicit ack policy on workqueue stream")
    for version in VERSIONS:
        said = refusal(Wire.with_stream(version, retention="workqueue"), "CREATE.S.c")
        assert said == (new if version in since("2.11") else old), version


@pytest.mark.pins("workqueue_start_first")
def test_a_work_queue_looks_at_the_start_before_the_filters_from_2_14_on():
    explicit = {"ack_policy": "explicit"}
    got = {
        v: of_workqueue(v, {**explicit, "durable_name": "a"}, {**explicit, "deliver_policy": "new"}) for v in VERSIONS
    }
    assert got == changing("2.14", 10099, 10101)


@pytest.mark.pins("workqueue_filters_may_cross")
def test_filters_of_a_work_queue_may_cross_in_2_9():
    explicit = {"ack_policy": "explicit"}
    a, b = {"durable_name": "a", "filter_subject": "s.a.*"}, {"durable_name": "b", "filter_subject": "s.*.b"}
    got = {version: of_workqueue(version, {**explicit, **a}, {**explicit, **b}) for version in VERSIONS}
    assert got == {**dict.fromkeys(VERSIONS, 10100), "2.9": None}


@pytest.mark.pins("workqueue_updates_checked")
def test_an_update_keeps_the_filters_of_a_work_queue_apart_from_2_10_on():
    a, b = ({"ack_policy": "explicit", "durable_name": name, "filter_subject": f"s.{name}"} for name in "ab")
    got = {version: of_workqueue(version, a, b, {**b, "filter_subject": "s.*"}) for version in VERSIONS}
    assert got == {**dict.fromkeys(VERSIONS, 10100), "2.9": None}


@pytest.mark.pins("lifted_consumer_limits_ignored")
def test_lifting_a_limit_bothers_no_consumer_from_2_14_on():
    for version in since("2.10"):
        wire = Wire.with_stream(version, consumer_limits={"max_ack_pending": 10})
        put(wire, "CREATE.S.c", {"durable_name": "c", "ack_policy": "explicit"})
        answer = wire("STREAM.UPDATE.S", {"name": "S", "subjects": ["s.>"], "storage": "memory", "allow_direct": True})
        said = answer["error"]["description"] if "error" in answer else OK
        assert said == (OK if version in since("2.14") else "change to limits violates consumers: c"), version
