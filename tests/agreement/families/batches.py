"""Batches: atomic ones, which are stored all or not at all, and fast ones, which are answered in numbers.

Not drawn: how a batch runs out of time, which takes ten seconds (see the scenarios); on 2.9 rollups of the whole stream
(see family ``publish``).
"""

from __future__ import annotations

from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from tests.agreement.families._spans import FIRST, LAST, Span, lacking, rows
from tests.agreement.family import Family, HeaderPairs, block
from tests.agreement.pair import Sending
from tests.agreement.states import compare_states

_MINUTE_NS = 60 * 10**9
_COUNTERS: list[dict[str, Any]] = [{"allow_msg_counter": True}, {"allow_msg_counter": True, "max_msg_size": 130}]
_LIMITS: list[dict[str, Any]] = [
    *[{}] * 4,
    {"max_msgs": 3, "discard": "new"},
    {"max_msgs": 3},
    {"max_bytes": 400, "discard": "new"},
    {"max_msgs_per_subject": 1},
    {"max_msgs_per_subject": 2, "discard": "new", "discard_new_per_subject": True},
    {"max_msg_size": 130},
    {"retention": "interest"},
    {"retention": "workqueue"},
    {"no_ack": True},
]
_MESSAGES: list[dict[str, Any]] = [
    *[{}] * 2,
    {"allow_rollup_hdrs": True},
    {"allow_rollup_hdrs": True, "allow_msg_ttl": True},
    {"subject_delete_marker_ttl": 90 * _MINUTE_NS},
    {"allow_msg_schedules": True, "allow_msg_ttl": True},
    {"allow_msg_schedules": True},
]
_SETTINGS = [
    *_COUNTERS * 6,
    *[
        {**limits, **messages}
        for limits in _LIMITS
        for messages in _MESSAGES
        if not ("allow_msg_schedules" in messages and limits.get("discard") == "new")
    ],
]
_LEAVES: list[dict[str, Any]] = [
    *[{"allow_atomic": True, "allow_batched": True}] * 6,
    {"allow_atomic": True},
    {"allow_batched": True},
    {},
]
_ID, _SUBJECT = "Nats-Msg-Id", "Nats-Expected-Last-Subject-Sequence"
_LATER = "@at 2190-01-01T00:00:00Z"
_HEADERS: list[list[tuple[str, str]]] = [
    *[[]] * 8,
    *([(_ID, each)] for each in ("one", "two", "three")),
    *([("Nats-Expected-Last-Sequence", str(each))] for each in range(4)),
    *([(_SUBJECT, str(each))] for each in range(3)),
    [(_SUBJECT, "0"), ("Nats-Expected-Last-Subject-Sequence-Subject", "a")],
    [("Nats-Expected-Last-Subject-Sequence-Subject", "a")],
    *([("Nats-Rollup", each)] for each in ("sub", "ALL", "some")),
    *([("Nats-TTL", each)] for each in ("1h", "soon", "never")),
    *([("Nats-Incr", each)] for each in ("1", "-7", "x")),
    [("Nats-Expected-Stream", "OTHER")],
    [("Nats-Expected-Last-Msg-Id", "one")],
    [("Nats-Required-Api-Level", "1")],
    [("Nats-Required-Api-Level", "99")],
    [("Nats-Stream-Source", "a 1")],
    [("Nats-Schedule", _LATER), ("Nats-Schedule-Target", "a")],
    [("Nats-Schedule", _LATER), ("Nats-Schedule-Target", "a"), ("Nats-Schedule-TTL", "1h")],
    [("Nats-Schedule", "x")],
    [("Nats-Schedule-Next", "purge"), ("Nats-Scheduler", "b")],
]
_COMMITS: list[list[tuple[str, str]]] = [
    *[[("Nats-Batch-Commit", "1")]] * 6,
    *[[("Nats-Batch-Commit", "eob")]] * 3,
    [("Nats-Batch-Commit", "x")],
    [("Nats-Batch-Commit", "")],
]
_RELATIVE = frozenset({"Nats-Expected-Last-Subject-Sequence-Subject", "Nats-Schedule-Target", "Nats-Scheduler"})

Message = tuple[str, bytes, list[tuple[str, str]]]

_IDS = ["one", "two", "three", "four"]
tokens = st.sampled_from(["a", "a", "b", "c"])
payloads = st.sampled_from([b"", b"", b"x"])
message: st.SearchStrategy[Message] = st.tuples(tokens, payloads, st.sampled_from(_HEADERS))
plain: st.SearchStrategy[Message] = st.tuples(tokens, payloads, st.just([]))


def batch_of(most: int) -> st.SearchStrategy[list[Message]]:
    """Return batches in which most messages can pass: what is first to be refused decides for all."""
    one_special = st.tuples(st.lists(plain, max_size=most), message, st.lists(plain, max_size=1)).map(
        lambda parts: [*parts[0], parts[1], *parts[2]]
    )
    return st.one_of(one_special, one_special, st.lists(message, min_size=1, max_size=most))


