"""Which of the server's loops its CPU time goes to: a CPU profile of nats-server (``prof_port``), read here.

A profile is a gzipped protocol buffer (google/pprof, profile.proto). Of its messages four fields are needed, so they
are read by hand: a sample names locations, a location functions, and the last of them is where the goroutine began.
"""

from __future__ import annotations

import gzip
import urllib.request
from collections import Counter
from collections.abc import Iterator
from typing import Any

_STORE = "Store).LoadNextMsg"
_LOOPS = {
    "server.(*stream).internalLoop": "stream",
    "server.(*consumer).loopAndGatherMsgs": "consumers",
    "server.(*client).writeLoop": "writers",
    "server.(*client).readLoop": "readers",
    "runtime.gcBgMarkWorker": "collector",
    "runtime.bgsweep": "collector",
}
"""By a function that is on the stack of that loop only, what the loop is called on the page."""
LOOPS = ("stream", "store", "consumers", "writers", "readers", "collector", "other")


def shares(port: int, seconds: int) -> dict[str, float]:
    """Profile the server for so long; return each loop's share of its CPU time.

    Raises:
        ValueError: the server did nothing meanwhile.
    """
    url = f"http://127.0.0.1:{port}/debug/pprof/profile?seconds={seconds}"
    with urllib.request.urlopen(url, timeout=seconds + 30) as answer:
        spent = _by_loop(gzip.decompress(answer.read()))
    total = sum(spent.values())
    if not total:
        raise ValueError("the profile of the server is empty")
    return {loop: round(spent[loop] / total, 4) for loop in LOOPS}


def _by_loop(profile: bytes) -> Counter[str]:
    samples: list[tuple[list[int], int]] = []
    functions_of: dict[int, list[int]] = {}
    name_of: dict[int, int] = {}
    texts: list[str] = []
    for field, value in _fields(profile):
        if field == 2:
            samples.append(_sample(value))
        elif field == 4:
            inner = list(_fields(value))
            lines = [dict(_fields(line)) for number, line in inner if number == 4]
            functions_of[dict(inner)[1]] = [line[1] for line in lines]
        elif field == 5:
            inner = dict(_fields(value))
            name_of[inner[1]] = inner[2]
        elif field == 6:
            texts.append(value.decode())
    spent: Counter[str] = Counter()
    for locations, nanoseconds in samples:
        names = (texts[name_of[each]] for location in locations for each in functions_of[location])
        spent[_loop(names)] += nanoseconds
    return spent


def _sample(value: bytes) -> tuple[list[int], int]:
    inner = dict(_fields(value))
    return _packed(inner[1]), _packed(inner[2])[-1]


def _loop(names: Iterator[str]) -> str:
    for name in names:  # the innermost call first
        if name.endswith(_STORE):
            return "store"
        for ending, loop in _LOOPS.items():
            if name.endswith(ending):
                return loop
    return "other"


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        if key & 7 == 0:
            value, at = _varint(data, at)
        else:  # a profile has no other fields than numbers and texts
            size, at = _varint(data, at)
            value, at = data[at : at + size], at + size
        yield key >> 3, value


def _packed(value: bytes | int) -> list[int]:
    if isinstance(value, int):
        return [value]
    found, at = [], 0
    while at < len(value):
        number, at = _varint(value, at)
        found.append(number)
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, at
        shift += 7
