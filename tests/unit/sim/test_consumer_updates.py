"""What an update may change of a consumer; the expectations were observed on nats-server 2.15.1."""

from typing import Any

import pytest

from lattice_store_sim._core._consumer_config import ConsumerConfig
from lattice_store_sim._core._consumer_info import ConsumerInfo
from tests.unit.sim.helpers import SECOND, Bench

PUSH = {"deliver_subject": "to"}


def put(bench: Bench, name: str = "c", *, action: str = "", **settings: Any) -> ConsumerInfo:
    return bench("put_consumer", "S", ConsumerConfig(name=name, **settings), action=action)


def refused(bench: Bench, name: str = "c", **settings: Any) -> tuple[int, int, str]:
    return bench.refusal("put_consumer", "S", ConsumerConfig(name=name, **settings))


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        ({}, {"deliver_policy": "new"}, "deliver policy"),
        ({}, {"mem_storage": True}, "storage type"),
        (
            {"deliver_policy": "by_start_sequence", "opt_start_seq": 2},
            {"deliver_policy": "by_start_sequence", "opt_start_seq": 3},
            "start sequence",
        ),
        (
            {"deliver_policy": "by_start_time", "opt_start_time": 2},
            {"deliver_policy": "by_start_time", "opt_start_time": 3},
            "start time",
        ),
        ({}, {"ack_policy": "explicit"}, "ack policy"),
        ({}, {"replay_policy": "original"}, "replay policy"),
        (PUSH, {**PUSH, "idle_heartbeat": SECOND}, "heart beats"),
        (
            {**PUSH, "idle_heartbeat": SECOND, "flow_control": True},
            {**PUSH, "idle_heartbeat": SECOND},
            "flow control",
        ),
        ({}, {"max_waiting": 5}, "max waiting"),
    ],
)
def test_some_settings_stay_as_they_are(old, new, name):
    bench = Bench.with_stream()
    put(bench, **old)
    assert refused(bench, **new) == (500, 10012, f"{name} can not be updated")
    assert put(bench, **old).config == put(bench, action="create", **{"inactive_threshold": 5 * SECOND, **old}).config


@pytest.mark.parametrize(
    "changed",
    [
        {"description": "x"},
        {"ack_wait": 7 * SECOND},
        {"max_deliver": 3},
        {"backoff": (SECOND,)},
        {"filter_subject": "s.a"},
        {"filter_subjects": ("s.a", "s.b")},
        {"headers_only": True},
        {"inactive_threshold": 7 * SECOND},
        {"max_ack_pending": 5},
        {"sample_freq": "5"},
        {"max_batch": 5},
        {"max_expires": SECOND},
        {"max_bytes": 5},
        {"metadata": {"k": "v"}},
        {"num_replicas": 1},
    ],
)
def test_other_settings_can_change(changed):
    bench = Bench.with_stream()
    put(bench, ack_policy="explicit")
    config = put(bench, ack_policy="explicit", **changed).config
    for name, value in changed.items():
        assert getattr(config, name) == value or name == "metadata"


def test_pull_and_push_do_not_become_each_other():
    bench = Bench.with_stream()
    put(bench, "pull")
    put(bench, "push", **PUSH)
    assert refused(bench, "pull", **PUSH) == (500, 10012, "can not update pull consumer to push based")
    assert refused(bench, "push") == (500, 10012, "can not update push consumer to pull based")


def test_a_deliver_subject_can_move_while_nobody_listens():
    bench = Bench.with_stream()
    put(bench, **PUSH)
    assert put(bench, deliver_subject="elsewhere").config.deliver_subject == "elsewhere"
    bench("subscribe", "elsewhere")
    assert refused(bench, **PUSH) == (400, 10013, "consumer name already in use")


def test_a_refused_update_leaves_the_consumer_alone():
    bench = Bench.with_stream()
    before = put(bench, description="old").config
    refused(bench, description="new", deliver_policy="new")
    assert bench("consumer_info", "S", "c").config == before
