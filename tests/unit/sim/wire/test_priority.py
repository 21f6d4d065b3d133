"""Priority groups; each expectation was observed on every server that the test names."""

from typing import Any

import pytest

from tests.unit.sim.versions import VERSIONS, per_version
from tests.unit.sim.wire.consumers import put
from tests.unit.sim.wire.wire import Wire

LONG = 30_000_000_000
SECOND = 1_000_000_000
WITH_GROUPS = VERSIONS[2:]
MISMATCH, WRONG = "423 Nats-Pin-Id mismatch", "423 Nats-Wrong-Pin-Id"


def with_groups(version: str, tokens: str = "", policy: str = "pinned_client", **config: Any) -> Wire:
    wire = Wire.with_stream(version, tokens)
    groups = {"priority_policy": policy, "priority_groups": ["g", "h"]}
    put(wire, "DURABLE.CREATE.S.C", {"durable_name": "C", "ack_policy": "explicit", **groups, **config})
    return wire


def pull(wire: Wire, **asked: Any) -> list[Any]:
    return wire.ask("CONSUMER.MSG.NEXT.S.C", {"group": "g", **asked})


def delivered(wire: Wire, **asked: Any) -> list[int]:
    """Return the sequences of what a pull gets at once, and whoever waits."""
    return [int(answer.reply.split(".")[5]) for answer in pull(wire, **asked) if answer.reply]


def statuses(wire: Wire, **asked: Any) -> list[str]:
    return wire.statuses("CONSUMER.MSG.NEXT.S.C", {"group": "g", **asked})


def pin_of(answers: list[Any]) -> str:
    return answers[0].headers.partition(b"Nats-Pin-Id: ")[2].partition(b"\r")[0].decode()


def state(wire: Wire) -> dict[str, Any]:
    [group] = wire("CONSUMER.INFO.S.C")["priority_groups"]
    return group


@pytest.mark.parametrize("version", WITH_GROUPS)
def test_a_consumer_tells_of_its_first_group(version):
    wire = with_groups(version, policy="overflow")
    assert state(wire) == {"group": "g", "pinned_ts": "0001-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("version", "policy"), [*((version, "odd") for version in WITH_GROUPS), ("2.11", "prioritized")]
)
def test_a_policy_that_is_none(version, policy):
    config = {"durable_name": "C", "priority_policy": policy, "priority_groups": ["g"]}
    body = {"stream_name": "S", "config": config}
    said = f'invalid JSON: unknown priority policy: "{policy}"'
    assert Wire.with_stream(version, "").refusal("CONSUMER.CREATE.S.C", body) == (400, 10025, said)


@pytest.mark.parametrize("version", VERSIONS[:2])
def test_older_versions_know_no_groups(version):
    wire = with_groups(version, "a")
    assert "priority_groups" not in wire("CONSUMER.INFO.S.C")
    assert delivered(wire, group="none", id="x", min_pending=9) == [1]
    assert wire.ask("CONSUMER.UNPIN.S.C", {"group": "g"}) == []


@pytest.mark.parametrize("version", WITH_GROUPS)
def test_the_first_client_is_pinned_and_gets_what_others_wait_for(version):
    wire = with_groups(version, "ab")
    pin = pin_of(pull(wire, batch=1))
    assert len(pin) == 22
    assert state(wire)["pinned_client_id"] == pin
    assert delivered(wire, batch=1, expires=LONG) == []
    assert delivered(wire, batch=1, id=pin) == [2]


@pytest.mark.parametrize("version", WITH_GROUPS)
def test_another_pin_is_refused(version):
    wire = with_groups(version, "a")
    pull(wire, batch=1)
    assert statuses(wire, id="other") == [MISMATCH]


@pytest.mark.pins("wrong_pins_counted")
@per_version(
    ("2.11", "2.11", b""),
    ("2.12", "2.15", b"Nats-Pending-Messages: 5\r\nNats-Pending-Bytes: 0\r\n"),
)
def test_a_pin_of_before_ends_the_request_once_somebody_is_to_be_pinned(version, expected):
    wire = with_groups(version, "a")
    [answer] = pull(wire, id="earlier", batch=5)
    assert answer.headers == b"NATS/1.0 423 Nats-Wrong-Pin-Id\r\n" + expected + b"\r\n"


@pytest.mark.pins("unpinning_wakes")
@per_version(("2.11", "2.11", []), ("2.12", "2.15", [2]))
def test_who_waits_is_pinned_as_soon_as_the_pin_is_taken_back(version, expected):
    wire = with_groups(version, "ab")
    pull(wire, batch=1)
    assert delivered(wire, batch=1, expires=LONG) == []
    answers = wire.ask("CONSUMER.UNPIN.S.C", {"group": "g"})
    assert b'{"type":"io.nats.jetstream.api.v1.consumer_unpin_response"}' in [answer.payload for answer in answers]
    assert [int(answer.reply.split(".")[5]) for answer in answers if answer.reply] == expected


@pytest.mark.pins("lost_pins_forgotten")
@per_version(("2.11", "2.11", True), ("2.12", "2.15", False))
def test_a_pin_that_is_taken_back_leaves_its_time_in_2_11(version, expected):
    wire = with_groups(version, "a")
    pull(wire, batch=1)
    wire("CONSUMER.UNPIN.S.C", {"group": "g"})
    assert "pinned_client_id" not in state(wire)
    assert (state(wire)["pinned_ts"] > "1") is expected