_OUTCOMES = [
    *("10054 message size exceeds maximum allowed", "10060 expected stream does not match"),
    *("10071 wrong last sequence", "10077 maximum messages exceeded", "10077 maximum bytes exceeded"),
    *("10077 maximum messages per subject exceeded", "10111 rollup not permitted", "10111 batch rollup sub invalid"),
    *("10111 batch rollup all invalid", "10111 rollup value invalid", "10164 wrong last sequence"),
    *("10165 invalid per-message TTL", "10166 per-message TTL is disabled", "10168 message counters is disabled"),
    *("10169 message counter increment is missing", "10171 message counter increment is invalid"),
    *("10188 message schedules is disabled", "10189 message schedules pattern is invalid"),
    *("10193 missing sequence for expected last sequence per subject", "ok"),
]
_ATOMIC = [
    *("empty", "10174 atomic publish is disabled", "10175 atomic publish sequence is missing"),
    *("10176 atomic publish batch is incomplete", "10177 atomic publish unsupported header used"),
    *("10179 atomic publish batch ID is invalid", "10185 JetStream minimum api level required"),
    *("10200 atomic publish batch commit is invalid", "10201 atomic publish batch contains duplicate message id"),
]
_SPANS: list[Span] = [
    ("2.12", LAST, "atomic", _ATOMIC + _OUTCOMES),
    (
        *("2.14", LAST, "fast"),
        [
            *("ok", "10205 batch publish is disabled", "10206 batch publish pattern is invalid"),
            *("10207 batch publish ID is invalid", "10208 batch publish ID unknown"),
        ],
    ),
    ("2.12", LAST, "other", ["stream_batch_abandoned"]),
    (FIRST, LAST, "publish", ["ok", "silence"]),
]


