"""No check asserts nothing: for each there is a planted bug that it must catch.

A bug is planted in the simulator's shell. The storage that cleans up afterwards is a correct one.
"""

from __future__ import annotations

import attrs
import msgspec
import pytest

from lattice_store.errors import (
    LatticeStoreError,
    MessageNotFoundError,
    NoRespondersError,
    PreconditionError,
    StreamNameInUseError,
    StreamNotFoundError,
    SubjectsOverlapError,
)
from lattice_store.headers import NO_HEADERS
from lattice_store.model import DELIVER_ALL, DeliverNew, DiscardPolicy, PubAck, StorageType, StreamInfo, StreamState
from lattice_store.storage import Storage
from lattice_store.testing import CHECKS, _harness, _publish_many, _replay, _replay_ends, run_check
from lattice_store_sim import SimServer, SimStorage, VirtualClock
from tests.contract import bugs
from tests.contract.planting import (
    Make,
    altered,
    answering,
    dropping,
    late,
    messages,
    overriding,
    publishing,
    raising,
    replaying,
    reporting,
    swallowing,
    without,
)

_INFO = StreamInfo(config=None, created_ns=1, state=StreamState())  # type: ignore[arg-type]

BUGS: dict[str, tuple[Make, list[str]]] = {
    # streams
    "create answers with what was asked": (
        overriding(create_stream=bugs.answer_asked),
        ["create_answers_with_configuration_and_empty_state", "recreated_stream_starts_afresh"],
    ),
    "create alters": (bugs.altering, ["create_never_alters_an_existing_stream"]),
    "create of a used name says created": (
        swallowing(StreamNameInUseError, _INFO, "create_stream"),
        ["create_never_alters_an_existing_stream"],
    ),
    "create of used subjects says created": (
        swallowing(SubjectsOverlapError, _INFO, "create_stream", "update_stream"),
        ["create_refuses_subjects_of_another_stream", "update_refuses_subjects_of_another_stream"],
    ),
    "create again makes a new stream": (bugs.recreating, ["create_again_confirms_an_equal_stream"]),
    "refusals have no class": (
        raising(bugs.refused, "create_stream", "update_stream", "publish", "get_message", "purge"),
        ["get_from_a_missing_stream"],
    ),
    "refusals have no words": (
        raising(bugs.reworded, "create_stream", "update_stream", "publish", "stream_info"),
        ["create_never_alters_an_existing_stream"],
    ),
    "update patches": (overriding(update_stream=bugs.patching), ["update_replaces_the_whole_configuration"]),
    "update of nothing says updated": (
        swallowing(StreamNotFoundError, _INFO, "update_stream"),
        ["update_of_a_missing_stream"],
    ),
    "update answers with the old state": (
        answering("update_stream", lambda i: attrs.evolve(i, state=StreamState())),
        [
            "lowered_limits_evict_at_once",
            "lowered_limits_with_discard_new_evict_nothing",
            "lowered_max_age_removes_at_once",
        ],
    ),
    "delete of nothing says deleted": (
        swallowing(StreamNotFoundError, None, "delete_stream"),
        ["delete_stream_takes_everything_with_it"],
    ),
    "list is not sorted": (answering("list_streams", lambda names: names[::-1]), ["list_streams_is_sorted"]),
    "list ignores the subject": (
        overriding(list_streams=lambda c, subject=None: c()),
        ["list_streams_by_subject", "bad_configurations_are_refused_before_sending"],
    ),
    "no limit is told as 0": (
        answering("stream_info", lambda info: attrs.evolve(info, config=attrs.evolve(info.config, max_msgs=0))),
        ["create_reads_zero_as_no_limit"],
    ),
    "nothing is created now": (
        answering("create_stream", lambda info: attrs.evolve(info, created_ns=0)),
        ["create_compares_after_defaults"],
    ),
    # settings that have no effect
    "max_msgs has no effect": (without(max_msgs=None), ["max_msgs_evicts_the_oldest", "both_limits_together"]),
    "max_bytes has no effect": (
        without(max_bytes=None),
        ["max_bytes_evicts_the_oldest", "message_larger_than_the_stream_empties_it"],
    ),
    "max_msgs_per_subject has no effect": (
        without(max_msgs_per_subject=None),
        [
            "max_msgs_per_subject_evicts_that_subjects_oldest",
            "lowered_max_msgs_per_subject_evicts_always",
            "replay_hands_out_superseded_live_messages",
        ],
    ),
    "max_msg_size has no effect": (without(max_msg_size=None), ["max_msg_size_counts_headers"]),
    "max_age_ns has no effect": (
        without(max_age_ns=None),
        [
            "create_shortens_the_window_to_the_maximum_age",
            "create_validates_before_it_looks_for_the_name",
            "max_age_frees_room",
        ],
    ),
    "discard has no effect": (
        without(discard=DiscardPolicy.OLD, discard_new_per_subject=False),
        ["discard_new_refuses_at_max_msgs", "discard_new_still_replaces_on_a_subject"],
    ),
    "discard_new_per_subject has no effect": (
        without(discard_new_per_subject=False),
        ["create_refuses_what_contradicts_itself", "discard_new_per_subject_refuses"],
    ),
    "deny_delete has no effect": (
        without(deny_delete=False),
        ["update_refuses_what_cannot_change", "delete_message_denied"],
    ),
    "deny_purge has no effect": (without(deny_purge=False), ["purge_denied"]),
    "allow_rollup has no effect": (without(allow_rollup=False), ["rollup_refused"]),
    "rollup is always allowed": (
        without(allow_rollup=True, deny_purge=False),
        ["create_answers_with_configuration_and_empty_state"],
    ),
    "sealed has no effect": (without(sealed=False), ["sealed_stream_takes_nothing_and_loses_nothing"]),
    "duplicate window has no effect": (
        without(duplicate_window_ns=None),
        ["create_echoes_every_setting", "duplicate_window_is_exact", "narrowed_window_forgets"],
    ),
    "memory and file are confused": (overriding(create_stream=bugs.other_storage), ["bytes_of_a_message_with_headers"]),
    # state
    "no message is counted": (reporting(messages=0), ["expectations_must_all_hold"]),
    "bytes are off": (reporting(bytes=7), ["bytes_of_removed_messages_are_given_back"]),
    "first sequence is 1": (reporting(first_sequence=1), ["expected_stream", "delete_of_the_only_message"]),
    "last sequence is 0": (reporting(last_sequence=0), ["two_streams_never_touch_each_other"]),
    "subjects are not counted": (reporting(num_subjects=0), ["state_of_a_growing_stream"]),
    "gaps are not counted": (
        reporting(num_deleted=0),
        ["last_value_per_subject", "delete_message_leaves_a_gap", "delete_message_at_the_end"],
    ),
    "times are lost": (reporting(first_time_ns=None, last_time_ns=None), ["delete_message_at_the_beginning"]),
    # publish
    "headers are lost": (dropping("headers"), ["rollup_of_a_subject", "rollup_of_the_stream"]),
    "message IDs are lost": (
        dropping("message_id"),
        ["bad_publications_are_refused_before_sending", "default_window_is_two_minutes"],
    ),
    "expectations are lost": (
        dropping("expect"),
        ["expected_last_sequence_counts_removed_messages", "expected_last_subject_sequence_of_a_filter"],
    ),
    "payloads are cut": (
        publishing(lambda given: {**given, "payload": given["payload"][:100]}),
        ["publish_stores_what_was_given", "discard_new_refuses_at_max_bytes"],
    ),
    "payloads are never empty": (
        publishing(lambda given: {**given, "payload": given["payload"] or b"x"}),
        ["publish_stores_empty_payloads"],
    ),
    "subjects are lower-cased": (
        publishing(lambda given: {**given, "subject": given["subject"].replace(">", "_")}),
        ["publish_takes_wildcard_letters_inside_tokens"],
    ),
    "message IDs are lower-cased": (
        publishing(lambda given: {**given, "message_id": given.get("message_id") and given["message_id"].lower()}),
        ["message_id_belongs_to_the_stream"],
    ),
    "message IDs belong to a subject": (
        publishing(
            lambda given: {**given, "message_id": given.get("message_id") and given["message_id"] + given["subject"]}
        ),
        ["message_id_as_a_plain_header", "expected_last_message_id"],
    ),
    "message IDs go with their messages": (bugs.forgetful, ["message_id_outlives_its_message"]),
    "message IDs of refused publishes are remembered": (
        bugs.remembering_refusals,
        ["message_id_of_a_refused_publish_is_not_remembered", "a_full_stream_remembers_no_refused_message_id"],
    ),
    "duplicates are not named": (
        answering("publish", lambda ack: PubAck(ack.stream, ack.sequence)),
        ["message_id_stores_once", "duplicate_does_not_extend_the_window"],
    ),
    "acks are off by one": (
        answering("publish", lambda ack: PubAck(ack.stream, ack.sequence + 1, ack.duplicate)),
        [
            "create_takes_the_name_as_the_only_subject",
            "publish_numbers_messages_from_one",
            "expected_last_message_id_survives_a_purge",
            "purge_does_not_reset_expectations",
        ],
    ),
    "unbound subjects are acknowledged": (
        swallowing(NoRespondersError, PubAck("S", 1), "publish"),
        ["update_of_subjects_moves_what_is_captured", "publish_to_an_unbound_subject"],
    ),
    "failed expectations are acknowledged": (
        swallowing(PreconditionError, PubAck("S", 1), "publish"),
        ["expected_last_sequence", "expected_last_subject_sequence", "only_one_of_two_writers_wins"],
    ),
    "many: out of order": (
        overriding(publish_many=bugs.many_without_order),
        ["publish_many_takes_all_arguments_of_publish", "publish_many_may_be_cancelled"],
    ),
    "many: all at once": (overriding(publish_many=bugs.many_at_once), ["publish_many_takes_no_more_than_its_window"]),
    "many: until an error": (overriding(publish_many=bugs.many_until_an_error), ["duplicate_window_ends"]),
    "many: one more": (
        overriding(publish_many=bugs.many_and_one_more),
        ["publish_many_keeps_the_order", "publish_many_of_nothing"],
    ),
    "many: bare": (overriding(publish_many=bugs.many_without_arguments), ["publish_many_gives_errors_as_values"]),
    "many: unstoppable": (
        overriding(publish_many=bugs.many_unstoppable),
        ["publish_many_closed_early_sends_nothing_more"],
    ),
    "many: any window": (overriding(publish_many=bugs.many_with_any_window), ["publish_many_needs_a_window"]),
    # reads and removals
    "messages have no headers": (
        answering("get_message", lambda message: altered(message, headers=NO_HEADERS)),
        ["publish_stores_control_headers"],
    ),
    "messages have no payload": (
        answering("get_message", lambda message: altered(message, payload=b"")),
        [
            "publish_stores_large_payloads",
            "publish_at_the_same_time",
            "get_message_of_every_sequence",
            "calls_may_be_cancelled",
        ],
    ),
    "messages have no time": (
        answering("get_message", lambda message: altered(message, time_ns=0)),
        ["publish_stamps_rising_times", "replay_from_a_time", "messages_carry_the_time_of_the_clock"],
    ),
    "a missing message is made up": (overriding(get_message=bugs.made_up), ["get_message_where_there_is_none"]),
    "last looks at everything": (
        overriding(get_last_message=lambda c, stream, _: c(stream, ">")),
        ["get_last_message_of_a_subject", "get_last_message_of_a_filter", "get_last_message_outside_the_stream"],
    ),
    "last looks at the first": (
        overriding(get_last_message=lambda c, stream, _: c(stream, "*.a")),
        ["get_last_message_steps_back_after_a_delete", "get_last_message_of_everything_looks_at_the_end_only"],
    ),
    "subjects are counted without a look at the filter": (
        overriding(count_subjects=lambda c, stream, **_: c(stream)),
        ["count_subjects", "bad_reads_are_refused_before_sending"],
    ),
    "delete of nothing says deleted it": (
        swallowing(MessageNotFoundError, None, "delete_message"),
        ["delete_of_a_missing_message"],
    ),
    "delete takes the first": (
        overriding(delete_message=lambda c, stream, _: c(stream, 1)),
        ["expected_last_subject_sequence_looks_at_what_is_stored"],
    ),
    "delete does nothing": (
        overriding(delete_message=lambda c, stream, _: bugs.done()),
        ["bad_stream_names_are_refused_before_sending", "removal_from_a_missing_stream"],
    ),
    "purge ignores its filter": (
        overriding(purge=lambda c, stream, subject=None, **named: c(stream, **named)),
        ["purge_of_a_subject", "purge_of_a_filter"],
    ),
    "purge ignores keep": (
        overriding(purge=lambda c, stream, keep=None, **named: c(stream, **named)),
        ["purge_keeping_some", "purge_keeping_some_of_a_filter"],
    ),
    "purge ignores the sequence": (
        overriding(purge=lambda c, stream, before_sequence=None, **n: c(stream, **n)),
        ["purge_before_a_sequence", "purge_before_a_sequence_of_a_subject"],
    ),
    "purge counts nothing": (answering("purge", lambda _: 0), ["purge_of_everything", "purge_beyond_the_end"]),
    "purge does nothing": (
        overriding(purge=lambda c, stream, **named: bugs.done(3)),
        ["purge_of_a_stream_never_used", "bad_removals_are_refused_before_sending"],
    ),
    # replays
    "replay ignores filters": (
        replaying(lambda asked: {**asked, "subjects": ()}),
        [
            "replay_of_the_last",
            "replay_of_the_last_per_subject_with_filters",
            "replay_with_filters",
            "bad_replays_are_refused_before_sending",
        ],
    ),
    "replay ignores the policy": (
        replaying(lambda asked: {**asked, "deliver": DELIVER_ALL}),
        [
            "replay_of_new",
            "replay_from_a_sequence",
            "replay_from_beyond_the_end_waits_for_that_sequence",
            "replay_from_a_time_with_filters",
        ],
    ),
    "replay gives only new messages": (
        replaying(lambda asked: {**asked, "deliver": DeliverNew()}),
        ["replay_of_many_messages", "replay_left_by_an_error"],
    ),
    "replay knows nothing pending": (
        replaying(pending=0),
        [
            "replay_of_the_last_per_subject",
            "replay_says_what_is_pending",
            "replay_skips_what_was_removed_before_it_began",
        ],
    ),
    "replay is always caught up": (replaying(caught_up=True), ["replay_of_last_values", "replay_message_by_message"]),
    "replay is never caught up": (replaying(caught_up=False), ["replay_of_an_empty_stream"]),
    "replay repeats": (
        messages(lambda found: found + found[-1:]),
        ["replay_stays_caught_up", "replay_goes_on_after_removals"],
    ),
    "replay reverses": (messages(lambda found: found[::-1]), ["replay_of_all", "replay_continues_between_batches"]),
    "replay skips": (messages(lambda found: found[1:]), ["replays_do_not_disturb_each_other"]),
    "replay drops the last": (messages(lambda found: found[:-1]), ["replay_may_be_cancelled_while_it_waits"]),
    "replay loses headers": (
        messages(lambda found: [altered(each, headers=NO_HEADERS) for each in found]),
        ["replay_delivers_messages_whole"],
    ),
    "replay loses payloads": (
        messages(lambda found: [altered(each, payload=b"") for each in found]),
        ["duplicate_window_ends"],
    ),
    "batches reach nowhere": (
        replaying(batch=lambda batch: msgspec.structs.replace(batch, sequence=0)),
        ["replay_batches_say_how_far_they_reach"],
    ),
    "batches reach only their last message": (
        replaying(
            batch=lambda batch: msgspec.structs.replace(
                batch, sequence=batch.messages[-1].sequence if batch.messages else 0
            )
        ),
        ["replay_caught_up_reaches_the_end_of_its_stream"],
    ),
    "batches have nothing pending": (
        replaying(batch=lambda batch: msgspec.structs.replace(batch, pending=0)),
        ["duplicate_window_ends"],
    ),
    "replay describes another stream": (replaying(stream=_INFO), ["replay_describes_its_stream"]),
    "replay opens when first read": (bugs.opening_late, ["replay_of_a_missing_stream"]),
    "replay stays on the server": (
        bugs.leaking,
        ["replay_left_early_frees_the_server", "replay_may_be_cancelled_as_a_whole"],
    ),
    "interruptions forget the place": (
        bugs.interrupted_at_zero,
        ["replay_ends_when_the_stream_is_deleted", "replay_ends_when_the_stream_is_recreated"],
    ),
    # time and the end
    "the clock stands still": (
        bugs.stopped_clock,
        ["max_age_removes", "max_age_is_exact", "replay_from_an_exact_time"],
    ),
    "bad publications are sent": (late("publish"), ["publish_many_gives_errors_as_values"]),
    "bad reads are sent": (
        late("get_message", "get_last_message", "count_subjects", "stream_info"),
        ["bad_reads_are_refused_before_sending"],
    ),
    "bad removals are sent": (late("delete_message", "purge"), ["duplicate_window_ends"]),
    "closing twice fails": (bugs.closing_once, ["aclose_may_be_repeated"]),
    "closing does nothing": (
        overriding(aclose=lambda c: bugs.done()),
        ["replay_ends_when_the_storage_is_closed", "everything_is_refused_after_aclose"],
    ),
}

_BY_NAME = {check.name: check for check in CHECKS}


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a broken storage never answers is not waited for."""
    for module in (_harness, _publish_many, _replay, _replay_ends):
        monkeypatch.setattr(module, "READ_DEADLINE_S", 0.05)
    monkeypatch.setattr(_harness, "_POLLS", 5)


@pytest.mark.parametrize(
    ("plant", "name"),
    [pytest.param(plant, name, id=f"{bug}-{name}") for bug, (plant, names) in BUGS.items() for name in names],
)
async def test_check_catches_the_bug(plant: Make, name: str) -> None:
    clock = VirtualClock()
    server = SimServer(clock=clock)
    storages = iter((plant(server), SimStorage(server)))

    async def make_storage() -> Storage:
        return next(storages)

    with pytest.raises((AssertionError, LatticeStoreError, TimeoutError)):
        await run_check(_BY_NAME[name], make_storage, storage_type=StorageType.MEMORY, clock=clock)


def test_every_check_has_a_bug_to_catch() -> None:
    bitten = {name for _, names in BUGS.values() for name in names}
    assert bitten == set(_BY_NAME)