@pytest.mark.parametrize("version", WITH_GROUPS)
def test_a_pin_ends_when_its_client_does_not_come_back(version):
    wire = with_groups(version, "ab", priority_timeout=SECOND)
    pin = pin_of(pull(wire, batch=1))
    wire.now_ns += SECOND
    assert statuses(wire, batch=1, id=pin) == [WRONG]
    other = pin_of(pull(wire, batch=1))
    assert other not in ("", pin)


@pytest.mark.parametrize("version", WITH_GROUPS)
def test_a_request_puts_the_end_of_its_pin_off(version):
    wire = with_groups(version, "ab", priority_timeout=SECOND)
    pin = pin_of(pull(wire, batch=1))
    for _ in range(3):
        wire.now_ns += SECOND - SECOND // 4
        assert statuses(wire, batch=9, id=pin, no_wait=True) in (["404 No Messages"], [])


@pytest.mark.parametrize("version", WITH_GROUPS)
def test_a_pin_takes_two_minutes_to_end_unless_it_is_told_otherwise(version):
    assert with_groups(version)("CONSUMER.INFO.S.C")["config"]["priority_timeout"] == 120 * SECOND


@pytest.mark.parametrize("version", WITH_GROUPS)
def test_a_request_that_overflows_waits_until_enough_is_pending(version):
    wire = with_groups(version, "ab", policy="overflow")
    assert delivered(wire, batch=1, min_pending=3, expires=LONG) == []
    assert [int(answer.reply.split(".")[5]) for answer in wire.send("s.a") if answer.reply] == [1]


@pytest.mark.pins("overflow_needs_all")
@per_version(("2.11", "2.11", []), ("2.12", "2.15", [1]))
def test_one_of_two_conditions_is_enough_from_2_12_on(version, expected):
    wire = with_groups(version, "ab", policy="overflow")
    assert delivered(wire, batch=1, min_pending=2, min_ack_pending=1) == expected


@pytest.mark.pins("bytes_before_turns")
@per_version(("2.11", "2.12", ["409 Message Size Exceeds MaxBytes"]), ("2.14", "2.15", []))
def test_bytes_are_counted_though_it_is_another_ones_turn_up_to_2_12(version, expected):
    wire = with_groups(version, "ab", policy="overflow")
    assert statuses(wire, batch=1, min_pending=9, max_bytes=9, expires=LONG) == expected


@pytest.mark.parametrize("version", VERSIONS[3:])
def test_requests_wait_in_the_order_of_their_priorities(version):
    wire = with_groups(version, policy="prioritized")
    for priority, batch in ((2, 1), (1, 4), (1, 5), (0, 1)):
        pull(wire, batch=batch, priority=priority, expires=SECOND)
    for _ in range(4):
        wire.send("s.a")
    wire.now_ns += SECOND
    *left, _info = wire.ask("CONSUMER.INFO.S.C")
    told = {answer.headers.split(b"\r\n")[1] for answer in left}
    assert told == {b"Nats-Pending-Messages: 1", b"Nats-Pending-Messages: 2", b"Nats-Pending-Messages: 4"}


@pytest.mark.pins("plain_requests_for_pins")
@pytest.mark.parametrize("version", VERSIONS[4:])
def test_a_request_without_a_group_is_served_but_not_pinned(version):
    wire = with_groups(version, "ab")
    [answer] = wire.ask("CONSUMER.MSG.NEXT.S.C", b"1")
    assert answer.headers == b"NATS/1.0\r\nNats-Pin-Id: \r\n\r\n"
    pull(wire, batch=1)
    assert wire.ask("CONSUMER.MSG.NEXT.S.C", b"1") == []


@pytest.mark.parametrize("version", WITH_GROUPS)
@pytest.mark.parametrize(
    ("policy", "asked", "text"),
    [
        ("overflow", {"group": ""}, "Priority Group missing"),
        ("overflow", {"group": "i"}, "Invalid Priority Group"),
        ("pinned_client", {"min_pending": 1, "group": "i"}, "Not a Overflow Priority consumer"),
        ("overflow", {"id": "x", "group": "i"}, "Not a Pinned Client Priority consumer"),
    ],
)
def test_a_wrong_request_is_refused(version, policy, asked, text):
    wire = with_groups(version, policy=policy)
    assert f"400 Bad Request - {text}" in statuses(wire, **asked)


@pytest.mark.parametrize("version", WITH_GROUPS)
@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        ({"group": "i"}, (400, 10160, "Provided priority group does not exist for this consumer")),
        (
            {"group": "no group"},
            (
                *(400, 10162),
                "Valid priority group name must match A-Z, a-z, 0-9, -_/=)+ and may not exceed 16 characters",
            ),
        ),
        ({"group": ""}, (400, 10025, "invalid JSON: consumer group not specified")),
    ],
)
def test_what_cannot_be_unpinned(version, body, refusal):
    assert with_groups(version).refusal("CONSUMER.UNPIN.S.C", body) == refusal
