"""The core: names and subjects to streams. Every verb of a server, with the time as an argument."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from lattice_store.errors import ApiError, NoRespondersError, api_error
from lattice_store.headers import NO_HEADERS, Headers
from lattice_store.model import DeliverPolicy, Message, PubAck, StorageType, StreamConfig, StreamInfo
from lattice_store.subjects import overlap
from lattice_store_sim._core import _config
from lattice_store_sim._core._consumer import Cursor
from lattice_store_sim._core._stream import Stream

_ROUTES_KEPT = 1 << 18


class SimCore:
    """A JetStream server's state. Refusals raise `ApiError` and change nothing.

    Args:
        max_replicas: how many replicas a stream may ask for; a lone server takes 1 and refuses more with 10074.
    """

    def __init__(self, *, max_replicas: int = 1) -> None:
        self.streams: dict[str, Stream] = {}
        self.now_ns = 0
        self._max_replicas = max_replicas
        self._last_created_ns = 0
        self._routes: dict[str, Stream] = {}

    # -- time -----------------------------------------------------------------------------------

    def _tick(self, now_ns: int) -> None:
        """Move the time on; an earlier one than before changes nothing."""
        self.now_ns = max(self.now_ns, now_ns)

    def _stream(self, name: str, now_ns: int) -> Stream:
        """Return a stream as it stands at *now_ns*; streams do not depend on each other, so the rest can wait."""
        self._tick(now_ns)
        stream = self.streams.get(name)
        if stream is None:
            raise api_error(404, 10059, "stream not found")
        stream.advance(self.now_ns)
        return stream

    # -- streams --------------------------------------------------------------------------------

    def create_stream(self, config: StreamConfig, *, now_ns: int) -> StreamInfo:
        """Create a stream, or confirm one with an equal configuration; see `Storage.create_stream`."""
        self._tick(now_ns)
        _config.refuse_unsimulated(config)
        if config.sealed:
            raise _config.invalid("stream configuration for create can not be sealed")
        config = _config.normalise(config)
        _config.check(config)
        _config.check_replicas(config, max_replicas=self._max_replicas)
        stream = self.streams.get(config.name)
        if stream is None:
            self._refuse_overlap(config)
            # A stream's creation time is its identity: two streams never share one, however still the clock stands.
            self._last_created_ns = max(self.now_ns, self._last_created_ns + 1)
            stream = self.streams[config.name] = Stream(config, self._last_created_ns)
            self._routes.clear()
        elif stream.config != config:
            raise api_error(400, 10058, "stream name already in use with a different configuration")
        stream.advance(self.now_ns)
        return stream.info()

    def update_stream(self, config: StreamConfig, *, now_ns: int) -> StreamInfo:
        """Replace a stream's configuration; see `Storage.update_stream`."""
        _config.refuse_unsimulated(config)
        config = _config.normalise(config)
        _config.check(config)
        stream = self._stream(config.name, now_ns)
        _config.check_replicas(config, max_replicas=self._max_replicas)
        _config.check_update(stream.config, config)
        self._refuse_overlap(config)
        stream.update(_config.seal(config) if config.sealed else config, self.now_ns)
        self._routes.clear()
        return stream.info()

    def _refuse_overlap(self, config: StreamConfig) -> None:
        for name, other in self.streams.items():
            if name != config.name and any(overlap(a, b) for a in config.subjects for b in other.config.subjects):
                raise api_error(400, 10065, "subjects overlap with an existing stream")

    def delete_stream(self, stream: str, *, now_ns: int) -> None:
        self._stream(stream, now_ns)
        del self.streams[stream]
        self._routes.clear()

    def stream_info(self, stream: str, *, now_ns: int) -> StreamInfo:
        return self._stream(stream, now_ns).info()

    def list_streams(self, subject: str | None = None) -> tuple[str, ...]:
        """Return the names of all streams, or of those with a subject that overlaps *subject*, sorted."""
        return tuple(
            sorted(
                name
                for name, stream in self.streams.items()
                if subject is None or any(overlap(subject, own) for own in stream.config.subjects)
            )
        )

    # -- messages -------------------------------------------------------------------------------

    def bound_stream(self, subject: str) -> str | None:
        """Return which stream *subject* was lately published to, if it was: then it is known to be well-formed."""
        stream = self._routes.get(subject)
        return None if stream is None else stream.config.name

    def publish(self, subject: str, payload: bytes, headers: Headers = NO_HEADERS, *, now_ns: int) -> PubAck | None:
        """Publish to the stream bound to a literal subject; None if that stream never answers (``no_ack``).

        Raises:
            NoRespondersError: no stream is bound to the subject.
            ApiError: refused.
        """
        if now_ns > self.now_ns:
            self.now_ns = now_ns
        else:
            now_ns = self.now_ns
        stream = self._routes.get(subject) or self._route(subject)
        stream.advance(now_ns)
        if not stream.config.no_ack:
            return stream.publish(subject, payload, headers, now_ns)
        with suppress(ApiError):
            stream.publish(subject, payload, headers, now_ns)
        return None

    def _route(self, subject: str) -> Stream:
        for stream in self.streams.values():
            if stream.captures(subject):
                if len(self._routes) >= _ROUTES_KEPT:
                    self._routes.clear()
                self._routes[subject] = stream
                return stream
        raise NoRespondersError(f"no stream is bound to {subject}")

    def get_message(self, stream: str, sequence: int, *, now_ns: int) -> Message:
        return self._stream(stream, now_ns).get_message(sequence)

    def get_last_message(self, stream: str, filter_: str, *, now_ns: int) -> Message:
        holder = self._stream(stream, now_ns)
        return holder.get_message(holder.log.last_of(filter_))

    def delete_message(self, stream: str, sequence: int, *, now_ns: int) -> None:
        self._stream(stream, now_ns).delete_message(sequence)

    def purge(
        self,
        stream: str,
        *,
        filter_: str | None = None,
        before_sequence: int | None = None,
        keep: int | None = None,
        now_ns: int,
    ) -> int:
        return self._stream(stream, now_ns).purge(filter_, before_sequence, keep)

    # -- replays --------------------------------------------------------------------------------

    def open_cursor(self, stream: str, filters: Sequence[str], deliver: DeliverPolicy, *, now_ns: int) -> Cursor:
        """Begin a replay; the shell takes from the cursor whatever it has room for, after every verb."""
        return self._stream(stream, now_ns).open_cursor(filters, deliver)

    def close_cursor(self, stream: str, cursor: Cursor) -> None:
        """End a replay; one whose stream is gone has ended already."""
        holder = self.streams.get(stream)
        if holder is not None and cursor in holder.cursors:
            holder.close_cursor(cursor)

    # -- the server itself ----------------------------------------------------------------------

    def restart(self, *, now_ns: int) -> None:
        """Lose what a server loses when it restarts: memory streams, and the IDs of messages no longer stored."""
        self._tick(now_ns)
        kept = {name: one for name, one in self.streams.items() if one.config.storage is StorageType.FILE}
        self.streams = kept
        self._routes.clear()
        for stream in kept.values():
            stream.restart(self.now_ns)
