"""What the core makes of consumers' configurations; the expectations were observed on nats-server 2.15.1."""

from typing import Any

import pytest

from lattice_store.model import RetentionPolicy
from lattice_store_sim._core._consumer_config import ConsumerConfig
from lattice_store_sim._core._consumer_info import ConsumerInfo
from lattice_store_sim._core._durations import duration_text
from tests.unit.sim.helpers import SECOND, Bench

MILLISECOND = SECOND // 1000


def put(bench: Bench, name: str = "c", **settings: Any) -> ConsumerInfo:
    return bench("put_consumer", "S", ConsumerConfig(name=name, **settings))


def refused(bench: Bench, name: str = "c", **settings: Any) -> tuple[int, int, str]:
    return bench.refusal("put_consumer", "S", ConsumerConfig(name=name, **settings))


def limited(**limits: int) -> Bench:
    return Bench.with_stream(other={"consumer_limits": limits})


# -- defaults ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ({}, {"max_deliver": -1, "max_waiting": 512, "ack_wait": 0, "max_ack_pending": 0}),
        ({"ack_policy": "explicit"}, {"ack_wait": 30 * SECOND, "max_ack_pending": 1000}),
        ({"ack_policy": "all"}, {"ack_wait": 30 * SECOND, "max_ack_pending": 1000}),
        ({"deliver_subject": "to"}, {"max_waiting": 0}),
        ({"backoff": (3, 5), "ack_wait": 9}, {"ack_wait": 3}),
        ({}, {"inactive_threshold": 5 * SECOND}),
        ({"durable_name": "c"}, {"inactive_threshold": 0}),
        ({"durable_name": "c", "inactive_threshold": 7}, {"inactive_threshold": 7}),
        ({"max_deliver": -5, "max_batch": -1, "max_bytes": -1}, {"max_deliver": -1, "max_batch": 0, "max_bytes": 0}),
        ({"max_ack_pending": -1, "ack_policy": "all"}, {"max_ack_pending": -1}),
    ],
)
def test_defaults(given, made):
    config = put(Bench.with_stream(), **given).config
    assert {name: getattr(config, name) for name in made} == made


def test_the_streams_limits_are_defaults_too():
    bench = limited(max_ack_pending=10, inactive_threshold=7 * SECOND)
    config = put(bench, durable_name="c").config
    assert (config.max_ack_pending, config.inactive_threshold) == (10, 7 * SECOND)


def test_a_push_consumer_without_acks_cannot_be_had_from_a_stream_that_limits_pending_acks():
    """The limit becomes the default, which an ack policy none does not allow."""
    assert refused(limited(max_ack_pending=10), deliver_subject="to")[1] == 10082


@pytest.mark.parametrize(
    ("limits", "given", "expected"),
    [
        (
            {"max_ack_pending": 10},
            {"max_ack_pending": 11},
            (400, 10121, "consumer max ack pending exceeds system limit of 10"),
        ),
        (
            {"inactive_threshold": 90 * SECOND},
            {"inactive_threshold": 91 * SECOND},
            (400, 10153, "consumer inactive threshold exceeds system limit of 1m30s"),
        ),
    ],
)
def test_a_streams_limits_bind(limits, given, expected):
    assert refused(limited(**limits), **given) == expected


@pytest.mark.parametrize(
    ("duration_ns", "text"),
    [
        *((0, "0s"), (1, "1ns"), (1500, "1.5µs"), (20 * MILLISECOND, "20ms"), (SECOND, "1s"), (60 * SECOND, "1m0s")),
        *((1500 * MILLISECOND, "1.5s"), (5400 * SECOND + 1, "1h30m0.000000001s"), (-SECOND, "-1s")),
    ],
)
def test_durations_are_written_as_go_does(duration_ns, text):
    assert duration_text(duration_ns) == text


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"max_deliver": -2}, "max_deliver must be set to -1"),
        ({"max_waiting": -1}, "max_waiting must not be negative"),
        ({"max_ack_pending": -2}, "max_ack_pending must be set to -1"),
        ({"max_batch": -1}, "max_batch must not be negative"),
        ({"max_expires": -1}, "max_expires must not be negative"),
        ({"max_bytes": -1}, "max_bytes must not be negative"),
        ({"idle_heartbeat": -1}, "idle_heartbeat must not be negative"),
        ({"inactive_threshold": -1}, "inactive_threshold must not be negative"),
        ({"priority_timeout": -1}, "priority_timeout must not be negative"),
        ({"backoff": (1,), "ack_wait": 2}, "first backoff value has to equal batch AckWait"),
        (
            {"max_ack_pending": 0, "inactive_threshold": 1},
            "max_ack_pending must be set if it's configured in stream limits",
        ),
        ({"max_ack_pending": 5}, "inactive_threshold must be set if it's configured in stream limits"),
    ],
)
def test_a_pedantic_request_is_not_corrected(given, text):
    bench = limited(max_ack_pending=10, inactive_threshold=SECOND)
    config = ConsumerConfig(name="c", **{"max_ack_pending": 5, **given})
    assert bench.refusal("put_consumer", "S", config, pedantic=True) == (400, 10157, f"pedantic mode: {text}")


