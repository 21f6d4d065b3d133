"""One stream as simply as it can be said: a list of messages, read from end to end for every question.

A second opinion on the core: written from what servers were seen to do, without the core's code at hand, with no
index, no table and no thought of cost. It speaks the server's terms, and takes configurations for valid.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, NamedTuple, NoReturn

SECOND = 1_000_000_000
Pairs = Sequence[tuple[str, str]]
_UNIT_MS = {"ms": 1, "s": 1000, "m": 60_000}


class RefusedError(Exception):
    """Code, err_code and text."""


class Kept(NamedTuple):
    subject: str
    sequence: int
    time: int
    headers: Pairs
    payload: bytes


def refuse(code: int, err_code: int, text: str) -> NoReturn:
    raise RefusedError(code, err_code, text)


def covers(filter_: str, subject: str) -> bool:
    """Whether *subject* is one of those that *filter_* means."""
    wanted, given = filter_.split("."), subject.split(".")
    if wanted[-1] == ">":
        wanted, given = wanted[:-1], given[: len(wanted) - 1] if len(given) >= len(wanted) else []
    return len(wanted) == len(given) and all(one in ("*", other) for one, other in zip(wanted, given, strict=True))


def header_size(headers: Pairs) -> int:
    return 12 + sum(len(name) + len(value) + 4 for name, value in headers) if headers else 0


def find(headers: Pairs, name: str) -> str:
    """The first value of that name; an empty one is as good as none."""
    return next((value for other, value in headers if other == name), "")


def ttl_s(text: str) -> int | None:
    """Seconds, 0 for ever, None if it cannot be read."""
    if text.lower() == "never":
        return 0
    written = re.fullmatch(r"(\d+)(ms|s|m)?", text)
    seconds = int(written[1]) * _UNIT_MS[written[2] or "s"] // 1000 if written else 0
    return seconds or None


class NaiveStream:
    """Its methods advance to *now* first; a refusal raises `RefusedError` and changes nothing."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.messages: list[Kept] = []
        self.last_time: int | None = None
        self.last_id = ""
        self.ids: dict[str, tuple[int, int]] = {}
        self.configure(config)
        self.first = self.config.get("first_seq", 0)
        self.last = max(self.first - 1, 0)

    def configure(self, config: dict[str, Any]) -> None:
        age = config.get("max_age", 0)
        window = min(age or 120 * SECOND, 120 * SECOND)
        limits = {"max_msgs": -1, "max_bytes": -1, "max_msgs_per_subject": -1, "max_msg_size": -1}
        self.config = {"max_age": 0, "duplicate_window": window, "discard": "old", **limits, **config}
        self.sealed = self.config.get("sealed", False)
        if self.sealed:
            self.config |= {"max_age": 0, "discard": "new"}
        self.marker_ttl = self.config.get("subject_delete_marker_ttl", 0)
        forced = bool(self.marker_ttl)
        self.ttls = self.config.get("allow_msg_ttl", False) or forced
        self.rollups = (self.config.get("allow_rollup_hdrs", False) or forced) and not self.sealed

    # -- time -------------------------------------------------------------------------------------

    def due(self, message: Kept) -> int | None:
        """When the message's time is up."""
        ttl = ttl_s(find(message.headers, "Nats-TTL")) if self.ttls else None
        ends = [message.time + self.config["max_age"]] if self.config["max_age"] and ttl != 0 else []
        return min([*ends, message.time + ttl * SECOND] if ttl else ends, default=None)

    def advance(self, now: int) -> None:
        while due := [(at, one) for one in self.messages if (at := self.due(one)) is not None and at <= now]:
            first_due = min(at for at, _ in due)
            for message in [one for at, one in due if at == first_due]:
                if message in self.messages:
                    self.expire(message, first_due)
        self.ids = {key: kept for key, kept in self.ids.items() if now - kept[1] < self.config["duplicate_window"]}

    def expire(self, message: Kept, at: int) -> None:
        is_marker = find(message.headers, "Nats-Marker-Reason")
        alone = [one.subject for one in self.messages].count(message.subject) == 1
        if self.marker_ttl and alone and not is_marker:
            ttl = f"{self.marker_ttl // SECOND}s"
            marker = [("Nats-Marker-Reason", "MaxAge"), ("Nats-TTL", ttl), ("Nats-Rollup", "sub")]
            self.store(message.subject, marker, b"", at)
        self.remove([message])

    # -- publish ----------------------------------------------------------------------------------

    def publish(self, now: int, subject: str, payload: bytes, headers: Pairs = ()) -> dict[str, Any]:
        self.advance(now)
        first_seen = self.check(subject, payload, headers)
        if first_seen is not None:
            return {"seq": first_seen, "duplicate": True}
        total = {}
        if self.config.get("allow_msg_counter"):
            before = [json.loads(one.payload)["val"] for one in self.messages if one.subject == subject]
            total = {"val": str(int(before[-1] if before else 0) + int(find(headers, "Nats-Incr")))}
            payload = json.dumps(total, separators=(",", ":")).encode()
            self.check_size(headers, payload)
        if self.marker_ttl and self.config["max_msgs_per_subject"] != 1:
            headers = self.raised(headers)
        return {"seq": self.store(subject, headers, payload, now), **total}

    def check(self, subject: str, payload: bytes, headers: Pairs) -> int | None:
        """Refuse, or return the sequence of the message that this one repeats."""
        expected = {name: value for name, value in headers if name.startswith("Nats-Expected-") and value}
        rollup, ttl = find(headers, "Nats-Rollup").lower(), find(headers, "Nats-TTL")
        if self.sealed:
            refuse(400, 10109, "invalid operation on sealed stream")
        self.check_size(headers, payload)
        if increment := find(headers, "Nats-Incr"):
            self.check_increment(increment, payload, bool(rollup or expected))
        if find(headers, "Nats-Expected-Stream") not in ("", self.config["name"]):
            refuse(400, 10060, "expected stream does not match")
        if ttl and ttl_s(ttl) is not None and not self.ttls:
            refuse(400, 10166, "per-message TTL is disabled")
        wanted, where = (find(headers, f"Nats-Expected-Last-Subject-Sequence{end}") for end in ("", "-Subject"))
        if where and not wanted:
            refuse(400, 10193, "missing sequence for expected last sequence per subject")
        for text, actual in (
            (wanted, self.last_of(where or subject)),
            (find(headers, "Nats-Expected-Last-Sequence"), self.last),
        ):
            if text and (not text.isdigit() or int(text) != actual):
                refuse(400, 10071, f"wrong last sequence: {actual}")
        message_id = find(headers, "Nats-Msg-Id")
        if message_id in self.ids:
            return self.ids[message_id][0]
        if find(headers, "Nats-Expected-Last-Msg-Id") not in ("", self.last_id):
            refuse(400, 10070, f"wrong last msg ID: {self.last_id}")
        if rollup and (not self.rollups or self.config.get("deny_purge")):
            refuse(500, 10111, "rollup not permitted")
        if rollup not in ("", "sub", "all"):
            refuse(500, 10111, f'rollup value invalid: "{rollup}"')
        if self.config.get("allow_msg_counter") and not increment:
            refuse(400, 10169, "message counter increment is missing")
        if ttl and ttl_s(ttl) is None:
            refuse(400, 10165, "invalid per-message TTL")
        if self.config["discard"] == "new":
            self.check_room(subject, self.size(Kept(subject, 0, 0, headers, payload)), bool(rollup))
        return None

    def check_size(self, headers: Pairs, payload: bytes) -> None:
        if 0 <= self.config["max_msg_size"] < header_size(headers) + len(payload):
            refuse(400, 10054, "message size exceeds maximum allowed")

    def check_increment(self, increment: str, payload: bytes, controlled: bool) -> None:
        if not re.fullmatch(r"[+-]?\d+", increment):
            refuse(400, 10171, "message counter increment is invalid")
        if not self.config.get("allow_msg_counter"):
            refuse(400, 10168, "message counters is disabled")
        if payload:
            refuse(400, 10170, "message counter has payload")
        if controlled:
            refuse(400, 10171, "message counter increment is invalid")

    def check_room(self, subject: str, size: int, rollup: bool) -> None:
        same = [one for one in self.messages if one.subject == subject]
        replaces = 0 < self.config["max_msgs_per_subject"] <= len(same)
        if replaces and self.config.get("discard_new_per_subject") and not rollup:
            refuse(503, 10077, "maximum messages per subject exceeded")
        if 0 <= self.config["max_msgs"] <= len(self.messages) and not replaces:
            refuse(503, 10077, "maximum messages exceeded")
        if 0 <= self.config["max_bytes"] < self.bytes + size and not (replaces and size <= self.size(same[0])):
            refuse(503, 10077, "maximum bytes exceeded")

    def raised(self, headers: Pairs) -> Pairs:
        """A TTL below that of the markers is raised to it; its header moves to the end."""
        ttl = ttl_s(find(headers, "Nats-TTL"))
        if not ttl or ttl * SECOND >= self.marker_ttl:
            return headers
        return [*(pair for pair in headers if pair[0] != "Nats-TTL"), ("Nats-TTL", str(self.marker_ttl // SECOND))]

    def store(self, subject: str, headers: Pairs, payload: bytes, now: int) -> int:
        self.last += 1
        self.last_time = now
        self.messages.append(Kept(subject, self.last, now, tuple(headers), payload))
        self.first = self.messages[0].sequence
        self.evict_per_subject()
        self.evict()
        self.last_id = find(headers, "Nats-Msg-Id")
        if self.last_id:
            self.ids[self.last_id] = self.last, now
        if rollup := find(headers, "Nats-Rollup").lower():
            self.remove([one for one in self.messages if rollup == "all" or one.subject == subject][:-1])
        return self.last

    def evict_per_subject(self) -> None:
        limit = self.config["max_msgs_per_subject"]
        for subject in {one.subject for one in self.messages} if limit > 0 else ():
            self.remove([one for one in self.messages if one.subject == subject][:-limit])

    def evict(self) -> None:
        count, size = self.config["max_msgs"], self.config["max_bytes"]
        while self.config["discard"] == "old" and (0 <= count < len(self.messages) or 0 <= size < self.bytes):
            self.remove(self.messages[:1])

    # -- reads ------------------------------------------------------------------------------------

    def size(self, message: Kept) -> int:
        plain = len(message.subject) + header_size(message.headers) + len(message.payload)
        return plain + (16 if self.config["storage"] == "memory" else 34 if message.headers else 30)

    @property
    def bytes(self) -> int:
        return sum(map(self.size, self.messages))

    def last_of(self, filter_: str) -> int:
        """The last sequence on a subject; of everything it is looked for at the very end only."""
        matching = [one.sequence for one in self.messages if covers(filter_, one.subject)]
        if filter_ == ">" and self.last not in matching:
            return 0
        return matching[-1] if matching else 0

    def get(self, now: int, seq: int = 0, last_by_subj: str = "", next_by_subj: str = "") -> Kept:
        self.advance(now)
        if (seq and last_by_subj) or (last_by_subj and next_by_subj) or not (seq or last_by_subj or next_by_subj):
            refuse(400, 10003, "bad request")
        if last_by_subj:
            found = [one for one in self.messages if one.sequence == self.last_of(last_by_subj)]
        elif next_by_subj:
            found = [one for one in self.messages if one.sequence >= seq and covers(next_by_subj, one.subject)]
        else:
            found = [one for one in self.messages if one.sequence == seq]
        return found[0] if found else refuse(404, 10037, "no message found")

    def state(self, now: int) -> dict[str, Any]:
        """As ``STREAM.INFO`` with ``deleted_details`` tells it; times as numbers, or None."""
        self.advance(now)
        kept = {one.sequence for one in self.messages}
        never_used = [0] if self.config["storage"] == "file" else []
        deleted = [each for each in range(self.first, self.last + 1) if each not in kept] if self.first else never_used
        always = {"messages": len(self.messages), "bytes": self.bytes, "first_seq": self.first, "last_seq": self.last}
        times = {"first_ts": self.messages[0].time if self.messages else None, "last_ts": self.last_time}
        subjects = len({one.subject for one in self.messages})
        some = {"num_subjects": subjects, "num_deleted": len(deleted), "deleted": deleted}
        return {**always, **times, **{name: value for name, value in some.items() if value}}

    # -- removal and administration ---------------------------------------------------------------

    def remove(self, messages: Sequence[Kept]) -> int:
        self.messages = [one for one in self.messages if one not in messages]
        if messages:
            self.first = self.messages[0].sequence if self.messages else self.last + 1
        return len(messages)

    def delete(self, now: int, seq: int) -> None:
        self.advance(now)
        if self.sealed:
            refuse(400, 10109, "invalid operation on sealed stream")
        if self.config.get("deny_delete"):
            refuse(500, 10057, "message delete not permitted")
        if not self.remove([one for one in self.messages if one.sequence == seq]):
            if self.config["storage"] == "file" and not max(self.first, 1) <= seq <= self.last:
                refuse(500, 10057, "stream store EOF" if seq > self.last else "no message found")
            refuse(400, 10043, f"sequence {seq} not found")

    def purge(self, now: int, filter: str = "", seq: int = 0, keep: int = 0) -> int:  # noqa: A002  # the server's word
        self.advance(now)
        if seq and keep:
            refuse(400, 10003, "bad request")
        if self.sealed:
            refuse(400, 10109, "invalid operation on sealed stream")
        if self.config.get("deny_purge"):
            refuse(500, 10110, "stream purge not permitted")
        everything = filter in ("", ">")
        matching = [one for one in self.messages if everything or covers(filter, one.subject)]
        if seq:
            matching = [one for one in matching if one.sequence < seq]
        purged = self.remove(matching[:-keep] if keep else matching)
        if everything and seq > max(self.last, 1):
            self.first, self.last = seq, seq - 1
        elif everything and not seq and not keep:
            self.first = self.last + 1
        return purged

    def update(self, now: int, config: dict[str, Any]) -> None:
        self.advance(now)
        self.configure(config)
        self.evict()
        self.advance(now)
        self.evict_per_subject()

    def restart(self, now: int) -> None:
        """What is on file stays; the IDs are those of the messages still stored."""
        stored = [(find(one.headers, "Nats-Msg-Id"), one) for one in self.messages]
        self.ids = {key: (one.sequence, one.time) for key, one in stored if key}
        self.last_id = next((key for key, one in stored if one.sequence == self.last), "")
        self.advance(now)
