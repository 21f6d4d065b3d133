"""What a stream loses when its server restarts, and what it finds again among what is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lattice_store.errors import ApiError
from lattice_store_sim._core import _stream_rules
from lattice_store_sim._core._control import MESSAGE_ID, NO_CONTROL, Control, read_control
from lattice_store_sim._core._dedupe import Dedupe
from lattice_store_sim._core._profile import ServerProfile
from lattice_store_sim._core._source_rules import Lookup
from lattice_store_sim._core._stream_config import StreamConfig

if TYPE_CHECKING:
    from lattice_store_sim._core._stream import Stream


def config_found(config: StreamConfig, profile: ServerProfile, lookup: Lookup) -> StreamConfig | None:
    """Return with which configuration a stream is there again, None if it is not.

    A server checks what it finds as if it were new. Sealing takes back what other settings need: some streams are lost by
    that, others can be purged again.
    """
    if config.storage != "file":
        return None
    if not config.sealed:
        return config
    try:
        return _stream_rules.check(config, profile, lookup)
    except ApiError:
        return None


def restart(stream: Stream, config: StreamConfig, now_ns: int) -> None:
    """Let a stream forget what the server keeps in memory only, and go on with a configuration."""
    if config != stream.config:
        stream.configure(config, now_ns)
    log, profile = stream.log, stream.context.profile
    if profile.unused_files_restart_at_1:
        log.first_sequence = max(log.first_sequence, 1)
    _expire_on_the_way_up(stream, now_ns)
    for feed in stream.feeds:
        feed.restart(stream)
    if stream.schedules is not None:
        stream.schedules.restart(now_ns)
    stream.dedupe = Dedupe(stream.config.duplicate_window)
    stream.last_message_id, stream.ids_forgotten, stream.miscounted = b"", True, 0
    if not profile.ids_restored_when_asked:
        remember_ids(stream, now_ns)
    stream.batches.restart(now_ns)
    for consumer in list(stream.consumers.values()):
        if consumer.config.mem_storage:
            stream.consumers.remove(consumer)
        else:
            consumer.restart(now_ns)
            stream.consumers.stir(consumer)
    stream.due_ns = 0
    stream.advance(now_ns)


def _expire_on_the_way_up(stream: Stream, now_ns: int) -> None:
    """Remove what has come of age while the server was down, even with a TTL (filestore.go, ``expireMsgsOnRecover``)."""
    if stream.config.subject_delete_marker_ttl:
        return
    if max_age := stream.config.max_age:
        messages = stream.log.messages.values()
        stream.log.remove_all([one.sequence for one in messages if one.time_ns + max_age <= now_ns])


def remember_ids(stream: Stream, now_ns: int) -> None:
    """Take message IDs from the stored messages, if a restart has forgotten them (stream.go ``rebuildDedupe``)."""
    if not stream.ids_forgotten:
        return
    stream.ids_forgotten = False
    log, since_ns = stream.log, now_ns - stream.config.duplicate_window
    for sequence in range(log.first_since(since_ns), log.last_sequence + 1):
        if sequence in log.messages:
            stream.remember(_control_at(stream, sequence), sequence, log.messages[sequence].time_ns, now_ns)
    last = log.messages.get(log.last_sequence)
    is_known = last is not None and last.time_ns >= since_ns
    kept = is_known or stream.context.profile.old_last_id_restored
    stream.last_message_id = _control_at(stream, log.last_sequence).get(MESSAGE_ID, b"") if kept else b""


def _control_at(stream: Stream, sequence: int) -> Control:
    """Return the control headers of a stored message."""
    message = stream.log.messages.get(sequence)
    return read_control(message.headers.block) if message is not None and message.headers else NO_CONTROL