# -- rules, in their order ------------------------------------------------------------------------------


POLICY = (400, 10094)
PUSH = {"deliver_subject": "to"}
BROKEN: list[tuple[dict[str, Any], tuple[int, int, str]]] = [
    ({"durable_name": "a.b"}, (500, 10052, "consumer durable name can not contain '.', '*', '>', '\\', '/'")),
    ({"num_replicas": -1}, (400, 10133, "replicas count cannot be negative")),
    ({"backoff": (-1,)}, (400, 10184, "consumer backoff needs to be positive")),
    ({"ack_wait": -1}, (400, 10183, "consumer ack wait needs to be positive")),
    ({"backoff": (1, 2), "max_deliver": 1}, (400, 10116, "max deliver is required to be > length of backoff values")),
    ({"description": "x" * 4097}, (400, 10107, "consumer description is too long, maximum allowed is 4096")),
    ({"deliver_subject": "to.*"}, (400, 10079, "consumer deliver subject has wildcards")),
    ({"deliver_subject": "to..x"}, (400, 10112, "invalid push consumer deliver subject")),
    ({"deliver_subject": "s.x"}, (400, 10081, "consumer deliver subject forms a cycle")),
    ({**PUSH, "max_waiting": 1}, (400, 10080, "consumer in push mode can not set max waiting")),
    ({**PUSH, "max_ack_pending": 1}, (400, 10082, "consumer requires ack policy for max ack pending")),
    ({**PUSH, "idle_heartbeat": 1}, (400, 10083, "consumer idle heartbeat needs to be >= 100ms")),
    ({"rate_limit_bps": 1}, (400, 10086, "consumer in pull mode can not have rate limit set")),
    ({"idle_heartbeat": SECOND}, (400, 10088, "consumer idle heartbeat requires a push based consumer")),
    ({"flow_control": True}, (400, 10089, "consumer flow control requires a push based consumer")),
    ({"max_expires": 1}, (400, 10115, "consumer max request expires needs to be >= 1ms")),
    ({"direct": True}, (400, 10090, "consumer direct requires a push based consumer")),
    (
        {**PUSH, "direct": True, "durable_name": "c"},
        (400, 10091, "consumer direct requires an ephemeral consumer"),
    ),
    (
        {"filter_subject": "s.a", "filter_subjects": ("s.b",)},
        (400, 10136, "consumer cannot have both FilterSubject and FilterSubjects specified"),
    ),
    ({"filter_subject": "s..a"}, (500, 10052, "invalid subject")),
    ({"filter_subjects": ("s.a", "")}, (400, 10139, "consumer filter in FilterSubjects cannot be empty")),
    ({"filter_subjects": ("s.>.a",)}, (500, 10052, "invalid subject")),
    ({"filter_subjects": ("s.a", "s.*")}, (400, 10138, "consumer subject filters cannot overlap")),
    ({"filter_subjects": ("s.a", "s.a")}, (400, 10138, "consumer subject filters cannot overlap")),
    (
        {"deliver_policy": "by_start_sequence"},
        (*POLICY, "consumer delivery policy is deliver by start sequence, but optional start sequence is not set"),
    ),
    (
        {"deliver_policy": "by_start_time"},
        (*POLICY, "consumer delivery policy is deliver by start time, but optional start time is not set"),
    ),
    (
        {"deliver_policy": "by_start_time", "opt_start_time": 1, "opt_start_seq": 1},
        (*POLICY, "consumer delivery policy is deliver by start time, but optional start start sequence is also set"),
    ),
    (
        {"opt_start_seq": 1, "opt_start_time": 1},
        (*POLICY, "consumer delivery policy is deliver all, but optional start sequence is also set"),
    ),
    (
        {"deliver_policy": "last_per_subject", "opt_start_time": 1},
        (*POLICY, "consumer delivery policy is deliver last per subject, but optional start time is also set"),
    ),
    (
        {"deliver_policy": "last_per_subject"},
        (*POLICY, "consumer delivery policy is deliver last per subject, but optional filter subject is not set"),
    ),
    (
        {"sample_freq": "5%%"},
        (400, 10095, 'failed to parse consumer sampling configuration: strconv.Atoi: parsing "5%": invalid syntax'),
    ),
    ({"sample_freq": "-5%"}, (400, 10095, "failed to parse consumer sampling configuration: <nil>")),
    ({**PUSH, "flow_control": True}, (400, 10108, "consumer with flow control also needs heartbeats")),
    (
        {"durable_name": "d"},
        (400, 10132, "Consumer Durable and Name have to be equal if both are provided"),
    ),
    ({"metadata": {"k": "x" * 131073}}, (400, 10135, "consumer metadata exceeds maximum size of 128KB")),
    (
        {"priority_groups": ("g",)},
        (400, 10196, "consumer can not have priority groups when policy is none"),
    ),
    ({"priority_timeout": 1}, (400, 10197, "PinnedTTL cannot be set when PriorityPolicy is none")),
]
"""Each breaks one rule; the rules are in the order in which the server looks at them."""


