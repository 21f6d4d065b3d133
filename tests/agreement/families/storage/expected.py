"""What a long run must have seen: for each rule, the answers a server gives to it.

Error codes come with the server's text up to its first number or name, as `pair` labels them.
"""

from __future__ import annotations

from typing import Final

from tests.agreement.tally import Row

_MISSING: Final = "10059 stream not found"
_NO_MESSAGE: Final = "10037 no message found"
_SEALED: Final = "10109 invalid operation on sealed stream"
_CONFIG: Final = (
    "10052 discard new per subject requires discard new policy to be set",
    "10052 discard new per subject requires max msgs per subject > N",
    "10052 duplicates window can not be larger then max age",
    "10052 duplicates window needs to be >= Nms",
    "10052 max age needs to be >= Nms",
    "10052 maximum replicas is N",
    "10052 roll-ups require the purge permission",
    "10065 subjects overlap with an existing stream",
    "10074 replicas > N not supported in non-clustered mode",
)
_PUBLISH: Final = (
    "ok",
    "duplicate",
    "NoRespondersError",
    "InvalidArgumentError",
    "10054 message size exceeds maximum allowed",
    "10060 expected stream does not match",
    "10070 wrong last msg ID",
    "10071 wrong last sequence",
    "10077 maximum bytes exceeded",
    "10077 maximum messages exceeded",
    "10077 maximum messages per subject exceeded",
    _SEALED,
    "10111 rollup not permitted",
    "10111 rollup value invalid",
    "10193 missing sequence for expected last sequence per subject",
)

_ANSWERS: Final = {
    "create_stream": (
        *_CONFIG,
        "ok",
        "10052 stream configuration for create can not be sealed",
        "10058 stream name already in use with a different configuration",
    ),
    "update_stream": (
        *_CONFIG,
        "ok",
        _MISSING,
        "10052 stream configuration update can not cancel deny message deletes",
        "10052 stream configuration update can not cancel deny purge",
        "10052 stream configuration update can not change storage type",
        "10052 stream configuration update can not unseal a sealed stream",
    ),
    "delete_stream": ("ok", _MISSING),
    "list_streams": ("ok",),
    "publish": _PUBLISH,
    "publish_many": ("ok", "duplicate", "NoRespondersError", "InvalidArgumentError", "10071 wrong last sequence"),
    "get_message": ("ok", _MISSING, _NO_MESSAGE),
    "get_last_message": ("ok", _MISSING, _NO_MESSAGE),
    "delete_message": (
        "ok",
        _MISSING,
        _SEALED,
        "10043 sequence N not found",
        "10057 message delete not permitted",
        "10057 no message found",
        "10057 stream store EOF",
    ),
    "purge": ("ok", _MISSING, _SEALED, "InvalidArgumentError", "10110 stream purge not permitted"),
    "replay": ("ok", _MISSING, _NO_MESSAGE, "InvalidArgumentError"),
    "everything": ("ok",),
}

ROWS: Final[frozenset[Row]] = frozenset((rule, answer) for rule, answers in _ANSWERS.items() for answer in answers)

_UP_TO_2_12: Final[frozenset[Row]] = frozenset(
    {("update_stream", "10074 replicas > N not supported in non-clustered mode")}
)
_UP_TO_2_11: Final = _UP_TO_2_12 | {
    ("publish", "10193 missing sequence for expected last sequence per subject"),
}
_UP_TO_2_10: Final = _UP_TO_2_11 | {("publish", "10111 rollup value invalid")}

LACKING: Final = {"2.9": _UP_TO_2_10, "2.10": _UP_TO_2_10, "2.11": _UP_TO_2_11, "2.12": _UP_TO_2_12}
"""What the versions do not answer, or not so."""
