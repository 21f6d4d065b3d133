"""Message schedules; each expectation was observed on a server, but for times that only a calendar can show."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.unit.sim.versions import per_version
from tests.unit.sim.wire.batches import SECOND, advance, block, refused, staged, stored
from tests.unit.sim.wire.wire import Wire

DISABLED, PATTERN, TARGET, TTL, ROLLUP = 10188, 10189, 10190, 10191, 10192
NO_TTLS, SOURCE, SCHEDULER, TIME_ZONE = 10166, 10203, 10212, 10223
LATER = "@at 2190-01-01T00:00:00Z"


def with_schedules(version: str = "2.15", **config: object) -> Wire:
    """Return a server at 22:13:20 of a November day in 2023."""
    return Wire.with_stream(version, allow_msg_schedules=True, **{"allow_msg_ttl": True, **config})


def publish(wire: Wire, token: str = "s", payload: bytes = b"x", **headers: object) -> dict[str, Any]:
    [answer] = wire.send(f"s.{token}", payload, block(**headers))
    decoded: dict[str, Any] = json.loads(answer.payload)
    return decoded


def schedule(wire: Wire, pattern: str, token: str = "s", **headers: object) -> int | None:
    """Set a schedule for "s.t"; return the code of its refusal, None if it is stored."""
    answer = publish(wire, token, schedule=pattern, **{"schedule_target": "s.t", **headers})
    return refused(answer) if "error" in answer else None


def times(wire: Wire) -> list[str]:
    """Return when messages were stored, in UTC."""
    messages = wire.api.core.streams["S"].log.messages.values()
    moments = [datetime.fromtimestamp(one.time_ns / SECOND, UTC) for one in messages]
    return [moment.isoformat(timespec="milliseconds")[11:23] for moment in moments]


def after(wire: Wire, seconds: float) -> str:
    """Return a time that many seconds from now as a schedule says it."""
    moment = datetime.fromtimestamp(wire.now_ns / SECOND + seconds, UTC)
    return f"@at {moment.isoformat(timespec='milliseconds')[:23]}Z"


# -- what is taken ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "err_code"),
    [
        ({}, None),
        ({"schedule_target": "s.s"}, TARGET),
        ({"schedule_target": ""}, TARGET),
        ({"schedule_target": "s.*"}, TARGET),
        ({"schedule_target": "x"}, TARGET),
        ({"schedule_source": "s.c"}, None),
        ({"schedule_source": "s.s"}, SOURCE),
        ({"schedule_source": "s.t"}, SOURCE),
        ({"schedule_source": "s.>"}, SOURCE),
        ({"schedule_source": "x"}, SOURCE),
        ({"schedule_ttl": "1h"}, None),
        ({"schedule_ttl": "soon"}, TTL),
        ({"schedule_rollup": "sub"}, None),
        ({"schedule_rollup": "all"}, ROLLUP),
        ({"rollup": "SUB"}, None),
        ({"rollup": "all"}, ROLLUP),
        ({"schedule_time_zone": "Europe/Berlin"}, PATTERN),
        ({"schedule_time_zone": "Europe/Nowhere"}, TIME_ZONE),
        ({"schedule_time_zone": ""}, TIME_ZONE),
        ({"schedule_next": "purge", "scheduler": "s.s"}, SCHEDULER),
    ],
)
def test_what_a_schedule_may_wish_for(headers, err_code):
    assert schedule(with_schedules(), LATER, **headers) == err_code


@pytest.mark.parametrize(
    ("pattern", "err_code"),
    [
        ("@at 2190-01-01T00:00:00.5+05:30", None),
        ("@at 2190-01-01T0:00:00,5Z", None),
        ("@at 2020-01-01T00:00:00Z", None),
        ("@at 2190-02-29T00:00:00Z", PATTERN),
        ("@at 2190-01-01T24:00:00Z", PATTERN),
        ("@at 2190-01-01 00:00:00Z", PATTERN),
        ("@at 2190-01-01T00:00:00", PATTERN),
        ("@every 1s", None),
        ("@every 1h1.5s", None),
        ("@every 999ms", PATTERN),
        ("@every x", PATTERN),
        ("@daily", None),
        ("@midnight", None),
        ("@reboot", PATTERN),
        ("0 0 0 1 jan ?", None),
        ("0 0 0 1 1", PATTERN),
        ("0 0 0 30 2 *", PATTERN),
        ("soon", PATTERN),
    ],
)
def test_what_a_pattern_may_be(pattern, err_code):
    assert schedule(with_schedules(), pattern) == err_code


def test_a_ttl_of_what_is_scheduled_needs_leave():
    assert schedule(with_schedules(allow_msg_ttl=False), LATER, schedule_ttl="1h") == NO_TTLS


@pytest.mark.parametrize("headers", [{"schedule": LATER}, {"schedule": "x"}, {"schedule_time_zone": "x"}])
def test_nothing_of_it_is_taken_without_leave(headers):
    assert refused(publish(Wire.with_stream(), **headers)) == DISABLED


def test_a_time_zone_alone_is_looked_at_too():
    assert refused(publish(with_schedules(), schedule_time_zone="x")) == TIME_ZONE
    assert publish(with_schedules(), schedule_time_zone="UTC")["seq"] == 1


def test_a_schedule_replaces_the_one_before():
    wire = with_schedules()
    schedule(wire, LATER)
    schedule(wire, "@hourly")
    expected = block(schedule="@hourly", schedule_target="s.t", rollup="sub")
    assert stored(wire) == [("s.s", expected, b"x")]


# -- what comes of it -------------------------------------------------------------------------------


def test_a_message_is_published_at_its_time_and_its_schedule_goes():
    wire = with_schedules()
    schedule(wire, after(wire, 2.5), schedule_ttl="1h", msg_id="x", ttl="2h", k="v")
    advance(wire, 2.49)
    assert len(stored(wire)) == 1
    advance(wire, 0.02)
    expected = block(k="v", scheduler="s.s", schedule_next="purge", ttl="1h")
    assert stored(wire) == [("s.t", expected, b"x")]
    assert times(wire) == ["22:13:22.501"]
    assert wire.api.core.streams["S"].log.last_sequence == 2


def test_a_time_that_has_passed_comes_a_quarter_of_a_second_later():
    wire = with_schedules()
    schedule(wire, "@at 2020-01-01T00:00:00Z")
    set_ns = wire.now_ns
    assert wire.api.core.next_deadline_ns == set_ns + SECOND // 4
    advance(wire, 1)
    assert [subject for subject, _, _ in stored(wire)] == ["s.t"]


def test_what_is_due_together_comes_in_the_order_of_the_schedules():
    wire = with_schedules()
    for token, seconds in (("x", 0.3), ("y", 0.1), ("z", 0.2)):
        schedule(wire, after(wire, seconds), token, schedule_target=f"s.to-{token}")
    advance(wire, 1)
    assert [subject for subject, _, _ in stored(wire)] == ["s.to-y", "s.to-z", "s.to-x"]
    assert times(wire) == ["22:13:20.253", "22:13:20.253", "22:13:20.503"]


def test_an_interval_is_counted_from_the_full_second():
    wire = with_schedules()
    schedule(wire, "@every 90s", schedule_rollup="sub")
    advance(wire, 90)
    expected = block(scheduler="s.s", schedule_next="2023-11-14T22:16:20Z", rollup="sub")
    assert stored(wire)[1:] == [("s.t", expected, b"x")]
    advance(wire, 90)
    assert times(wire) == ["22:13:20.002", "22:16:20.000"]


def test_an_interval_may_end_within_a_second():
    wire = with_schedules()
    schedule(wire, "@every 1250ms")
    advance(wire, 2.5)
    assert times(wire)[1:] == ["22:13:21.250", "22:13:22.250"]


def test_a_pattern_is_about_the_time_of_its_zone():
    wire = with_schedules()
    schedule(wire, "30 13 23 * * *", schedule_time_zone="Europe/Berlin")
    advance(wire, 10)
    expected = block(scheduler="s.s", schedule_next="2023-11-15T23:13:30+01:00")
    assert stored(wire)[1:] == [("s.t", expected, b"x")]


def test_what_was_missed_comes_once():
    wire = with_schedules(storage="file")
    schedule(wire, "*/10 * * * * *")
    wire.now_ns += 25 * SECOND
    wire.restart()
    advance(wire, 0.25)
    expected = block(scheduler="s.s", schedule_next="2023-11-14T22:13:50Z")
    assert stored(wire)[1:] == [("s.t", expected, b"x")]
    advance(wire, 5)
    assert times(wire)[1:] == ["22:13:45.252", "22:13:50.000"]


def test_the_last_message_of_another_subject_may_be_published():
    wire = with_schedules()
    schedule(wire, "@every 1s", schedule_source="s.c", schedule_rollup="sub")
    advance(wire, 1)
    assert stored(wire)[1] == ("s.t", block(scheduler="s.s", schedule_next="2023-11-14T22:13:22Z", rollup="sub"), b"x")
    publish(wire, "c", b"new", k="v", msg_id="y")
    advance(wire, 1)
    _, headers, payload = stored(wire)[-1]
    assert payload == b"new"
    assert headers == block(k="v", scheduler="s.s", schedule_next="2023-11-14T22:13:23Z", rollup="sub")


@pytest.mark.parametrize("ending", ["plain", "purge", "delete", "end", "other schedule"])
def test_what_ends_a_schedule(ending):
    wire = with_schedules()
    schedule(wire, after(wire, 1))
    match ending:
        case "plain":
            publish(wire, "s")
        case "purge":
            wire("STREAM.PURGE.S", {"filter": "s.s"})
        case "delete":
            wire("STREAM.MSG.DELETE.S", {"seq": 1})
        case "end":
            publish(wire, "b", schedule_next="purge", scheduler="s.s")
        case "other schedule":
            schedule(wire, LATER)
    advance(wire, 2)
    assert "s.t" not in [subject for subject, _, _ in stored(wire)]


def test_a_client_ends_only_schedules():
    wire = with_schedules()
    schedule(wire, LATER)
    publish(wire, "other")
    assert refused(publish(wire, "b", schedule_next="purge", scheduler="s.other")) == SCHEDULER
    assert refused(publish(wire, "s", schedule_next="purge", scheduler="s.s")) == SCHEDULER
    assert refused(publish(wire, "b", schedule_next="2190-01-01T00:00:00Z", scheduler="s.s")) == SCHEDULER
    assert refused(publish(wire, "b", scheduler="s.s")) == SCHEDULER
    assert publish(wire, "b", schedule_next="purge", scheduler="s.none")["seq"] == 3
    assert publish(wire, "b", schedule_next="purge", scheduler="s.s")["seq"] == 4
    assert [subject for subject, _, _ in stored(wire)] == ["s.other", "s.b", "s.b"]


def test_what_is_too_large_by_then_is_not_tried_again():
    wire = with_schedules(max_msg_size=130)
    publish(wire, "c", b"x" * 120)
    assert schedule(wire, "@every 1s", schedule_source="s.c") is None
    advance(wire, 10)
    publish(wire, "c", b"y")
    advance(wire, 10)
    assert len(stored(wire)) == 3
    assert schedule(wire, "@every 1s", schedule_source="s.c") is None
    advance(wire, 1.5)
    assert [subject for subject, _, _ in stored(wire)] == ["s.c", "s.c", "s.s", "s.t"]


def test_schedules_that_an_update_brings_leave_for_are_found():
    wire = Wire.with_stream("2.15")
    stream = wire.api.core.streams["S"]
    wire("STREAM.UPDATE.S", {"name": "S", "subjects": ["s.>"], "storage": "memory", "allow_msg_schedules": True})
    schedule(wire, after(wire, 1))
    assert stream.schedules is not None
    refusal = wire.refusal("STREAM.UPDATE.S", {"name": "S", "subjects": ["s.>"], "storage": "memory"})
    assert refusal == (500, 10052, "message schedules can not be disabled")
    advance(wire, 2)
    assert [subject for subject, _, _ in stored(wire)] == ["s.t"]


@pytest.mark.parametrize("version", ["2.12", "2.14", "2.15"])
def test_what_is_due_does_not_wait_after_an_update(version):
    wire = with_schedules(version)
    config = wire("STREAM.INFO.S")["config"]
    schedule(wire, "@at 2020-01-01T00:00:00Z")
    state = wire("STREAM.UPDATE.S", config)["state"]
    assert (state["messages"], state["last_seq"]) == (1, 2)
    assert [subject for subject, _, _ in stored(wire)] == ["s.t"]


def test_a_batch_may_set_schedules():
    wire = with_schedules(allow_atomic=True)
    staged(wire, 1, token="s", schedule=LATER, schedule_target="s.t")
    assert staged(wire, 2, 1, token="u", schedule=after(wire, 1), schedule_target="s.t")["count"] == 2
    advance(wire, 2)
    assert [subject for subject, _, _ in stored(wire)] == ["s.s", "s.t"]


def test_a_copy_of_the_server_goes_on_by_itself():
    wire = with_schedules()
    schedule(wire, after(wire, 1))
    fork = Wire(type(wire.api)(wire.api.core.copy()), wire.now_ns)
    advance(fork, 2)
    assert [subject for subject, _, _ in stored(fork)] == ["s.t"]
    assert [subject for subject, _, _ in stored(wire)] == ["s.s"]
    advance(wire, 2)
    assert stored(fork) == stored(wire)


# -- versions ---------------------------------------------------------------------------------------


@pytest.mark.pins("schedules_repeat")
@pytest.mark.parametrize("pattern", ["@every 1h", "@daily", "0 0 0 1 1 *"])
@per_version(("2.12", "2.12", PATTERN), ("2.14", "2.15", None))
def test_schedules_repeat_from_2_14_on(version, expected, pattern):
    assert schedule(with_schedules(version), pattern) == expected


@pytest.mark.pins("schedules_repeat")
@per_version(("2.12", "2.12", None), ("2.14", "2.15", SOURCE))
def test_schedules_have_sources_from_2_14_on(version, expected):
    assert schedule(with_schedules(version), LATER, schedule_source="x") == expected


@pytest.mark.pins("schedulers_checked")
@per_version(("2.12", "2.12", None), ("2.14", "2.15", SCHEDULER))
def test_anything_can_be_ended_as_a_schedule_up_to_2_12(version, expected):
    wire = with_schedules(version)
    for token in "xy":
        publish(wire, token)
    answer = publish(wire, "b", schedule_next="purge", scheduler="s.*")
    assert answer.get("error", {}).get("err_code") == expected
    assert len(stored(wire)) == (2 if expected else 0)


def test_a_schedule_that_names_a_scheduler_does_not_end_in_2_12():
    """Its message names that one first; later versions refuse it."""
    wire = with_schedules("2.12")
    schedule(wire, after(wire, 1), scheduler="s.x")
    advance(wire, 3)
    assert [subject for subject, _, _ in stored(wire)] == ["s.s", "s.t"]
    assert stored(wire)[1][1].split(b"\r\n")[1:4] == [
        *(b"Nats-Scheduler: s.x", b"Nats-Scheduler: s.s", b"Nats-Schedule-Next: purge")
    ]
    assert schedule(with_schedules(), LATER, scheduler="s.x") == SCHEDULER


@pytest.mark.pins("rollups_end_schedules")
@per_version(("2.12", "2.12", ["s.s", "s.b"]), ("2.14", "2.15", ["s.b"]))
def test_a_rollup_ends_no_schedule_up_to_2_12(version, expected):
    wire = with_schedules(version)
    schedule(wire, LATER)
    publish(wire, "b")
    assert publish(wire, "b", schedule_next="purge", scheduler="s.s", rollup="sub")["seq"] == 3
    assert [subject for subject, _, _ in stored(wire)] == expected


@pytest.mark.pins("staged_messages_rewritten")
@per_version(("2.12", "2.12", 2), ("2.14", "2.15", 1))
def test_a_schedule_in_a_batch_does_not_replace_the_one_before_up_to_2_12(version, expected):
    wire = with_schedules(version, allow_atomic=True)
    schedule(wire, LATER)
    assert staged(wire, 1, 1, token="s", schedule=LATER, schedule_target="s.t")["count"] == 1
    assert len(stored(wire)) == expected


@pytest.mark.pins("own_messages_checked")
def test_what_a_schedule_makes_is_looked_at_as_a_clients_message_is_up_to_2_12():
    """A counter's message comes with a sum, which a client's must not; later versions have no schedules for counters."""
    wire = with_schedules("2.12", allow_msg_ttl=False, allow_msg_counter=True)
    assert publish(wire, payload=b"", schedule=after(wire, 1), schedule_target="s.t", incr=1)["val"] == "1"
    advance(wire, 2)
    assert [subject for subject, _, _ in stored(wire)] == ["s.s"]
