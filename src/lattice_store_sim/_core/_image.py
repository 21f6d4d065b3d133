"""A file stream as it is kept: all that a restart does not forget, in plain values. Whoever writes it down needs no more.

A stream is put together again from what was kept and then restarts, so that what a server has in memory only is not
kept at all.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from lattice_store.model import Message
from lattice_store_sim._core._consumer import Consumer
from lattice_store_sim._core._consumer_config import ConsumerConfig
from lattice_store_sim._core._context import Context
from lattice_store_sim._core._feed import Place
from lattice_store_sim._core._log import Log
from lattice_store_sim._core._server import SimCore
from lattice_store_sim._core._stream import Stream
from lattice_store_sim._core._stream_config import StreamConfig

_LOG: Final = ("first_sequence", "last_sequence", "last_time_ns", "left_time_ns", "_skipped")
_CONSUMER: Final = {
    "": ("created_ns", "_resume_ns", "_gone"),
    "position": ("next", "_snapshot", "_resume", "_ahead"),
    "acks": (
        *("deliveries", "floor", "pending", "redelivered", "unqueued", "stale", "given_up"),
        *("_rounds", "_round_ns", "_since_ns", "_queue", "_due"),
    ),
    "acks.record": ("delivered", "floor", "pending"),
    "_pace": ("_replayed_to", "_last_ns", "_credit", "_credited_ns"),
}
"""Which fields are kept, by the object that has them. A change here is another format: see ``_stream_file.FORMAT``."""

Values = dict[str, Any]


class ConsumerImage(msgspec.Struct, frozen=True):
    """A consumer: its name, its configuration and the values of its fields."""

    name: str
    config: ConsumerConfig
    values: Values


class StreamImage(msgspec.Struct, frozen=True):
    """A stream without messages and consumers."""

    config: StreamConfig
    created_ns: int


class State(msgspec.Struct, frozen=True):
    """What changes with the messages of a stream."""

    log: Values
    """Where its sequences stand."""
    places: tuple[Place, ...]
    """How far its mirror or its sources were read."""


# -- to values --------------------------------------------------------------------------------------


def image_of(stream: Stream) -> StreamImage:
    """Return what is kept of a stream, apart from messages and consumers."""
    return StreamImage(stream.config, stream.created_ns)


def state_of(stream: Stream) -> State:
    """Return what is kept of a stream and changes with its messages."""
    values = {_key("", name): value for name, value in _values(stream.log, _LOG).items()}
    return State(values, tuple(feed.place for feed in stream.feeds))


def images_of_consumers(stream: Stream) -> list[ConsumerImage]:
    """Return what is kept of a stream's consumers, in their order; those in memory are not."""
    return [_image(each) for each in stream.consumers.values() if not each.config.mem_storage]


def _image(consumer: Consumer) -> ConsumerImage:
    if consumer._held is not None:  # on its way, and yet to be delivered after a restart
        consumer = consumer.copy(consumer._stream)
        assert consumer._held is not None
        consumer.position.give_back(consumer._held.delivery.message)
    values: Values = {}
    for path, names in _CONSUMER.items():
        values |= {_key(path, name): value for name, value in _values(_at(consumer, path), names).items()}
    return ConsumerImage(consumer.name, consumer.config, values)


def _key(path: str, name: str) -> str:
    """Return what a field is called in a file: there nothing is private."""
    return ".".join(part.removeprefix("_") for part in [*path.split("."), name] if part)


def _at(holder: Any, path: str) -> Any:
    for name in path.split(".") if path else ():
        holder = getattr(holder, name)
    return holder


def _values(holder: object, names: Iterable[str]) -> Values:
    return {name: _plain(getattr(holder, name)) for name in names}


def _plain(value: Any) -> Any:
    """Return a value that does not change any more."""
    if isinstance(value, dict):
        return dict(value)
    return tuple(value) if isinstance(value, (tuple, list, set, deque)) else value


# -- and back ---------------------------------------------------------------------------------------


class Kept(msgspec.Struct):
    """All that was kept of one stream."""

    stream: StreamImage
    state: State
    consumers: list[ConsumerImage]
    messages: dict[int, Message]
    """By sequence, ascending."""


def begin(core: SimCore, kept: Iterable[Kept], *, now_ns: int) -> None:
    """Let a server that has no streams yet begin with what was kept of another one."""
    for one in sorted(kept, key=lambda each: each.stream.created_ns):
        stream = _stream(one, core.context)
        core.streams[stream.config.name] = stream
        core._last_created_ns = stream.created_ns
    core.restart(now_ns=now_ns)
    for stream in core.streams.values():
        if any(consumer._gone for consumer in stream.consumers.values()):
            stream.consumers.run(core.now_ns)


def newest_ns(kept: Iterable[Kept]) -> int:
    """Return when the last message was stored, 0 if none was."""
    return max((one.state.log["last_time_ns"] or 0 for one in kept), default=0)


def _stream(kept: Kept, context: Context) -> Stream:
    image = kept.stream
    stream = Stream(image.config, image.created_ns, context)
    stream.log.refill(kept.messages)
    _set(stream.log, {name: kept.state.log[_key("", name)] for name in _LOG})
    for feed, place in zip(stream.feeds, kept.state.places, strict=True):
        feed.start_behind(place)
    for each in kept.consumers:
        stream.consumers.add(_consumer(stream, each))
    return stream


def _consumer(stream: Stream, image: ConsumerImage) -> Consumer:
    consumer = Consumer(stream, image.name, image.config, created_ns=0)
    for path, names in _CONSUMER.items():
        _set(_at(consumer, path), {name: image.values[_key(path, name)] for name in names})
    _catch_up(consumer, stream.log)
    return consumer


def _catch_up(consumer: Consumer, log: Log) -> None:
    """Tell a consumer of messages that went after it was last written: a process may end in between."""
    known = {*consumer._gone, *consumer.acks.stale}
    consumer._gone += [each for each in consumer.acks.pending if each not in log.messages and each not in known]


def _set(holder: object, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        setattr(holder, name, _as_before(getattr(holder, name), value))


def _as_before(former: Any, value: Any) -> Any:
    """Return a value as what the field holds: a file knows lists and maps only."""
    if isinstance(value, dict):
        return type(former)(value)
    if not isinstance(value, (list, tuple)):
        return value
    elements = [tuple(each) if isinstance(each, (list, tuple)) else each for each in value]
    if hasattr(former, "_make"):
        return former._make(elements)
    return type(former)(elements)
