"""Which streams of a server take messages from which, and how messages go on from one to the next."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Final

from lattice_store.errors import NotSimulatedError
from lattice_store_sim._core import _retention
from lattice_store_sim._core._feed import Feed
from lattice_store_sim._core._stream import Stream

_ROUNDS_PER_STREAM: Final = 8
_ROUNDS_AT_LEAST: Final = 64


class Links:
    """Mirrors and sources among the streams of one server."""

    def __init__(self) -> None:
        self._streams: dict[Feed, Stream] = {}

    def renew(self, streams: Mapping[str, Stream], now_ns: int, *, copied: bool = False) -> None:
        """Connect what is not connected yet, after streams have come, changed or gone.

        Args:
            streams: all there are.
            now_ns: when.
            copied: these are copies of streams that were connected already.
        """
        former = self._streams
        self._streams = {feed: stream for stream in streams.values() for feed in stream.feeds}
        if not former and not self._streams:
            return
        for stream in streams.values():
            stream.followers = []
        for feed, stream in self._streams.items():
            origin, feed.sought = _origin(streams, feed), True
            if origin is None:
                feed.miss()
            elif copied:
                feed.rebind(stream, origin)
            elif feed.origin is not origin:
                feed.connect(stream, origin, now_ns)
            if feed.origin is not None:
                feed.origin.followers.append(feed)
        for feed in former:
            origin = feed.origin
            if feed not in self._streams and origin is not None and streams.get(origin.config.name) is origin:
                _retention.reader_gone(origin, feed.looked_through(beyond_floor=True))
        for stream in [*streams.values()] if not copied else []:
            if stream.feeds:
                self.flow(stream, now_ns)

    def reconnect(self, origin: Stream, consumer: str, now_ns: int) -> None:
        """Connect anew what has lost its consumer."""
        for feed in origin.followers:
            if feed.consumer is not None and feed.consumer.name == consumer:
                feed.connect(self._streams[feed], origin, now_ns)

    def flow(self, changed: Stream, now_ns: int) -> None:
        """Let messages go on from a stream that has changed, to all that take from it.

        Raises:
            NotSimulatedError: they would go round for ever.
        """
        ahead, rounds = deque([changed]), 0
        while ahead:
            rounds += 1
            if rounds > _ROUNDS_AT_LEAST + _ROUNDS_PER_STREAM * len(self._streams):
                raise NotSimulatedError(
                    f"streams that source each other's messages for ever, such as {changed.config.name}"
                )
            stream = ahead.popleft()
            if now_ns >= stream.due_ns:
                stream.advance(now_ns)
            moved = False
            for feed in stream.feeds:
                if feed.pull(stream, now_ns):
                    moved = True
                    self._room_made(feed, ahead)
            if moved and stream.consumers:
                stream.consumers.run(now_ns)
            if moved or stream is changed:
                ahead.extend(self._streams[feed] for feed in stream.followers)

    def _room_made(self, feed: Feed, ahead: deque[Stream]) -> None:
        """Note that an origin may have lost what was taken from it, and can itself take more."""
        if feed.origin is not None and feed.origin.feeds and feed.origin.config.retention != "limits":
            ahead.append(feed.origin)

    def bring_up(self, stream: Stream, now_ns: int) -> None:
        """Bring a stream that takes from others to where it stands at this time."""
        seen, ahead = {id(stream)}, [stream]
        order = []
        while ahead:
            here = ahead.pop()
            order.append(here)
            for feed in here.feeds:
                if feed.origin is not None and id(feed.origin) not in seen:
                    seen.add(id(feed.origin))
                    ahead.append(feed.origin)
        for each in reversed(order):
            if now_ns >= each.due_ns:
                each.advance(now_ns)
                self.flow(each, now_ns)


def _origin(streams: Mapping[str, Stream], feed: Feed) -> Stream | None:
    return None if feed.source.external is not None else streams.get(feed.source.name)
