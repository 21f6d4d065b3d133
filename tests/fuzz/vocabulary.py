"""What is said to a server that is fuzzed: names so few that they collide, and values at the edge of what is read.

Requests and fields come from the simulator's own tables, so that what is added there is fuzzed as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from lattice_store_sim._core._consumer_config import ConsumerConfig
from lattice_store_sim._core._profile import NEWEST
from lattice_store_sim._core._pulls import PullRequest
from lattice_store_sim._core._stream_config import StreamConfig
from lattice_store_sim._wire._api import ROUTES
from lattice_store_sim._wire._events import ConnectOptions

NAMES: Final = ("S", "T", "C", "D", "E")
"""Of streams and consumers, and groups."""
SUBJECTS: Final = ("a", "b.1", "b.2", "S.1", "S.2", "S.x.y", "T.1", "T.x", "r.1", "r.2", "d.1", "d.2")
PATTERNS: Final = (
    *SUBJECTS,
    "b.*",
    "S.>",
    "T.*",
    "T.>",
    "r.>",
    "d.*",
    ">",
    "*",
    "*.*",
    "$JS.EVENT.>",
    "$JS.>",
    "$KV.>",
)
ODD_SUBJECTS: Final = (
    "",
    ".",
    "..",
    "a.",
    ".a",
    "a..b",
    ">.a",
    "a.>.b",
    "*a",
    "$",
    "$SYS.a",
    "ä.ö",
    "a\x00b",
    "x" * 300,
)
REQUESTS: Final = [(route.words, route.names) for route in ROUTES if route.offered(NEWEST)]

_KINDS: Final[tuple[type[msgspec.Struct], ...]] = (StreamConfig, ConsumerConfig, PullRequest)
FIELDS: Final = sorted(
    {
        *(name for kind in _KINDS for name in kind.__struct_encode_fields__),
        *("config", "stream_name", "action", "pedantic", "seq", "no_erase", "filter", "keep", "subject", "offset"),
        *(
            "deleted_details",
            "subjects_filter",
            "last_by_subj",
            "next_by_subj",
            "multi_last",
            "up_to_seq",
            "start_time",
        ),
        *("up_to_time", "start_seq", "batch", "max_bytes", "no_hdr", "expires", "no_wait", "idle_heartbeat", "group"),
        *("min_pending", "min_ack_pending", "id", "priority", "pause_until", "src", "dest", "headers_only", "name"),
        *("external", "api", "deliver", "filter_subject", "subject_transforms", "opt_start_seq", "domain", "cluster"),
    }
)
CONNECT_FIELDS: Final = ConnectOptions.__struct_encode_fields__
HEADERS: Final = (
    *("Nats-Msg-Id", "Nats-Expected-Stream", "Nats-Expected-Last-Sequence", "Nats-Expected-Last-Subject-Sequence"),
    *("Nats-Expected-Last-Msg-Id", "Nats-Expected-Last-Subject-Sequence-Subject", "Nats-Rollup", "Nats-TTL"),
    *("Nats-Incr", "Nats-Counter-Sources", "Nats-Batch-Id", "Nats-Batch-Sequence", "Nats-Batch-Commit"),
    *("Nats-Schedule", "Nats-Schedule-Target", "Nats-Schedule-TTL", "Nats-Schedule-Source", "Nats-Schedule-Time-Zone"),
    *("Nats-Schedule-Next", "Nats-Scheduler", "Nats-Marker-Reason", "Nats-Required-Api-Level", "Nats-Pin-Id"),
    *("Nats-Stream", "Nats-Sequence", "Nats-Subject", "Nats-Last-Consumer", "Nats-Stream-Source", "Status", "X", ""),
)
ACKS: Final = (
    *(
        b"",
        b"+ACK",
        b"+OK",
        b"-NAK",
        b"+WPI",
        b"+TERM",
        b"+NXT",
        b"+TERM because",
        b"-NAK 1",
        b'-NAK {"delay":1000000}',
    ),
    *(
        b'-NAK {"delay":-1}',
        b"-NAK {",
        b"-NAK 1h",
        b"+NXT 2",
        b'+NXT {"batch":2}',
        b'+NXT {"batch":-1}',
        b"+NXT {",
        b"?",
    ),
)

DEEP: Final = 5000
"""Levels of a document: fewer than what a server refuses, more than Python likes."""


class Raw(str):
    """JSON as it is written."""

    __slots__ = ()


ODD_VALUES: Final[Sequence[Any]] = (
    *(None, True, False, 0, 1, 2, -1, 3, 10, 1000, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63)),
    *(-(2**63) - 1, 0.5, 1e3, Raw("1e400"), Raw("-0"), Raw("1.0"), Raw("9" * 5000), Raw("0." + "1" * 5000), Raw("NaN")),
    *(
        "",
        "S",
        "T",
        "C",
        "x" * 300,
        "x" * 5000,
        "a\x00b",
        "ä",
        Raw('"\\ud800"'),
        Raw('"\\ud83d\\ude00"'),
        Raw('"\\x"'),
        "1",
        "-1",
    ),
    *(
        "1s",
        "1h2m",
        "never",
        "all",
        "sub",
        "last",
        "new",
        "none",
        "explicit",
        "all",
        "file",
        "memory",
        "limits",
        "interest",
    ),
    *("workqueue", "old", "instant", "original", "overflow", "pinned_client", "prioritized", "by_start_sequence"),
    *("by_start_time", "last_per_subject", "2026-01-01T00:00:00Z", "2999-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
    *(
        "9999-12-31T23:59:59.999999999Z",
        "2026-02-30T00:00:00Z",
        "s2",
        "create",
        "update",
        "@every 1s",
        "{{wildcard(1)}}",
    ),
    *([], {}, [None], [[]], [{}], {"a": None}, {"": ""}, {"a": {"b": []}}, ["S.>"], ["S.>", "S.1"], ["", ""], [1]),
    *(Raw("[" * DEEP + "]" * DEEP), Raw('{"a":' * DEEP + "1" + "}" * DEEP), Raw("[" * 200 + "]" * 200), Raw("")),
    *(Raw("[" * 20000 + "]" * 20000), Raw("[" * 500)),
)
ODD_BYTES: Final = (
    *(
        b"",
        b"\x00",
        b"\r",
        b"\n",
        b"\r\n",
        b"\r\n\r\n",
        b" ",
        b"\t",
        b"\xff",
        b"\xc3\x28",
        b"\xed\xa0\x80",
        b"\xef\xbb\xbf",
    ),
    *(
        b"{",
        b"}",
        b'"',
        b"\\",
        b"-1",
        b"0",
        b"00",
        b"999999999",
        b"1000000000",
        b"99999999999999999999",
        b">",
        b"*",
        b".",
    ),
    *(
        b"PUB",
        b"HPUB",
        b"SUB",
        b"MSG",
        b"PING\r\n",
        b"PONG\r\n",
        b"+OK\r\n",
        b"-ERR 'x'\r\n",
        b"INFO {}\r\n",
        b"NATS/1.0",
    ),
    *(
        b"NATS/1.0\r\n",
        b"NATS/1.0 503\r\n\r\n",
        b"_INBOX.x",
        b"$JS.API.",
        b"$JS.ACK.S.C.1.1.1.1.0",
        b"$SYS.REQ.USER.INFO",
    ),
)