@pytest.mark.parametrize(("given", "expected"), BROKEN)
def test_a_broken_rule_is_named(given, expected):
    assert refused(Bench.with_stream(), **given) == expected


def _can_be_broken_at_once(first: dict[str, Any], second: dict[str, Any]) -> bool:
    both = first.keys() | second.keys()
    hidden = ({"ack_wait", "backoff"}, {"filter_subject", "filter_subjects"})  # one takes the other's place
    return not first.keys() & second.keys() and "deliver_subject" not in both and not any(both >= one for one in hidden)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({**later, **earlier}, expected)
        for distance in (1, 2, 3)
        for (earlier, expected), (later, other) in zip(BROKEN, BROKEN[distance:], strict=False)
        if expected[1] != other[1] and _can_be_broken_at_once(earlier, later)
    ],
)
def test_of_two_broken_rules_the_first_is_named(settings, expected):
    assert refused(Bench.with_stream(), **settings) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({**PUSH, "priority_groups": ("g",)}, (400, 10178, "priority groups can not be used with push consumers")),
        ({}, (400, 10159, "Setting PriorityPolicy requires at least one PriorityGroup to be set")),
        ({"priority_groups": ("",)}, (400, 10161, "Group name cannot be an empty string")),
        (
            {"priority_groups": ("no group",)},
            (
                *(400, 10162),
                "Valid priority group name must match A-Z, a-z, 0-9, -_/=)+ and may not exceed 16 characters",
            ),
        ),
    ],
)
def test_priority_groups_that_no_server_takes_are_refused_as_there(given, expected):
    assert refused(Bench.with_stream(), priority_policy="overflow", **given) == expected


@pytest.mark.parametrize(
    "given",
    [
        {"backoff": (1, 2), "max_deliver": 2},
        {"filter_subject": "elsewhere"},
        {"filter_subjects": ("s.a.*", "s.*.b")},
        {"max_ack_pending": 5},
        {"sample_freq": "+5"},
        {"deliver_subject": "to", "idle_heartbeat": 100 * MILLISECOND, "flow_control": True},
    ],
)
def test_what_is_on_the_edge_is_accepted(given):
    assert put(Bench.with_stream(), **given).name == "c"


# -- streams that are particular ---------------------------------------------------------------------------


def workqueue() -> Bench:
    return Bench.with_stream(retention=RetentionPolicy.WORK_QUEUE)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, (400, 10084, "consumer in pull mode requires explicit ack policy on workqueue stream")),
        ({"ack_policy": "all", "deliver_policy": "new"}, (400, 10098, "workqueue stream requires explicit ack")),
        (PUSH, (400, 10098, "workqueue stream requires explicit ack")),
        (
            {"ack_policy": "explicit", "deliver_policy": "new"},
            (400, 10101, "consumer must be deliver all on workqueue stream"),
        ),
    ],
)
def test_a_work_queue_is_read_from_the_start_with_explicit_acks(given, expected):
    assert refused(workqueue(), **given) == expected


def test_a_work_queue_gives_each_message_to_one_consumer():
    bench = workqueue()
    put(bench, "a", ack_policy="explicit", filter_subject="s.a.*")
    one, crossing = {"filter_subject": "s.b"}, {"filter_subject": "s.*.b"}
    assert refused(bench, "b", ack_policy="explicit") == (
        *(400, 10099),
        "multiple non-filtered consumers not allowed on workqueue stream",
    )
    not_unique = (400, 10100, "filtered consumer not unique on workqueue stream")
    assert refused(bench, "b", ack_policy="explicit", **crossing) == not_unique
    assert put(bench, "b", ack_policy="explicit", **one).name == "b"
    assert refused(bench, "b", ack_policy="explicit", **crossing) == not_unique


def test_an_unfiltered_consumer_of_a_work_queue_has_all_of_it():
    bench = workqueue()
    put(bench, "a", ack_policy="explicit")
    assert refused(bench, "b", ack_policy="explicit", filter_subject="s.a")[1] == 10100
    assert put(bench, "a", ack_policy="explicit", description="itself").name == "a"


def test_a_stream_may_have_so_many_consumers_and_no_more():
    bench = Bench.with_stream(max_consumers=1)
    put(bench, "a")
    assert refused(bench, "b") == (400, 10026, "maximum consumers limit reached")
    assert put(bench, "a", description="itself").name == "a"


def test_limits_that_a_consumer_does_not_keep_are_refused():
    bench = Bench.with_stream()
    put(bench, "a", max_ack_pending=20)
    other = {"consumer_limits": {"max_ack_pending": 10}}
    with pytest.raises(Exception, match="change to limits violates consumers: a") as raised:
        bench.update(other=other)
    assert (raised.value.code, raised.value.err_code) == (500, 10069)
    bench("delete_consumer", "S", "a")
    bench.update(other=other)
    bench.update()
