"""The whole state of an example: every stream and consumer it made, and every message stored."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from lattice_store.clock import SystemClock
from lattice_store.limits import SECOND_NS
from tests.agreement.client import Arrival
from tests.agreement.comparable import comparable, json_of
from tests.agreement.pair import Pair
from tests.agreement.sides import KEEPER

_PATIENCE_S: Final = 1.0
_POLL_NS: Final = SECOND_NS // 200
_MOST_MESSAGES: Final = 64
_DETAILS: Final = json.dumps({"deleted_details": True, "subjects_filter": ">"}).encode()

Unequal = tuple[str, Arrival | None, Arrival | None]


def make_keeper(pair: Pair) -> None:
    pair.look([(f"$JS.API.STREAM.CREATE.{KEEPER}", json.dumps({"name": KEEPER}).encode())])


def compare_states(pair: Pair, patience_s: float = _PATIENCE_S) -> None:
    """Compare what INFO says of every stream and consumer; a server may need a moment until it says the last."""
    clock = SystemClock()
    end = pair.until(patience_s)
    while unequal := _first_unequal(_infos(pair)):
        if clock.monotonic_ns() > end:
            pair.differ(*unequal)
        pair.wait(_POLL_NS)


def compare_messages(pair: Pair) -> None:
    """Compare the newest messages of every stream, byte by byte."""
    for name in _streams(pair):
        [(_, said, _)] = pair.look([(f"$JS.API.STREAM.INFO.{name}", b"")])
        state = json_of(said.payload)["state"] if said else {"first_seq": 0, "last_seq": 0}
        first = max(1, state["first_seq"], state["last_seq"] - _MOST_MESSAGES)
        gets = [
            (f"$JS.API.STREAM.MSG.GET.{name}", b'{"seq":%d}' % sequence)
            for sequence in range(first, state["last_seq"] + 1)
        ]
        if unequal := _first_unequal(iter(pair.look(gets))):
            pair.differ(*unequal)


def _streams(pair: Pair) -> list[str]:
    """Return the names of the example's streams, as the leading side says."""
    [(_, said, _)] = pair.look([("$JS.API.STREAM.NAMES", b"")])
    names: list[Any] = (json_of(said.payload) or {}).get("streams") or [] if said else []
    return [name for name in names if name != KEEPER]


def _infos(pair: Pair) -> Iterator[Unequal]:
    yield from pair.look([("$JS.API.STREAM.NAMES", b"")])
    names = _streams(pair)
    pair.tally.states += len(names)
    yield from pair.look(
        [
            request
            for name in names
            for request in ((f"$JS.API.STREAM.INFO.{name}", _DETAILS), (f"$JS.API.CONSUMER.LIST.{name}", b""))
        ]
    )


def _first_unequal(looked: Iterator[Unequal]) -> Unequal | None:
    for what, said, heard in looked:
        if said is None or heard is None or (said != heard and _of(said) != _of(heard)):
            return what, said, heard
    return None


def _of(arrival: Arrival) -> tuple[Any, ...]:
    """Return what can agree; consumers listed in the order of their names, which a server may have made up."""
    *rest, payload = comparable(arrival)
    if isinstance(payload, dict) and payload.get("consumers"):
        payload["consumers"] = sorted(payload["consumers"], key=lambda each: each["name"])
    return *rest, payload
