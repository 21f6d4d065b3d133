"""The profile of each version of nats-server, as data: observed on the versions named in `PROFILES`."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from msgspec.structs import replace

from lattice_store.errors import InvalidArgumentError
from lattice_store_sim._core._differences import ServerProfile

__all__ = ("NEWEST", "PROFILES", "ServerProfile", "profile_of")

_NO_HEADERS: Final = frozenset({"no_hdr"})
_BATCHES: Final = frozenset({"batch", "max_bytes", "start_time", "multi_last", "up_to_seq", "up_to_time"})
_PAUSE_AND_PRIORITY: Final = frozenset(
    {
        *("pause_until", "priority_groups", "priority_policy", "priority_timeout"),
        *("group", "id", "min_pending", "min_ack_pending"),
    }
)
_BATCHES_AND_COUNTERS: Final = frozenset(
    {"allow_msg_counter", "allow_atomic", "allow_msg_schedules", "persist_mode", "priority"}
)


_2_14: Final = ServerProfile(
    purges_cover_every_filter=False,
    version="2.14.6",
    build=("1aa10f9", "go1.27.0"),
    feature_flags=("js_ack_fc_v2=false", "js_raft_delete_range=false"),
    old_gateway_subjects_refused=False,
    left_and_right_refused=True,
    sources_wait_beyond_end=False,
    source_places_kept=False,
    recreated_origins_noticed=False,
    source_places_told=False,
    api_level=4,
    evacuation=False,
    size_first=False,
    source_header_refused=False,
    old_last_id_restored=False,
    pings_begin_batches=True,
    backward_gaps_told=False,
    unread_streams_emptied=False,
)
_2_12: Final = replace(
    _2_14,
    version="2.12.8",
    build=("b692325", "go1.26.2"),
    feature_flags=(),
    sources_have_no_window=False,
    sourcing_consumers_shown=False,
    api_level=3,
    stream_templates=True,
    later_fields=frozenset({"allow_batched", "sourcing", "consumer"}),
    schedules_checked=False,
    updated_replicas_checked=False,
    new_subject_limit_evicts=False,
    schedulers_checked=False,
    schedules_repeat=False,
    rollups_end_schedules=False,
    own_messages_checked=True,
    odd_batch_sequences_missing=False,
    batches_end_apart=False,
    batch_timeout_renewed=False,
    crowded_batches_named=False,
    unmet_batches_told=False,
    staged_messages_rewritten=False,
    half_stored_batches_stick=False,
    fast_batches=False,
    exact_fit_passes=False,
    rollup_passes_full_subject=False,
    purge_below_1="by storage",
    memory_keeps_by_sequence=True,
    memory_purge_leaves_first=True,
    consumer_resets=False,
    unknown_consumer_policies=frozenset({"flow_control"}),
    legacy_names_checked=False,
    workqueue_start_first=False,
    changeable_in_consumers=frozenset({"mem_storage"}),
    ack_all_settles="passed",
    lifted_consumer_limits_ignored=False,
    ack_floor_at_creation=False,
    memory_purges_told_singly=True,
    purges_ack=False,
    giving_up_moves_floor=False,
    given_up_off_record=False,
    no_redelivery_forgotten=False,
    lost_redeliveries_forgotten=False,
    refused_priorities_served=True,
    bytes_before_turns=True,
    plain_requests_for_pins=False,
)
_2_11: Final = replace(
    _2_12,
    version="2.11.11",
    build=("ac1095e", "go1.25.4"),
    info_after_connect=False,
    second_connect_unsubscribes=False,
    user_info="account",
    sources_tell_subjects=False,
    source_sizes_first=True,
    rollups_judged_again=True,
    mirrors_close_up=True,
    bad_ttls_counted=True,
    mirrors_promoted=False,
    partition_counts_wrap=True,
    transforms_without_wildcards=False,
    empty_tokens_named=True,
    api_level=1,
    negative_offsets_raised=False,
    unknown_fields_refused=False,
    later_fields=_2_12.later_fields | _BATCHES_AND_COUNTERS,
    api_level_checked=False,
    slashes_in_names=True,
    negative_limits_kept=True,
    age_before_window=False,
    pedantic_said_twice=True,
    subjects_in_one_pass=False,
    max_consumers_fixed=True,
    skipped_rollups_purge=False,
    ids_restored_when_asked=True,
    no_responders_subject=False,
    duplicate_first=True,
    expected_subject_filter_alone_refused=False,
    interest_beyond_floor=False,
    longer_filters_hide_stars=True,
    repeated_headers_removed=False,
    status_line_dropped=False,
    counters=False,
    unknown_get_fields=_NO_HEADERS,
    direct_get_body_by_subject=False,
    batch_pending_before=True,
    time_search="halve",
    unknown_consumer_policies=frozenset({"flow_control", "prioritized"}),
    legacy_durables_named=False,
    consumer_names_first=False,
    low_consumer_numbers_raised=False,
    negative_waits_refused=False,
    crossing_filters_accepted=False,
    priority_needs_policy=False,
    updates_recount=True,
    surplus_recounted=True,
    gone_redeliveries_settled=False,
    work_queues_ask_others=False,
    wrong_pins_counted=False,
    overflow_needs_all=True,
    pins_told_at_once=False,
    lost_pins_forgotten=False,
    unpinning_wakes=False,
)
_2_10: Final = replace(
    _2_11,
    pedantic_said_twice=False,
    batch_pending_before=False,
    ack_all_settles="counted",
    start_beyond_end_waits=False,
    long_numbers_wrap=True,
    last_may_have_gone=True,
    snapshot_moves_position=False,
    no_redeliveries_after_one=False,
    told_from_record=False,
    single_file_purges_told=False,
    version="2.10.26",
    build=("2898698", "go1.24.0"),
    raft_subjects_refused=False,
    server_flags=3,
    left_and_right_refused=False,
    empty_tokens_named=False,
    transforms_checked_first=False,
    mirrors_checked_for_markers=False,
    invalid_rollup_answered=False,
    api_level=None,
    account_purge=True,
    later_fields=_2_11.later_fields
    | _PAUSE_AND_PRIORITY
    | {"allow_msg_ttl", "subject_delete_marker_ttl", "pedantic", "preferred"},
    json_errors_explained=False,
    empty_placement_kept=True,
    json_documents_joined=False,
    other_bodies_ignored=False,
    reservations="all",
    reserved_subjects=("$JS.>", "$JSC.>"),
    reserved_by_overlap=False,
    expected_subject_filter=False,
    skips_shown_as_first=frozenset({"file", "memory"}),
    headers_found_by_line=False,
    message_ttl=False,
    unknown_get_fields=_NO_HEADERS | _BATCHES,
    lone_message_never_early=True,
    heartbeats_replace_refusals=False,
    time_search="scan",
    workqueue_pull_refusal="consumer in pull mode requires ack policy",
    consumer_pauses=False,
    idle_awaits_acks=False,
    dry_pulls_told_apart=False,
    unserved_pulls_end=False,
    refused_priorities_served=False,
)
_2_9: Final = replace(
    _2_10,
    version="2.9.10",
    republish_bound=True,
    republish_tells_times=False,
    empty_mirrors_skip=True,
    infos_tell_filters=False,
    creations_tell_origins=False,
    build=("", "go1.19.8"),
    sources_tell_filters=False,
    curve_key=False,
    requests_counted_anew=True,
    user_info="none",
    purges_cover_wider=True,
    last_may_have_gone=False,
    snapshot_moves_position=True,
    discard_new_evicts=True,
    full_size_counted=False,
    skips_shown_as_first=frozenset({"file"}),
    last_end_purges=False,
    changed_filters_lose_interest=False,
    ack_all_settles="all",
    longer_filters_hide_stars=False,
    skipped_ids_lead_there=False,
    purge_below_1="all",
    served_apart=False,
    losses_told_by_filter=False,
    purges_forget_redeliveries=False,
    full_batches_told=False,
    last_round_moves_floor=False,
    late_acks_move_floor=True,
    terms_have_reasons=False,
    lone_message_never_early=False,
    undelivered_steps_back=True,
    acks_always_taken=True,
    early_acks_ignored=False,
    idle_naks_taken=True,
    gives_up_at_timeout=False,
    full_pulls_kept_ns=0,
    new_filters_heard=False,
    infos_recount=True,
    later_fields=_2_10.later_fields
    | {
        "compression",
        "first_seq",
        "subject_transform",
        "subject_transforms",
        "consumer_limits",
        "metadata",
        "filter_subjects",
        "action",
    },
    reserved_subjects=(),
    retention_fixed=True,
    file_surplus_stays=True,
    unused_files_restart_at_1=True,
    unused_file_lists_0=False,
    deleted_tail_listed=False,
    subjects_offset_clamped=True,
    info_origin=False,
    reservations="none",
    short_filter_in_subject=False,
    backoff_needs_more_deliveries=True,
    filters_outside_accepted=False,
    workqueue_filters_may_cross=True,
    workqueue_updates_checked=False,
    start_time_bars_updates=True,
    max_waiting_compared_first=True,
    updates_recount=False,
)

NEWEST: Final = ServerProfile(version="2.15.1")
PROFILES: Final = MappingProxyType(
    {"2.9": _2_9, "2.10": _2_10, "2.11": _2_11, "2.12": _2_12, "2.14": _2_14, "2.15": NEWEST}
)
"""Every simulated version by its minor version, oldest first."""


def profile_of(version: str) -> ServerProfile:
    """Return the profile of a version such as ``2.12`` or ``2.12.8``.

    Raises:
        InvalidArgumentError: none is known.
    """
    minor = ".".join(version.removeprefix("v").split(".")[:2])
    if minor not in PROFILES:
        raise InvalidArgumentError(f"no profile of nats-server {version!r}; there are {', '.join(PROFILES)}")
    return PROFILES[minor]
