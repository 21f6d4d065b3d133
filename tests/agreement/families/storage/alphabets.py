"""What the machine draws from: alphabets small enough that names, subjects and message IDs meet.

Left out, and why (a real server decides, so what it does by chance or by mistake is not compared):

- ``no_ack``: a publish is never answered; the wait would be a timeout on both sides.
- Retention other than limits, and the settings kept in ``other``: the simulator refuses them by name.
- File streams made again: nats-server may bring back messages of a deleted file stream made again under its name at
  once (``filestore.go``), so the name of a deleted file stream is never used again.
- Ages and windows of less than a minute: the server is late by up to 0.35 s, the simulator is exact.
- A purge below a sequence that has nothing stored at or above it, on a file stream: nats-server leaves the first
  sequence or the times stale (see `stale_after_purge`).
- On 2.9, purges of all subjects by a sequence or a count, and rollups of them: they fail, or leave the count of
  subjects behind (``memstore.go``, ``Compact``).
- Up to 2.11, deleting the newest of several messages of a subject: see `LOSING`.
- On 2.9, a start time in a memory stream: that server falls (a panic in ``memstore.go``) if a message is missing there.
- Filters of which one hides the other, on 2.10 and 2.11: see `HIDING`.
- Live messages of an open replay: whether one superseded at once is still pushed is a race on the server.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from lattice_store.limits import SECOND_NS
from lattice_store.model import (
    DELIVER_ALL,
    DELIVER_LAST_PER_SUBJECT,
    Compression,
    DeliverFromSequence,
    DeliverLast,
    DeliverNew,
    DiscardPolicy,
    StorageType,
)

_MINUTE_NS = 60 * SECOND_NS

slots = st.sampled_from([0, 0, 0, 0, 1, 1, 1, 2])
"""Which stream; the first two are there from the beginning, the third seldom."""

LOSING = ("2.9", "2.10", "2.11")
"""Where the older messages of a subject are not found once the newest is deleted, until something looks them up."""

tokens = st.sampled_from(["a", "a", "b", "a.x", "a.y", "c*"])
"""A subject below a stream's own token."""

filters = st.sampled_from(["a", "b", "a.*", "a.>", "*", "*.x", ">", "unused", "unused.>"])
any_filter = st.one_of(filters, filters, st.just(None))

sequences = st.integers(1, 12) | st.sampled_from([1, 2, 3, 20])
payloads = st.sampled_from([b"", b"x", b"x" * 20, b"x" * 100, b"x" * 400])
message_ids = st.sampled_from([None, "one", "one", "two"])
headers: st.SearchStrategy[dict[str, str]] = st.sampled_from(
    [
        {},
        {},
        {},
        {"K": "v"},
        {"K": "v", "Long": "x" * 50},
        {"Nats-Rollup": "sub"},
        {"Nats-Rollup": "ALL"},
        *[{"Nats-Rollup": "some"}] * 2,
        {"Nats-Rollup": "some", "K": "v"},
        {"nats-msg-id": "one"},
        {"Empty": ""},
        {"Nats-Expected-Last-Sequence": "abc"},
        {"Nats-Expected-Last-Subject-Sequence": "-1"},
        {"Nats-Expected-Stream": ""},
        {"Nats-Expected-Last-Subject-Sequence-Subject": "a"},
    ]
)

_right_or_not = st.sampled_from(["right", "right", "right", 0, 1, 2, 5])
expectations: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}),
    st.just({}),
    st.fixed_dictionaries({"last_sequence": _right_or_not}),
    st.fixed_dictionaries({"last_subject_sequence": _right_or_not}),
    st.fixed_dictionaries({"last_subject_sequence": st.integers(0, 5), "last_subject_filter": filters}),
    st.fixed_dictionaries({"last_message_id": st.sampled_from(["one", "two"])}),
    st.fixed_dictionaries({"stream": st.sampled_from(["right", "OTHER"])}),
    st.fixed_dictionaries(
        {"stream": st.just("right"), "last_sequence": _right_or_not, "last_message_id": st.just("one")}
    ),
)
"""Arguments of `Expect`; "right" stands for what holds at that moment."""

