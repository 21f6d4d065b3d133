"""The named differences between versions of nats-server.

The core asks a profile for behaviour, never for a version. Each field says what the versions do; fields are
in the order of the fact they belong to. Their values are in `_profile`.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from lattice_store.limits import SECOND_NS


class ServerProfile(msgspec.Struct, frozen=True, kw_only=True):
    """How one version of nats-server behaves; the defaults are those of the newest."""

    version: str
    """The exact version observed."""
    api_level: int | None = 5
    """JetStream API level; ``None`` before there was one (2.11), when ``_nats.*`` metadata is plain data."""

    # -- requests ---------------------------------------------------------------------------------
    evacuation: bool = True
    """Whether streams can be moved off a peer (STREAM.PEER.EVACUATE, STREAM.CANCEL_MOVE); from 2.15 on."""
    stream_templates: bool = False
    """Whether there are still stream templates; up to 2.12."""
    account_purge: bool = False
    """Whether a lone server purges an account (ACCOUNT.PURGE); up to 2.10."""
    reservations: Literal["limited", "all", "none"] = "limited"
    """Which streams' ``max_bytes`` the account's info sums up as reserved; 2.10 adds the -1 of unlimited ones too."""
    api_level_checked: bool = True
    """Whether Nats-Required-Api-Level is heeded (10185); from 2.12 on."""
    info_origin: bool = True
    """Whether infos say when and where they were gathered (``ts``, ``cluster``); from 2.10 on."""
    unknown_fields_refused: bool = True
    """Whether an unknown field of a JSON request is refused (10025); ignored up to 2.11."""
    later_fields: frozenset[str] = frozenset()
    """Fields of requests and configurations that only later versions know."""
    json_errors_explained: bool = True
    """Whether the refusal of a request's JSON (10025) says what is wrong; from 2.11 on."""
    json_documents_joined: bool = True
    """Whether a request may hold no JSON document, or several, of which later ones complete earlier ones; from 2.11 on."""
    other_bodies_ignored: bool = True
    """Whether a body of options that is no JSON object is ignored; refused (10025) up to 2.10."""

    served_apart: bool = True
    """Whether DIRECT.GET and CONSUMER.MSG.NEXT answer 503 where nobody serves them; up to 2.9 they stay unanswered."""
    negative_offsets_raised: bool = True
    """Whether a list from a negative offset is one from the start, from 2.12 on; before, the request ends the server."""
    no_responders_subject: bool = True
    """Whether the status 503 bears the subject that nobody listens to; from 2.12 on."""

    # -- the client protocol ----------------------------------------------------------------------
    build: tuple[str, str] = ("b2fd3ef", "go1.27.2")
    """The commit and the Go version that INFO tells of."""
    curve_key: bool = True
    """Whether INFO tells of a curve key (``xkey``); from 2.10 on."""
    info_after_connect: bool = True
    """Whether INFO comes once more behind the first PONG, with the client's account; from 2.12 on."""
    second_connect_unsubscribes: bool = True
    """Whether another CONNECT ends all subscriptions; from 2.12 on."""
    raft_subjects_refused: bool = True
    """Whether clients may not publish to ``$NRG.``; from 2.11 on."""
    old_gateway_subjects_refused: bool = True
    """Whether clients may not publish to ``$GR.``, nor want answers there; from 2.15 on."""
    requests_counted_anew: bool = False
    """Whether a request that reaches a client once more may be answered as often as at first; up to 2.9."""
    user_info: Literal["none", "account", "account_name"] = "account_name"
    """What $SYS.REQ.USER.INFO tells of the account: since 2.12 its name once more, since 2.10 its name, in 2.9 nothing."""
    server_flags: int = 7
    """The capabilities that $SYS.REQ.USER.INFO tells of as bits; 3 in 2.10."""
    feature_flags: tuple[str, ...] = (
        *("js_ack_fc_v2=false", "js_api_reply_v2=false"),
        *("js_raft_delete_range=true", "js_snapshot_sources=false"),
    )
    """The switches that $SYS.REQ.USER.INFO tells of; from 2.14 on."""

    # -- configuration of streams -----------------------------------------------------------------
    slashes_in_names: bool = False
    """Whether only a creation refuses slashes in a stream's name (10128); up to 2.11."""
    empty_placement_kept: bool = False
    """Whether a stream that is to be placed, though nowhere in particular, shows that; up to 2.10."""
    negative_limits_kept: bool = False
    """Whether limits below -1 stay as they are instead of becoming -1; up to 2.11."""
    age_before_window: bool = True
    """Whether ``max_age`` is checked before the duplicate window follows it, and refused if negative; from 2.12 on."""
    pedantic_said_twice: bool = False
    """Whether "pedantic mode" stands twice in the refusal of a duplicate window that follows ``max_age``; in 2.11."""
    reserved_subjects: tuple[str, ...] = ("$JS.>", "$JSC.>", "$NRG.>")
    """What only a stream without acks may capture: $NRG from 2.11 on; in 2.9 nothing, but the API itself never."""
    reserved_by_overlap: bool = True
    """Whether a subject is reserved that overlaps a reserved one; up to 2.10 one that lies within it."""
    subjects_in_one_pass: bool = True
    """Whether a subject's overlaps are looked for before the next subject is looked at; from 2.12 on."""
    schedules_checked: bool = True
    """Whether schedules exclude counters and discard policy new; from 2.14 on."""
    updated_replicas_checked: bool = True
    """Whether an update to several replicas is refused by a lone server (10074); from 2.14 on."""
    max_consumers_fixed: bool = False
    """Whether an update can not change ``max_consumers``; up to 2.11."""
    retention_fixed: bool = False
    """Whether an update can not change the retention at all; up to 2.9."""
    new_subject_limit_evicts: bool = True
    """Whether an update evicts what a new ``max_msgs_per_subject`` has no room for, from 2.14 on; before, a lowered one."""
    file_surplus_stays: bool = False
    """Whether a file stream drops one message for each it stores, however many its subject has too many; up to 2.9."""
    unused_files_restart_at_1: bool = False
    """Whether a restart counts a file stream that was never used as purged; up to 2.9."""
    unused_file_lists_0: bool = True
    """Whether a file stream that was never used lists sequence 0 as deleted; from 2.10 on."""
    deleted_tail_listed: bool = True
    """Whether a memory stream lists its very last sequence among the deleted ones; from 2.10 on."""
    subjects_offset_clamped: bool = False
    """Whether an info shows the offset into its subjects as at most their number; up to 2.9."""

    republish_tells_times: bool = True
    """Whether a republished message tells when it was stored; from 2.10 on."""
    republish_bound: bool = False
    """Whether a republish must be about the stream's subjects and name each wildcard, and stays as it is; without wildcards
    its destination is literal, and ``left`` and ``right`` are unknown; up to 2.9."""
    transforms_without_wildcards: bool = True
    """Whether a subject transform's functions may do without wildcards of the source, and there is ``random``; from 2.12
    on."""
    transforms_checked_first: bool = True
    """Whether a mapping is refused with the configuration (10156, 10146), from 2.11 on; before as the stream is made."""
    partition_counts_wrap: bool = False
    """Whether a mapping takes of a number of partitions what 32 bits have room for; up to 2.11, then it is refused."""
    long_numbers_wrap: bool = False
    """Whether a mapping does so with positions and sizes; up to 2.10."""
    left_and_right_refused: bool = False
    """Whether a stream's mapping may not use ``left`` and ``right``; from 2.11 to 2.14."""
    empty_tokens_named: bool = False
    """Whether the refusal of an empty token in a mapping goes on to name it; in 2.11."""

    # -- mirrors and sources -----------------------------------------------------------------------
    mirrors_checked_for_markers: bool = True
    """Whether a mirror may not leave delete markers; from 2.11 on."""
    mirrors_promoted: bool = True
    """Whether an update may make a mirror a stream of its own, from 2.12 on; before, a mirror stays what it is."""
    infos_tell_filters: bool = True
    """Whether infos tell the filters of mirror and sources; from 2.10 on."""
    empty_mirrors_skip: bool = False
    """Whether an empty mirror skips what its origin has no more as messages of that time, up to 2.9, and does not just
    move on."""
    mirrors_close_up: bool = False
    """Whether a mirror goes on without a message that it refuses, and the later ones close up, up to 2.11; then it is
    stuck."""
    rollups_judged_again: bool = False
    """Whether mirrors and sources refuse rollups that their own stream does not allow, up to 2.11; sources are stuck."""
    creations_tell_origins: bool = True
    """Whether the answer to a creation tells of mirror and sources as infos do; from 2.10 on."""
    source_sizes_first: bool = False
    """Whether the message size at a source is checked first, and nothing of a source elsewhere; up to 2.11."""
    sources_wait_beyond_end: bool = True
    """Whether a mirror or source that starts beyond the origin's end waits for that sequence, from 2.15 on, not for the
    next; where its consumer is shown it does already."""
    sourcing_consumers_shown: bool = True
    """Whether an origin that does not keep messages by limits shows the consumers of mirrors and sources; from 2.14 on."""
    source_places_kept: bool = True
    """Whether a restart knows how far sources were read, from 2.15 on; before, it finds out by the messages there are."""
    recreated_origins_noticed: bool = True
    """Whether a source that was deleted and made again is read from its start, from 2.15 on; its messages say which of
    them they are from. Before it is read on from where the former one was left."""
    sources_tell_filters: bool = True
    """Whether Nats-Stream-Source tells filters and destinations of the source; from 2.10 on."""
    sources_tell_subjects: bool = True
    """Whether Nats-Stream-Source tells the subject at the origin; from 2.12 on."""
    source_places_told: bool = True
    """Whether infos tell how far a source was read; from 2.15 on."""
    sources_have_no_window: bool = True
    """Whether a stream with sources has no duplicate window by default; from 2.14 on."""

    # -- publish ----------------------------------------------------------------------------------
    duplicate_first: bool = False
    """Whether a duplicate is found before the expected sequences are looked at; up to 2.11."""
    size_first: bool = True
    """Whether the message's size is checked first; up to 2.14 after the last message ID and the rollup header."""
    expected_subject_filter: bool = True
    """Whether Nats-Expected-Last-Subject-Sequence-Subject has a meaning; from 2.11 on."""
    expected_subject_filter_alone_refused: bool = True
    """Whether that header without a sequence is refused (10193); from 2.12 on."""
    source_header_refused: bool = True
    """Whether a client's Nats-Stream-Source is refused (10227); from 2.15 on."""
    full_size_counted: bool = True
    """Whether discard policy new counts a message's full size, from 2.10 on; only headers and payload before."""
    exact_fit_passes: bool = True
    """Whether a message may fill ``max_bytes``, and on file replace one of its size under policy new; from 2.14 on."""
    invalid_rollup_answered: bool = True
    """Whether a rollup that is neither ``sub`` nor ``all`` is answered (10111); from 2.11 on, before it is ignored."""
    discard_new_evicts: bool = False
    """Whether a stream above ``max_msgs`` or ``max_bytes`` is cut under discard policy new too; up to 2.9."""
    rollup_passes_full_subject: bool = True
    """Whether a rollup passes ``discard_new_per_subject``; from 2.14 on."""
    bad_ttls_counted: bool = False
    """Whether a message that is refused for its TTL counts as the last one, which an expected last sequence or message ID
    then must be; in 2.11."""
    message_ttl: bool = True
    """Whether there are per-message TTLs and delete markers; from 2.11 on, before their headers are plain data."""
    repeated_headers_removed: bool = True
    """Whether all headers of a name are removed where one is to be; only the first up to 2.11."""
    headers_found_by_line: bool = True
    """Whether a control header is found though its name occurs in an earlier line too; from 2.11 on."""
    status_line_dropped: bool = True
    """Whether a status in a message's header block is dropped; stored up to 2.11."""
    schedulers_checked: bool = True
    """Whether headers that end a schedule must make sense (10212); from 2.14 on."""
    schedules_repeat: bool = True
    """Whether schedules may repeat, name a time zone, a source and a rollup; from 2.14 on, before they are for one time."""
    rollups_end_schedules: bool = True
    """Whether a message that rolls up may end a schedule besides; from 2.14 on."""
    own_messages_checked: bool = False
    """Whether what a schedule has made must pass all that a client's message must; up to 2.12."""
    ids_restored_when_asked: bool = False
    """Whether a restart brings back message IDs once one is asked for, up to 2.11; they may be too old by then."""
    old_last_id_restored: bool = True
    """Whether a restart brings back a last message ID that is older than the duplicate window; from 2.15 on."""
    counters: bool = True
    """Whether there are counters, and headers of schedules and atomic batches have a meaning; from 2.12 on."""

    odd_batch_sequences_missing: bool = True
    """Whether a sequence in a batch that is no number counts as missing, from 2.14 on, or as the largest there is."""
    batches_end_apart: bool = True
    """Whether a batch may end with a message of no content (``eob``); from 2.14 on."""
    batch_timeout_renewed: bool = True
    """Whether each message of a batch extends its time; up to 2.12 that runs from the first."""
    crowded_batches_named: bool = True
    """Whether the refusal of a batch too many says so (10210), from 2.14 on, or that the batch is incomplete."""
    unmet_batches_told: bool = True
    """Whether an advisory tells of a batch that is given up for the API level it requires; from 2.14 on."""
    staged_messages_rewritten: bool = True
    """Whether what a batch stores has its counters' sums and its schedules' rollups; up to 2.12 it is as it was sent."""
    half_stored_batches_stick: bool = True
    """Whether a batch ends where a message finds no room, and its ID is then good for nothing; from 2.14 on. Earlier what
    follows is stored, and the last message's answer is that of the batch."""
    fast_batches: bool = True
    """Whether there are fast batches, which are told by their reply subject; from 2.14 on."""
    pings_begin_batches: bool = False
    """Whether a question how far a fast batch has come begins it if there is none; in 2.14."""
    backward_gaps_told: bool = True
    """Whether a fast batch's client is told of a message that has come before; from 2.15 on."""

    # -- reads ------------------------------------------------------------------------------------
    unknown_get_fields: frozenset[str] = frozenset()
    """Fields of a get request that came later: without a meaning to this version."""
    direct_get_body_by_subject: bool = True
    """Whether a direct get with the subject in its own subject may have a body; from 2.12 on."""
    batch_pending_before: bool = False
    """Whether a batch's Nats-Num-Pending counts the message itself, and a ``multi_last``'s goes one too low; in 2.11."""
    lone_message_never_early: bool = False
    """Whether the only message of a memory stream is found for any later time, too; in 2.10."""
    time_search: Literal["exact", "halve", "scan"] = "exact"
    """How a sequence is found by time; the ways of 2.11 and of earlier versions go astray among removed messages."""

    # -- retention --------------------------------------------------------------------------------
    unread_streams_emptied: bool = True
    """Whether a change to retention by interest empties a stream without consumers; from 2.15 on."""
    skips_shown_as_first: frozenset[str] = frozenset()
    """Storages of empty streams whose first time is that of a message that interested nobody; up to 2.10."""
    ack_all_settles: Literal["delivered", "passed", "counted", "all"] = "delivered"
    """What an ack of all lets go if nobody needs it: what awaited that ack; up to 2.12 also what was passed on the way to
    the first of it, in 2.10 also from the sequence on that is as high as it acks many; up to 2.9 all above the floor."""
    longer_filters_hide_stars: bool = False
    """Whether a filter that ends in ``*`` interests nobody in a token with which a longer filter goes on; 2.10 and 2.11."""
    work_queues_ask_others: bool = True
    """Whether a work queue keeps what was acked if another consumer wants it by now; from 2.12 on."""
    skipped_ids_lead_there: bool = True
    """Whether a duplicate of a message that interested nobody is told its sequence; 0 up to 2.9."""
    skipped_rollups_purge: bool = True
    """Whether a rollup that interests nobody removes what it replaces all the same; from 2.12 on."""
    last_end_purges: bool = True
    """Whether the end of the last consumer purges the stream, from 2.10 on, and does not only remove what is unacked."""
    changed_filters_lose_interest: bool = True
    """Whether a consumer's new filters let go what only the old ones kept; from 2.10 on."""
    interest_beyond_floor: bool = True
    """Whether that change removes what is acked above a consumer's ack floor, too; from 2.12 on."""

    # -- purge ------------------------------------------------------------------------------------
    purge_below_1: Literal["none", "by storage", "all"] = "none"
    """What a purge below sequence 1 removes; up to 2.12 all that match, but from 2.10 on none of a whole memory stream."""
    memory_keeps_by_sequence: bool = False
    """Whether a purge that keeps n messages keeps the last n sequences on memory, stored or not; up to 2.12."""
    memory_purge_leaves_first: bool = False
    """Whether a purge by sequence that empties a memory stream leaves its first sequence and time alone; up to 2.12."""

    # -- configuration of consumers ---------------------------------------------------------------
    unknown_consumer_policies: frozenset[str] = frozenset()
    """Policies of a consumer that came later: not valid JSON to this version."""
    consumer_pauses: bool = True
    """Whether there is CONSUMER.PAUSE; from 2.11 on."""
    consumer_resets: bool = True
    """Whether there is CONSUMER.RESET; from 2.14 on."""
    short_filter_in_subject: bool = True
    """Whether a single token after the name in CONSUMER.CREATE counts as a filter; from 2.10 on."""
    legacy_names_checked: bool = True
    """Whether a name in the body of a CONSUMER.CREATE without name is as good as one in the subject; from 2.14 on."""
    legacy_durables_named: bool = True
    """Whether CONSUMER.DURABLE.CREATE sets the name too; from 2.12 on."""
    consumer_names_first: bool = True
    """Whether illegal names are refused before anything else (10052), from 2.12 on; at last before (10103)."""
    low_consumer_numbers_raised: bool = True
    """Whether negative numbers become "not set"; from 2.12 on."""
    negative_waits_refused: bool = True
    """Whether a negative ack wait or backoff is refused; from 2.12 on."""
    backoff_needs_more_deliveries: bool = False
    """Whether ``max_deliver`` must exceed the number of backoff steps, and be set; up to 2.9."""
    filters_outside_accepted: bool = True
    """Whether a filter may lie outside the stream's subjects, from 2.10 on; 10093 before."""
    crossing_filters_accepted: bool = True
    """Whether filters may overlap unless one lies within the other; from 2.12 on."""
    priority_needs_policy: bool = True
    """Whether priority groups without a priority policy are refused; from 2.12 on."""
    workqueue_pull_refusal: str = "consumer in pull mode requires explicit ack policy on workqueue stream"
    """What a pull consumer without acks is told by a work queue; shorter up to 2.10."""
    workqueue_start_first: bool = True
    """Whether a work queue asks for deliver policy all before it looks at the filters; from 2.14 on."""
    workqueue_filters_may_cross: bool = False
    """Whether a work queue takes filters that overlap unless one lies within the other; up to 2.9."""
    workqueue_updates_checked: bool = True
    """Whether a consumer's update must keep the filters of a work queue apart; from 2.10 on."""
    changeable_in_consumers: frozenset[str] = frozenset()
    """Settings that an update could change then; the storage up to 2.12."""
    start_time_bars_updates: bool = False
    """Whether a consumer with a start time can only be updated to what it is; up to 2.9."""
    max_waiting_compared_first: bool = False
    """Whether an update's ``max_waiting`` is compared before its deliver subject; up to 2.9."""
    updates_recount: bool = False
    """Whether every update of a consumer counts anew what is pending and looks for what nobody needs, in 2.10 and 2.11,
    not only one of its filters."""
    lifted_consumer_limits_ignored: bool = True
    """Whether lifting a limit on consumers bothers none of them; from 2.14 on."""

    # -- consumers at run time --------------------------------------------------------------------
    start_beyond_end_waits: bool = True
    """Whether a consumer that begins beyond the stream's end waits for that sequence, from 2.11 on, not for the next."""
    last_may_have_gone: bool = False
    """Whether a consumer of the last message without filters begins at its sequence though it has gone; in 2.10."""
    last_looked_at_again: bool = False
    """Whether a consumer of the last of each subject goes on at the stream's last message, not behind it; up to 2.9."""
    snapshot_moves_position: bool = True
    """Whether deliveries of ``last_per_subject`` move the consumer's position to them; in 2.10 by one only."""
    surplus_recounted: bool = False
    """Whether an info counts anew what is pending if that is more than the stream holds, up to 2.11; cut to it later."""
    infos_recount: bool = False
    """Whether an info always counts anew what is pending, of ``last_per_subject`` the last messages ahead; up to 2.9."""
    ack_floor_at_creation: bool = True
    """Whether the ack floor of a new consumer is where it begins, from 2.14 on; 0 before."""
    told_from_record: bool = True
    """Whether a consumer's info tells what is on record, from 2.11 on, and not the consumer's own state."""
    giving_up_moves_floor: bool = True
    """Whether a consumer's own floor moves past a message it gives up, from 2.14 on."""
    given_up_off_record: bool = True
    """Whether a message given up when its ack wait ends is off the record, from 2.14 on; before, an ack still counts."""
    full_batches_told: bool = True
    """Whether a pull request whose batch is full is told of the bytes that it did not use; from 2.10 on."""
    last_round_moves_floor: bool = True
    """Whether a consumer's own floor follows its position when an ack wait ends with nothing pending; from 2.10 on."""
    late_acks_move_floor: bool = False
    """Whether an ack of what is not pending moves the floor as well; up to 2.9."""
    terms_have_reasons: bool = True
    """Whether a reason may follow ``+TERM``, from 2.10 on; with one it means nothing before."""
    acks_always_taken: bool = False
    """Whether consumers without acks listen to acks too, and do nothing about them; up to 2.9."""
    idle_naks_taken: bool = False
    """Whether a nak delivers again whatever it names while no ack is awaited; up to 2.9."""
    early_acks_ignored: bool = True
    """Whether an ack of what was not delivered yet is neither taken nor confirmed; from 2.10 on."""
    gives_up_at_timeout: bool = True
    """Whether a message that is to be delivered once is given up when its ack wait ends, from 2.10 on, not later."""
    full_pulls_kept_ns: int = SECOND_NS
    """How long a consumer with as many pull requests as it may have takes them all for open; no time up to 2.9."""
    heartbeats_replace_refusals: bool = True
    """Whether a pull request too many is not refused but left without heartbeats, if it wants them; from 2.11 on."""
    purges_forget_redeliveries: bool = True
    """Whether what a purge takes is forgotten to have been redelivered; from 2.10 on."""
    purges_ack: bool = True
    """Whether what a purge takes counts as acked at that time, from 2.14 on, or is only awaited no more."""
    losses_told_by_filter: bool = True
    """Whether consumers hear only of lost messages that their filters want now, from 2.10 on."""
    new_filters_heard: bool = True
    """Whether a waiting consumer wakes for what its new filters want, from 2.10 on, not for what its first ones did."""
    no_redeliveries_after_one: bool = True
    """Whether a consumer that delivers once only tells of no redeliveries, from 2.11 on."""
    undelivered_steps_back: bool = False
    """Whether a redelivery that nobody could take is lost, and sets the consumer back by one message; up to 2.9."""
    no_redelivery_forgotten: bool = True
    """Whether a redelivery that nobody could take does not count as one, from 2.14 on."""
    gone_redeliveries_settled: bool = True
    """Whether a message that has gone before its redelivery counts as acked when its turn comes; from 2.12 on."""
    lost_redeliveries_forgotten: bool = True
    """Whether redeliveries of a message are forgotten when it leaves the stream, from 2.14 on."""
    idle_awaits_acks: bool = True
    """Whether an inactive pull consumer is kept until its last ack wait has passed; from 2.11 on."""
    memory_purges_told_singly: bool = False
    """Whether consumers learn of each message that a purge by filter takes from memory as of a deletion; up to 2.12."""
    single_file_purges_told: bool = True
    """Whether consumers learn which was the only message that a purge by filter took from a file; from 2.11 on."""
    purges_cover_wider: bool = False
    """Whether a purge by filter moves the consumers on that want all of it and more, and no others; up to 2.9."""
    purges_cover_every_filter: bool = True
    """Whether a purge has to be about each filter of a consumer to move its position on; one was enough up to 2.14."""
    dry_pulls_told_apart: bool = True
    """Whether a pull that does not wait is told that messages ran out (404), from 2.11 on; before, that time did (408)."""
    unserved_pulls_end: bool = True
    """Whether a pull that does not wait ends if what was pending is given up, from 2.11 on; before, it stays open."""
    refused_priorities_served: bool = False
    """Whether a pull refused for priorities that its consumer has not is served nevertheless; in 2.11 and 2.12."""

    # -- priority groups --------------------------------------------------------------------------
    wrong_pins_counted: bool = True
    """Whether a pull that ends because of another pin is told what it did not get; from 2.12 on."""
    bytes_before_turns: bool = False
    """Whether a pull's bytes are counted off before it is known whether it is its turn; up to 2.12."""
    overflow_needs_all: bool = False
    """Whether a pull that wants much pending and much not acked gets nothing before both are so; in 2.11."""
    pins_told_at_once: bool = True
    """Whether a new pin is told of for the group that the pull names, from 2.12 on, not when something is delivered, for
    the consumer's first group."""
    lost_pins_forgotten: bool = True
    """Whether a pin that is taken back leaves no time behind, and nothing that ends later; from 2.12 on."""
    unpinning_wakes: bool = True
    """Whether the next pull gets what is pending as soon as a pin is taken back; from 2.12 on."""
    plain_requests_for_pins: bool = True
    """Whether a consumer with pins takes a pull that names no group, from 2.14 on; before, it ends the server."""

    @property
    def release(self) -> tuple[int, int]:
        """The first two numbers of the version."""
        major, minor, *_ = self.version.split(".")
        return int(major), int(minor)