class Batches(Family):
    name = "batches"
    weight: ClassVar = 0.5
    bounded_examples: ClassVar = 40
    expected: ClassVar = rows(_SPANS)
    lacking: ClassVar = lacking(_SPANS)

    def __init__(self) -> None:
        super().__init__()
        self.settings: dict[str, Any] = {}
        self.sequences: dict[str, int] = {}
        self.fast_sequences: dict[str, int] = {}
        self.inboxes: dict[str, str] = {}

    @initialize(
        storage=st.sampled_from(["memory", "file"]),
        settings=st.sampled_from(_SETTINGS),
        leave=st.sampled_from(_LEAVES),
    )
    def begin(self, storage: str, settings: dict[str, Any], leave: dict[str, Any]) -> None:
        self.pair.subscribe("$JS.EVENT.ADVISORY.STREAM.BATCH_ABANDONED.>")
        self.settings = {**settings, **self._known(leave)}
        self.create(0, storage, **self.settings)

    def _known(self, leave: dict[str, Any]) -> dict[str, Any]:
        """Return what the version takes, which refuses what it does not know."""
        return {key: value for key, value in leave.items() if key != "allow_batched" or self.profile != "2.12"}

    # -- atomic -----------------------------------------------------------------------------------------

    def _headers(self, own: HeaderPairs) -> list[tuple[str, str]]:
        if not own and self.settings.get("allow_msg_counter"):
            return [("Nats-Incr", "7")]
        if ("Nats-Rollup", "ALL") in own and self.profile == "2.9":
            return []
        return [(name, f"{self.space}.0.{value}" if name in _RELATIVE and value else value) for name, value in own]

    def _atomic(self, batch: str, messages: list[tuple[int, Message, list[tuple[str, str]]]]) -> None:
        self.pair.exchange(
            [
                Sending(
                    "atomic",
                    f"{self.space}.0.{token}",
                    payload,
                    block(
                        [("Nats-Batch-Id", batch), ("Nats-Batch-Sequence", str(sequence)), *commit, *self._headers(own)]
                    ),
                    self.pair.inbox(),
                )
                for sequence, (token, payload, own), commit in messages
            ]
        )

    @rule(
        batch=st.sampled_from([*_IDS[:2], "three" * 20]),
        message=message,
        offset=st.sampled_from([*[0] * 12, 1, -1, 1000]),
        commit=st.sampled_from([*[[]] * 20, *_COMMITS]),
    )
    def atomic_step(self, batch: str, message: Message, offset: int, commit: list[tuple[str, str]]) -> None:
        """Send the next message of a batch, or one out of order."""
        sequence = self.sequences.get(batch, 0) + 1 + offset
        self.sequences[batch] = 0 if offset or commit else sequence
        self._atomic(batch, [(sequence, message, commit)])

    @rule(batches=st.lists(st.tuples(st.sampled_from(_IDS), batch_of(3), st.sampled_from(_COMMITS)), max_size=4))
    def atomic_batches(self, batches: list[tuple[str, list[Message], list[tuple[str, str]]]]) -> None:
        """Send batches as clients do, one after the other."""
        for batch, messages, commit in batches:
            self.sequences[batch] = 0
            last = len(messages)
            self._atomic(batch, [(at, one, commit if at == last else []) for at, one in enumerate(messages, 1)])
        compare_states(self.pair)

    @rule(sequence=st.sampled_from(["", "x", "0", "-1", "18446744073709551616", "01", "1001"]), commit=st.booleans())
    def odd_sequence(self, sequence: str, commit: bool) -> None:
        headers = [("Nats-Batch-Id", "odd"), ("Nats-Batch-Sequence", sequence)]
        headers += [("Nats-Batch-Commit", "eob")] if commit else []
        self.publish(f"{self.space}.0.a", b"", headers, rule="atomic")

    # -- fast -------------------------------------------------------------------------------------------

    def _fast(self, batch: str, flow: int, gaps: str, messages: list[tuple[int, int, Message]]) -> None:
        """Send messages of a fast batch; the answers come to the inbox that they are told apart by."""
        if batch not in self.inboxes:
            self.inboxes[batch] = f"_INBOX.{self.space}.f{len(self.inboxes)}"
            self.pair.subscribe(f"{self.inboxes[batch]}.>", rule="fast")
        self.pair.exchange(
            [
                Sending(
                    "fast",
                    f"{self.space}.0.{token}",
                    payload,
                    block(self._headers(own)),
                    f"{self.inboxes[batch]}.{batch}.{flow}.{gaps}.{sequence}.{operation}.$FI",
                )
                for sequence, operation, (token, payload, own) in messages
            ]
        )

    @rule(
        batch=st.sampled_from([*_IDS[:2], "three" * 20]),
        message=message,
        offset=st.sampled_from([*[0] * 8, 1, -1, 3]),
        operation=st.sampled_from([*[1] * 8, 2, 3, 4, 4, 5, 0]),
        gaps=st.sampled_from(["fail", "ok", "ok"]),
        flow=st.sampled_from([1, 2, 5, 0, 70_000]),
    )
    def fast_step(self, batch: str, message: Message, offset: int, operation: int, gaps: str, flow: int) -> None:
        """Send the next message of a batch, or one out of order."""
        sequence = self.fast_sequences.get(batch, 0) + 1 + offset
        operation = 0 if operation == 1 and sequence == 1 else operation
        sequence -= operation == 4 and offset == 0
        self.fast_sequences[batch] = 0 if operation in (2, 3) else sequence
        self._fast(batch, flow, gaps, [(sequence, operation, message)])

    @rule(
        batch=st.sampled_from(_IDS),
        messages=batch_of(10),
        end=st.sampled_from([2, 2, 3]),
        gaps=st.sampled_from(["fail", "ok"]),
        flow=st.sampled_from([1, 2, 5, 10]),
        dropped=st.sampled_from([*[0] * 6, 1, 2]),
    )
    def fast_batch(self, batch: str, messages: list[Message], end: int, gaps: str, flow: int, dropped: int) -> None:
        """Send a batch as a client does; some of it may be lost."""
        self.fast_sequences[batch] = 0
        sent = [(at, min(at - 1, 1), one) for at, one in enumerate(messages, 1) if at != dropped + 1 or not dropped]
        if end == 2:
            sent[-1] = (sent[-1][0], 2, sent[-1][2])
        else:
            sent.append((sent[-1][0] + 1, 3, messages[-1]))
        self._fast(batch, flow, gaps, sent)
        compare_states(self.pair)

    @rule(
        odd=st.sampled_from(
            ["$FI", "1.$FI", "a.10.fail.1.0.$FI", "x.a.10.fail.1.0.$FI", "x.a.10.some.1.0.$FI", "x.a.y.ok.1.x.$FI"]
        ),
        sequence=st.sampled_from(["0", "2", "18446744073709551615", "01"]),
    )
    def odd_reply(self, odd: str, sequence: str) -> None:
        for reply in (odd, f"a.10.ok.{sequence}.0.$FI", f"a.10.ok.{sequence}.4.$FI"):
            inbox = f"_INBOX.{self.space}.o.{reply}"
            self.pair.subscribe(inbox, rule="fast")
            self.pair.exchange([Sending("fast", f"{self.space}.0.a", b"", b"", inbox)])
            self.pair.unsubscribe(inbox)

    # -- around -----------------------------------------------------------------------------------------

    @rule(message=message)
    def plain(self, message: Message) -> None:
        token, payload, own = message
        self.publish(f"{self.space}.0.{token}", payload, self._headers(own))

    @rule(leave=st.sampled_from(_LEAVES))
    def update(self, leave: dict[str, Any]) -> None:
        compare_states(self.pair)  # a server takes what it does not answer when it gets to it
        name = self.stream(0)
        kept = {key: value for key, value in self.settings.items() if key not in ("allow_atomic", "allow_batched")}
        self.settings = {**kept, **self._known(leave)}
        subjects = [f"{self.space}.0.>"]
        storage = self.storages.get(0, "file")
        self.request(f"STREAM.UPDATE.{name}", {"name": name, "subjects": subjects, "storage": storage, **self.settings})

    @rule(sequence=st.integers(1, 8))
    def delete(self, sequence: int) -> None:
        compare_states(self.pair)
        self.remove(0, sequence)

    @precondition(lambda self: self.storages.get(0) == "file")
    @rule(sure=st.sampled_from([*[False] * 19, True]))
    def restart(self, sure: bool) -> None:
        if sure:
            compare_states(self.pair)
            self.pair.restart()