_NEW = DiscardPolicy.NEW
_changes: list[dict[str, Any]] = [
    {},
    {"max_msgs": 0},
    {"max_msgs": 1},
    {"max_msgs": 3},
    {"max_msgs": 5},
    *[{"max_msgs": 3, "discard": _NEW}] * 2,
    {"max_bytes": 100},
    {"max_bytes": 300},
    {"max_bytes": 1000},
    {"max_bytes": 100, "discard": _NEW},
    {"max_bytes": 300, "discard": _NEW},
    {"max_msgs_per_subject": 1},
    {"max_msgs_per_subject": 2},
    {"max_msgs_per_subject": 1, "discard": _NEW},
    *[{"max_msgs_per_subject": 1, "discard": _NEW, "discard_new_per_subject": True}] * 2,
    {"discard": _NEW},
    {"discard": _NEW, "discard_new_per_subject": True},
    {"discard_new_per_subject": True},
    *[{"max_msg_size": 30}] * 2,
    {"max_msg_size": 150},
    {"max_age_ns": 10 * _MINUTE_NS},
    {"max_age_ns": _MINUTE_NS},
    {"max_age_ns": 1},
    {"duplicate_window_ns": 2 * _MINUTE_NS},
    {"duplicate_window_ns": 10 * _MINUTE_NS},
    {"duplicate_window_ns": 1},
    {"max_age_ns": _MINUTE_NS, "duplicate_window_ns": 2 * _MINUTE_NS},
    *[{"allow_rollup": True}] * 6,
    {"allow_rollup": True, "deny_purge": True},
    *[{"deny_delete": True}] * 2,
    *[{"deny_purge": True}] * 2,
    *[{"sealed": True}] * 2,
    {"num_replicas": 3},
    {"num_replicas": 6},
    {"max_consumers": 5, "compression": Compression.S2, "allow_direct": True},
    {"description": "one"},
    {"description": "two", "metadata": {"owner": "a"}},
    {"subjects": ()},
    {"subjects": ("a", "b", "a.*")},
    {"subjects": ("*", "a.x")},
    {"subjects": ("a.>", "c*")},
    {"subjects": ("../*.a",)},
    {"subjects": ("../>",)},
]
_refused: list[dict[str, Any]] = [
    {"discard_new_per_subject": True},
    {"discard": _NEW, "discard_new_per_subject": True},
    {"max_age_ns": _MINUTE_NS, "duplicate_window_ns": 2 * _MINUTE_NS},
    {"max_age_ns": 1},
    {"duplicate_window_ns": 1},
    {"num_replicas": 3},
    {"num_replicas": 6},
    {"allow_rollup": True, "deny_purge": True},
    *({"subjects": ("../*.a",)}, {"subjects": ("../>",)}),
]
_refusing: list[dict[str, Any]] = [
    *[{"max_msg_size": 30}] * 2,
    {"max_msgs": 1, "discard": _NEW},
    *[{"max_bytes": 100, "discard": _NEW}] * 2,
    {"max_msgs_per_subject": 1, "discard": _NEW, "discard_new_per_subject": True},
    {"deny_delete": True},
    {"deny_purge": True},
    {"sealed": True},
    *[{"allow_rollup": True}] * 2,
]
_some: st.SearchStrategy[dict[str, Any]] = st.lists(st.sampled_from(_changes), max_size=3).map(
    lambda changes: {name: value for change in changes for name, value in change.items()}
)
settings: st.SearchStrategy[dict[str, Any]] = st.one_of(
    _some, _some, st.sampled_from(_refused), st.sampled_from(_refusing)
).map(lambda chosen: {"subjects": (">",)} | chosen)
"""A few settings of a stream; its subjects are below its own token, or with ``../`` reach into those of the others."""

refusing: st.SearchStrategy[dict[str, Any]] = st.sampled_from(_refusing).map(
    lambda chosen: {"subjects": (">",)} | chosen
)
"""Settings of which later requests fall foul."""

storage_types = st.sampled_from(StorageType)

policies = st.one_of(
    st.sampled_from([DELIVER_ALL, DELIVER_LAST_PER_SUBJECT, DeliverLast(), DeliverNew()]),
    st.builds(DeliverFromSequence, sequences),
    st.just("from time"),
)
HIDING = ("*", "a.>")
"""Filters of which servers of 2.10 and 2.11 never deliver ``a``: there the token ``a`` of one hides the ``*``."""

replay_filters = st.one_of(
    st.just(()), st.tuples(filters), st.sampled_from([("a", "b"), ("a.*", "b"), HIDING, ("a", "*")])
)
