"""What few draws would meet in the short run, told step by step: each scenario is played on both sides as an example is.

The long run meets all of it by chance.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from hypothesis.stateful import rule

from lattice_store.limits import SECOND_NS
from tests.agreement.family import Family
from tests.agreement.ground import Ground
from tests.agreement.states import compare_states

_MS: Final = SECOND_NS // 1000
_STORAGES: Final = ("memory", "file")


class Stage(Family):
    """Where scenarios are played: timers of a server may be late by half a second (see the family ``time``)."""

    lateness_ns = 500 * _MS

    @rule()
    def idle(self) -> None:
        """Without a rule there is no state machine."""


def a_ttl_of_almost_two_seconds_is_one(stage: Stage) -> None:
    for slot, storage in enumerate(_STORAGES):
        stage.create(slot, storage, allow_msg_ttl=True)
        stage.publish(f"{stage.space}.{slot}.a", b"x", [("Nats-TTL", "1999ms")])
    stage.pair.let_pass(1600 * _MS)
    for slot in range(len(_STORAGES)):
        stage.request(f"STREAM.MSG.GET.{stage.stream(slot)}", {"seq": 1})


def only_the_last_message_of_a_subject_leaves_a_delete_marker(stage: Stage) -> None:
    for slot, storage in enumerate(_STORAGES):
        stage.create(slot, storage, subject_delete_marker_ttl=60 * SECOND_NS, max_age=1500 * _MS)
    for pause_ns in (1200 * _MS, SECOND_NS):
        for slot in range(len(_STORAGES)):
            stage.publish(f"{stage.space}.{slot}.a", b"x")
        stage.pair.let_pass(pause_ns)
    for slot in range(len(_STORAGES)):
        stage.request(f"STREAM.MSG.GET.{stage.stream(slot)}", {"last_by_subj": f"{stage.space}.{slot}.a"})


def a_pull_that_may_wait_gets_what_comes(stage: Stage) -> None:
    for slot, storage in enumerate(_STORAGES):
        stage.create(slot, storage)
        stream = stage.stream(slot)
        config = {"durable_name": "C", "ack_policy": "explicit"}
        stage.request(f"CONSUMER.DURABLE.CREATE.{stream}.C", {"stream_name": stream, "config": config})
        stage.pull(stream, "C", {"batch": 1, "no_wait": True, "expires": 60 * SECOND_NS})
        compare_states(stage.pair)
        stage.publish(f"{stage.space}.{slot}.a", b"x")
        stage.pair.settle()


SCENARIOS: Final[tuple[Callable[[Stage], None], ...]] = (
    a_ttl_of_almost_two_seconds_is_one,
    only_the_last_message_of_a_subject_leaves_a_delete_marker,
    a_pull_that_may_wait_gets_what_comes,
)


def play(scenario: Callable[[Stage], None], ground: Ground) -> None:
    """Play one scenario.

    Raises:
        DifferenceError: the two sides disagree.
    """
    stage = Stage.on(ground)()
    try:
        scenario(stage)
    finally:
        stage.teardown()
