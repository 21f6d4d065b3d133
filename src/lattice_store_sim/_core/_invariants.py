"""What holds between any two verbs of a `SimCore`. Slow and plain on purpose: it recounts everything."""

from __future__ import annotations

from itertools import combinations, pairwise

from lattice_store.subjects import is_literal, overlap
from lattice_store_sim._core import _stream_rules
from lattice_store_sim._core._cursor import Cursor
from lattice_store_sim._core._log import Log
from lattice_store_sim._core._server import SimCore
from lattice_store_sim._core._stream import Stream


def check(core: SimCore) -> None:
    """Recount the whole state.

    Raises:
        AssertionError: says what does not hold.
    """
    for name, stream in core.streams.items():
        _require(stream.config.name == name, f"{name}: filed under another name")
        _check_config(name, stream)
        _check_log(name, stream.log)
        _check_limits(name, stream)
        _check_dedupe(name, stream)
        _check_schedules(name, stream)
        watched = all(cursor in stream.log.observers for cursor in stream.cursors)
        _require(watched, f"{name}: a cursor does not see what comes and goes")
        _check_feeds(core, stream)
        _check_consumers(name, stream)
        for cursor in stream.cursors:
            _require(cursor.pending == _recount(stream.log, cursor), f"{name}: pending is off")
    for kind, counted in (("atomic", core.context.atomic_batches), ("fast", core.context.fast_batches)):
        batches = (getattr(stream.batches, kind) for stream in core.streams.values())
        _require(counted == sum(len(each) for each in batches if each is not None), f"{kind} batches are off")
    for left, right in combinations(core.streams.values(), 2):
        _require(left.created_ns != right.created_ns, "two streams share a creation time")
        clash = any(overlap(one, other) for one in left.config.subjects for other in right.config.subjects)
        _require(not clash, f"{left.config.name} and {right.config.name} capture the same subject")
    for subject, stream in core._routes.items():
        live = core.streams.get(stream.config.name) is stream and stream.captures(subject)
        _require(live, f"{subject}: routed to a stream that does not capture it")


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise AssertionError(otherwise)


def _check_feeds(core: SimCore, stream: Stream) -> None:
    name = stream.config.name
    for feed in stream.feeds:
        origin = feed.origin
        if origin is not None:
            _require(core.streams.get(feed.source.name) is origin, f"{name}: takes from a stream that is gone")
            _require(origin.followers.count(feed) == 1, f"{name}: its origin does not know of it")
            _require(feed.waits or not feed.is_behind, f"{name}: has not all that its origin has for it")
    for feed in stream.followers:
        owner = feed.stream
        live = owner is not None and core.streams.get(owner.config.name) is owner and feed in owner.feeds
        _require(live and feed.origin is stream, f"{name}: followed by what does not take from it")


def _check_consumers(name: str, stream: Stream) -> None:
    consumers = stream.consumers
    due = [deadline for one in consumers.values() if (deadline := one.deadline_ns) is not None]
    _require(consumers.deadline_ns == min(due, default=None), f"{name}: another deadline than the consumers have")
    for consumer in consumers.values():
        waits = consumer.stirred or consumer in consumers.left
        _require(
            waits or not (consumer.is_left or consumer._gone),
            f"{name}: {consumer.name} has something to do, but no turn",
        )
    subjects = [*stream.log.subjects, *(subject for one in consumers.values() for subject in one.config.filters)]
    for subject in filter(is_literal, subjects):
        concerned = {*consumers.index.concerned(subject)}
        wanting = {one for one in consumers.values() if one.wants(subject)}
        _require(wanting <= concerned, f"{name}: {subject} would not reach all consumers that want it")


def _check_config(name: str, stream: Stream) -> None:
    config = stream.config
    if not config.sealed:  # sealing takes back what the defaults give
        settled = _stream_rules.normalise(config, stream.context.profile)
        _require(config == settled, f"{name}: the configuration lacks defaults")


def _check_log(name: str, log: Log) -> None:
    messages = log.messages
    _require(all(key == one.sequence for key, one in messages.items()), f"{name}: a message under another sequence")
    _require(all(a < b for a, b in pairwise(messages)), f"{name}: messages out of order")
    _require(log.bytes == sum(map(log.size_of, messages.values())), f"{name}: bytes are off")
    if messages:
        _require(log.first_sequence == min(messages), f"{name}: first_sequence names no message")
        _require(log.last_sequence >= max(messages), f"{name}: last_sequence went back")
    else:
        unused = log.first_sequence == log.last_sequence == 0
        left = log.left_time_ns is not None and 0 < log.first_sequence <= log.last_sequence
        emptied = log.first_sequence == log.last_sequence + 1
        _require(unused or emptied or left, f"{name}: sequences of an empty stream")
    by_subject: dict[str, list[int]] = {}
    for message in messages.values():
        by_subject.setdefault(message.subject, []).append(message.sequence)
    _require(set(log.subjects) == set(by_subject), f"{name}: the index knows other subjects")
    for subject, sequences in by_subject.items():
        index = log.subjects
        found = (index.sequences(subject.__eq__), index.count(subject), index.first(subject), index.last(subject))
        _require(found == (sequences, len(sequences), sequences[0], sequences[-1]), f"{name}: index of {subject}")


def _check_limits(name: str, stream: Stream) -> None:
    config, log = stream.config, stream.log
    if config.discard == "old":
        _require(config.max_msgs < 0 or len(log.messages) <= config.max_msgs, f"{name}: above max_msgs")
        _require(config.max_bytes < 0 or log.bytes <= config.max_bytes, f"{name}: above max_bytes")
    if config.max_msgs_per_subject > 0 and stream.context.profile.new_subject_limit_evicts:
        fullest = max(map(log.subjects.count, log.subjects), default=0)
        _require(fullest <= config.max_msgs_per_subject, f"{name}: above max_msgs_per_subject")


def _check_dedupe(name: str, stream: Stream) -> None:
    ids, times_ns = stream.dedupe._ids, stream.dedupe._times_ns
    _require(set(ids) == stream.dedupe._sequences.keys(), f"{name}: message IDs that are never forgotten")
    _require(len(ids) == len(times_ns) == len(stream.dedupe), f"{name}: a message ID with two times, or none")
    stored_ns = [each for each in times_ns if each]
    _require(all(a <= b for a, b in pairwise(stored_ns)), f"{name}: message IDs out of order")
    _require((stream.dedupe.deadline_ns is None) == (not ids), f"{name}: message IDs are never, or always, swept")
    deadline = stream.deadline_ns
    _require(deadline is None or stream.due_ns <= deadline, f"{name}: would sleep through a deadline")


def _check_schedules(name: str, stream: Stream) -> None:
    schedules, log = stream.schedules, stream.log
    _require((schedules is not None) == stream.config.allow_msg_schedules, f"{name}: schedules without leave, or none")
    if schedules is None:
        return
    _require(schedules in log.observers, f"{name}: the schedules do not see what comes and goes")
    for subject, entry in schedules._by_subject.items():
        message = log.messages.get(entry.sequence)
        _require(message is not None and message.subject == subject, f"{name}: a schedule of no message")
        waits = entry.fired or schedules.deadline_ns is not None
        _require(waits, f"{name}: would sleep through a schedule")


def _recount(log: Log, cursor: Cursor) -> int:
    ahead = [one for one in cursor._snapshot[cursor._snapshot_at :] if one in log.messages]
    return len(ahead) + sum(
        1 for message in log.messages.values() if message.sequence >= cursor._next and cursor.wants(message.subject)
    )
