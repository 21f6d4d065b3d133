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
from tests.agreement.pair import Sending
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


def _batched(batch: object, sequence: int, commit: str = "") -> list[tuple[str, str]]:
    headers = [("Nats-Batch-Id", str(batch)), ("Nats-Batch-Sequence", str(sequence))]
    return [*headers, ("Nats-Batch-Commit", commit)] if commit else headers


def _with_batches(stage: Stage, slot: int, storage: str) -> None:
    fast = {} if stage.profile in ("2.9", "2.10", "2.11", "2.12") else {"allow_batched": True}
    stage.create(slot, storage, allow_atomic=True, **fast)


def _publish_fast(stage: Stage, slot: int, batch: object, sequence: int, operation: int) -> None:
    reply = f"_INBOX.{stage.space}.f.{batch}.10.fail.{sequence}.{operation}.$FI"
    stage.pair.exchange([Sending("fast", f"{stage.space}.{slot}.a", b"x", b"", reply)])


def batches_run_out_of_time(stage: Stage) -> None:
    stage.pair.subscribe("$JS.EVENT.ADVISORY.STREAM.BATCH_ABANDONED.>")
    stage.pair.subscribe(f"_INBOX.{stage.space}.f.>")
    for slot, storage in enumerate(_STORAGES):
        _with_batches(stage, slot, storage)
    subjects = [f"{stage.space}.{slot}.a" for slot in range(len(_STORAGES))]
    for slot, subject in enumerate(subjects):
        for batch in ("lives", "dies"):
            stage.publish(subject, b"", _batched(batch, 1))
            _publish_fast(stage, slot, batch, 1, 0)
    stage.pair.let_pass(5 * SECOND_NS)
    for slot, subject in enumerate(subjects):
        stage.publish(subject, b"", _batched("lives", 2))
        _publish_fast(stage, slot, "lives", 2, 1)
    stage.pair.let_pass(5 * SECOND_NS)
    for slot, subject in enumerate(subjects):
        for batch, sequence in (("lives", 3), ("dies", 2)):
            stage.publish(subject, b"", _batched(batch, sequence, "1"))
            _publish_fast(stage, slot, batch, sequence, 2)
    compare_states(stage.pair)


def a_stream_has_room_for_so_many_batches_and_a_server_for_more(stage: Stage) -> None:
    stage.pair.subscribe(f"_INBOX.{stage.space}.f.>")
    for slot in range(21):
        _with_batches(stage, slot, _STORAGES[slot % 2])
        stage.publish_many((f"{stage.space}.{slot}.a", b"", _batched(batch, 1)) for batch in range(51))
    stage.publish(f"{stage.space}.0.a", b"", _batched(7, 2, "1"))
    for slot in (0, 20):
        stage.publish(f"{stage.space}.{slot}.a", b"", _batched("new", 1))
    for batch in range(1001):
        _publish_fast(stage, 0, batch, 1, 0)


def a_batch_holds_a_thousand_messages(stage: Stage) -> None:
    stage.pair.subscribe("$JS.EVENT.ADVISORY.STREAM.BATCH_ABANDONED.>")
    for slot, storage in enumerate(_STORAGES):
        _with_batches(stage, slot, storage)
        subject = f"{stage.space}.{slot}.a"
        for last, commit in ((1000, "1"), (1001, "eob"), (1001, "1")):
            stage.publish_many((subject, b"", _batched("b", sequence)) for sequence in range(1, last))
            stage.publish(subject, b"", _batched("b", last, commit))


SCENARIOS: Final[tuple[Callable[[Stage], None], ...]] = (
    a_ttl_of_almost_two_seconds_is_one,
    only_the_last_message_of_a_subject_leaves_a_delete_marker,
    a_pull_that_may_wait_gets_what_comes,
    batches_run_out_of_time,
    a_stream_has_room_for_so_many_batches_and_a_server_for_more,
    a_batch_holds_a_thousand_messages,
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
