"""The short way to deliver leads where the long one leads, in one go or in several."""

from __future__ import annotations

from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lattice_store_sim._core import _consumer
from lattice_store_sim._core._consumer_config import ConsumerConfig
from lattice_store_sim._core._server import SimCore
from lattice_store_sim._core._stream_config import StreamConfig

NOW = 1_700_000_000 * 10**9
FLOW = {"flow_control": True, "idle_heartbeat": 10**9}

STREAMS = st.fixed_dictionaries({"max_msgs_per_subject": st.sampled_from([-1, 1, 2])})
TOKENS = st.sampled_from("abc")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), TOKENS, st.sampled_from([0, 10, 700_000])),
        st.tuples(st.just("delete"), st.integers(1, 12), st.just(0)),
    ),
    max_size=12,
)
CONSUMERS = st.fixed_dictionaries(
    {
        "deliver_policy": st.sampled_from(["all", "last", "new", "last_per_subject"]),
        "filter_subject": st.sampled_from([">", "s.a", "s.*"]),
        "options": st.sampled_from([{}, FLOW]),
        "replay_policy": st.sampled_from(["instant", "instant", "original"]),
        "headers_only": st.sampled_from([False, False, True]),
    }
)


def do(core, steps):
    for what, where, size in steps:
        if what == "publish":
            core.publish(f"s.{where}", b"x" * size, now_ns=NOW)
        elif where in core.streams["S"].log.messages:
            core.delete_message("S", where, now_ns=NOW)


def run(stream, before, consumer, after, *, burst=None):
    """Return what is sent, and how the consumer stands in the end."""
    core = SimCore()
    core.context.burst = burst
    core.subscribe("d", now_ns=NOW)
    core.create_stream(StreamConfig(name="S", subjects=("s.>",), storage="memory", **stream), now_ns=NOW)
    do(core, before)
    config = {name: value for name, value in consumer.items() if name != "options"} | consumer["options"]
    core.put_consumer("S", ConsumerConfig(name="c", deliver_subject="d", ack_policy="none", **config), now_ns=NOW)
    settle(core)
    do(core, after)
    settle(core)
    while asked := core.streams["S"].consumers["c"].push._asked:
        core.answer_flow_control("S", "c", asked, now_ns=NOW)
        settle(core)
    return core.outbox, core.consumer_info("S", "c", now_ns=NOW)


def settle(core):
    core.advance(NOW)
    while core.context.unfinished:
        core.go_on(now_ns=NOW)


@given(stream=STREAMS, before=STEPS, consumer=CONSUMERS, after=STEPS)
def test_the_short_way_is_the_long_one(stream, before, consumer, after):
    with mock.patch.object(_consumer, "may_go_straight", return_value=False):
        expected = run(stream, before, consumer, after)
    assert run(stream, before, consumer, after) == expected


@given(stream=STREAMS, before=STEPS, consumer=CONSUMERS, burst=st.integers(1, 4))
def test_what_is_delivered_in_several_goes_is_the_same(stream, before, consumer, burst):
    assert run(stream, before, consumer, [], burst=burst) == run(stream, before, consumer, [])


@pytest.mark.parametrize(("burst", "goes"), [(2, [2, 2, 1]), (5, [5, 0]), (6, [5])])
def test_a_consumer_that_is_not_done_goes_on_when_asked(burst, goes):
    core = SimCore()
    core.context.burst = burst
    core.create_stream(StreamConfig(name="S", subjects=("s.>",), storage="memory"), now_ns=NOW)
    do(core, [("publish", "a", 1)] * 5)
    core.subscribe("d", now_ns=NOW)
    core.put_consumer("S", ConsumerConfig(name="c", deliver_subject="d", ack_policy="none"), now_ns=NOW)
    delivered = [len(core.outbox)]
    while core.context.unfinished:
        core.outbox.clear()
        core.go_on(now_ns=NOW)
        delivered.append(len(core.outbox))
    assert delivered == goes
