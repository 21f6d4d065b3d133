"""The core: names and subjects to streams. Every verb of a server, with the time as an argument."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from lattice_store.errors import ApiError, NoRespondersError, NotSimulatedError, api_error
from lattice_store.headers import NO_HEADERS, Headers
from lattice_store.model import DeliverPolicy, Message, PubAck
from lattice_store.subjects import overlap
from lattice_store_sim._core import _consumers, _recovery, _source_rules, _stream_rules
from lattice_store_sim._core._ack import Ack
from lattice_store_sim._core._advisories import of_stream
from lattice_store_sim._core._consumer import Consumer
from lattice_store_sim._core._consumer_config import ConsumerConfig
from lattice_store_sim._core._consumer_info import ConsumerInfo
from lattice_store_sim._core._consumer_rules import FILTER_OUTSIDE, is_outside
from lattice_store_sim._core._consumers import Action
from lattice_store_sim._core._context import Context
from lattice_store_sim._core._cursor import Cursor
from lattice_store_sim._core._fast import Answer, FastSend
from lattice_store_sim._core._interest import EVENTS, Interest
from lattice_store_sim._core._links import Links
from lattice_store_sim._core._log import Log
from lattice_store_sim._core._mapping_rules import check_late
from lattice_store_sim._core._names import has_slash
from lattice_store_sim._core._outbox import Outgoing
from lattice_store_sim._core._profile import NEWEST, ServerProfile
from lattice_store_sim._core._publish import UnansweredError
from lattice_store_sim._core._pulls import PullRequest, Refusal
from lattice_store_sim._core._room import Room
from lattice_store_sim._core._routes import Routes
from lattice_store_sim._core._stream import Stream, StreamInfo
from lattice_store_sim._core._stream_config import StreamConfig
from lattice_store_sim._core._stream_updates import check_update
from lattice_store_sim._core._subject_rules import invalid

_DEEPEST = 64
"""How often a message may be sent on before it is taken to go round for ever."""


def _check_named(config: StreamConfig, stream: str | None) -> None:
    if stream is not None and config.name != stream:
        raise api_error(400, 10056, "stream name in subject does not match request")


class SimCore:
    """A JetStream server's state. Refusals raise `ApiError` and change nothing.

    Args:
        profile: which version of the server to be.
        max_replicas: how many replicas a stream may ask for; a lone server takes 1 and refuses more with 10074.
        domain: the JetStream domain.
        room: how much it has room for; any number of bytes by default.
    """

    def __init__(
        self, profile: ServerProfile = NEWEST, *, max_replicas: int = 1, domain: str = "", room: Room | None = None
    ) -> None:
        self.context = Context(profile, max_replicas, domain, deliver=self._take_in)
        self.room = room
        self.streams: dict[str, Stream] = {}
        self.now_ns = 0
        self._last_created_ns = 0
        self._routes = Routes()
        self._taking_in = 0
        self._links = Links()

    def copy(self) -> SimCore:
        """Return the same server once more: what happens to one does not reach the other. Replays stay with this one."""
        copied = SimCore(self.context.profile, room=self.room)
        copied.context = self.context.copy(copied._take_in)
        copied.streams = {name: stream.copy(copied.context) for name, stream in self.streams.items()}
        copied._streams_changed()
        copied.now_ns, copied._last_created_ns = self.now_ns, self._last_created_ns
        copied._links.renew(copied.streams, self.now_ns, copied=True)
        return copied

    # -- time -----------------------------------------------------------------------------------

    def _tick(self, now_ns: int) -> None:
        """Move the time on; an earlier one than before changes nothing."""
        self.now_ns = max(self.now_ns, now_ns)

    def _stream(self, name: str, now_ns: int) -> Stream:
        """Return a stream as it stands at *now_ns*; streams that it takes nothing from can wait."""
        self._tick(now_ns)
        stream = self.streams.get(name)
        if stream is None:
            raise api_error(404, 10059, "stream not found")
        if stream.feeds:
            self._links.bring_up(stream, self.now_ns)
        stream.advance(self.now_ns)
        return stream

    def _run(self, stream: Stream) -> None:
        """Let a stream's consumers deliver what they can, and the streams that take from it have what is new."""
        stream.consumers.run(self.now_ns)
        if stream.followers or stream.feeds:
            self._links.flow(stream, self.now_ns)

    @property
    def next_deadline_ns(self) -> int | None:
        """When something comes due on its own: an expiry, a redelivery, the end of a pull."""
        due = [deadline for stream in self.streams.values() if (deadline := stream.deadline_ns) is not None]
        return min(due, default=None)

    def advance(self, now_ns: int) -> None:
        """Let everything come due that is due by *now_ns*, in the order of time."""
        while (deadline := self.next_deadline_ns) is not None and deadline <= now_ns:
            self._tick(deadline)
            for stream in list(self.streams.values()):
                stream.advance(self.now_ns)
                if stream.followers or stream.feeds:
                    self._links.flow(stream, self.now_ns)
            self.store_told()
        self._tick(now_ns)
        for stream in list(self.streams.values()):
            stream.advance(self.now_ns)  # nothing is due: this finds out what will be next

    def go_on(self, *, now_ns: int) -> None:
        """Let consumers go on that had more to deliver than the shell takes at once."""
        self._tick(now_ns)
        unfinished = list(self.context.unfinished)
        self.context.unfinished.clear()
        for name in unfinished:
            if name in self.streams:
                self._run(self.streams[name])

    # -- clients --------------------------------------------------------------------------------

    @property
    def outbox(self) -> list[Outgoing]:
        """What was sent and not yet taken away, in order; the shell takes it and clears the list."""
        return self.context.outbox

    def subscribe(self, subject: str, group: str | None = None, *, now_ns: int) -> None:
        """Note that a client listens to *subject*, alone or as one of a queue group."""
        self._tick(now_ns)
        self.context.interest.subscribe(subject, group)
        self._interest_changed(subject)

    def unsubscribe(self, subject: str, group: str | None = None, *, now_ns: int) -> None:
        """Take back one `subscribe`."""
        self._tick(now_ns)
        self.context.interest.unsubscribe(subject, group)
        self._interest_changed(subject)

    def forget_clients(self, *, now_ns: int) -> None:
        """Take back every `subscribe`: nobody is connected any more."""
        self._tick(now_ns)
        self.context.interest = Interest()
        for stream in self.streams.values():
            stream.advance(self.now_ns)
            stream.consumers.interest_changed(self.now_ns)

    @property
    def due_ns(self) -> int | None:
        """When to look next whether something has come due: never too late, and cheaper than `next_deadline_ns`."""
        return min((stream.due_ns for stream in self.streams.values()), default=None)

    def _interest_changed(self, subject: str) -> None:
        """Let those look that deliver to just this subject; requests ask when their turn comes."""
        for stream in self.streams.values():
            if stream.consumers.index.delivering_to(subject):
                stream.advance(self.now_ns)
                stream.consumers.interest_changed(self.now_ns, subject)

    # -- streams --------------------------------------------------------------------------------

    def create_stream(
        self, config: StreamConfig, *, stream: str | None = None, pedantic: bool = False, now_ns: int
    ) -> StreamInfo:
        """Create a stream, or confirm one of an equal configuration.

        Args:
            config: as a client gave it.
            stream: the name the request is for, if that is not the configuration's for sure.
            pedantic: whether to refuse what would otherwise be corrected.
            now_ns: when.
        """
        self._tick(now_ns)
        profile = self.context.profile
        config = _stream_rules.stamp(config, profile)
        _check_named(config, stream)
        if has_slash(config.name):
            raise api_error(400, 10128, "Stream name can not contain path separators")
        if config.sealed:
            raise invalid("stream configuration for create can not be sealed")
        if config.mirror_direct and config.mirror is None:
            raise invalid("stream has no mirror but does have mirror direct")
        config = _stream_rules.check(config, profile, self._config_of, pedantic=pedantic)
        _stream_rules.check_replicas(config, max_replicas=self.context.max_replicas)
        existing = self.streams.get(config.name)
        if existing is None:
            return self._add_stream(config)
        if existing.config != config:
            raise api_error(400, 10058, "stream name already in use with a different configuration")
        return self._stream(config.name, now_ns).info(self.now_ns)

    def _config_of(self, stream: str) -> StreamConfig | None:
        holder = self.streams.get(stream)
        return None if holder is None else holder.config

    def _add_stream(self, config: StreamConfig) -> StreamInfo:
        """Return how the stream is made; what it has from others comes later."""
        _source_rules.check_late(config, self.context.profile)
        if self.room is not None:
            self.room.check_reservation(self.streams.values(), config)
        self._refuse_overlap(config)
        check_late(config, self.context.profile, update=False)
        _source_rules.refuse_unsimulated(config)
        # A stream's creation time is its identity: two streams never share one, however still the clock stands.
        self._last_created_ns = max(self.now_ns, self._last_created_ns + 1)
        stream = self.streams[config.name] = Stream(config, self._last_created_ns, self.context)
        self._streams_changed()
        of_stream(self.context, config.name, "created", self.now_ns)
        info = stream.info(self.now_ns)
        self._links.renew(self.streams, self.now_ns)
        return info

    def _streams_changed(self) -> None:
        """Forget who captures what."""
        self._routes.clear()
        self.context.event_streams = [
            stream.captures
            for stream in self.streams.values()
            if any(overlap(subject, EVENTS) for subject in stream.config.subjects)
        ]

    def update_stream(
        self, config: StreamConfig, *, stream: str | None = None, pedantic: bool = False, now_ns: int
    ) -> StreamInfo:
        """Replace a stream's configuration; what is left out goes back to its default. Arguments as for a creation."""
        profile = self.context.profile
        config = _stream_rules.check(config, profile, self._config_of, pedantic=pedantic)
        _check_named(config, stream)
        holder = self._stream(config.name, now_ns)
        # The server checks again what it has made of the configuration; not all of that passes.
        config = _stream_rules.check(_stream_rules.stamp(config, profile), profile, self._config_of, pedantic=pedantic)
        if profile.updated_replicas_checked:
            _stream_rules.check_replicas(config, max_replicas=self.context.max_replicas)
        config = check_update(holder.config, config, profile)
        _consumers.check_stream_update(holder, config.consumer_limits)
        if self.room is not None and config.max_bytes > holder.config.max_bytes:
            self.room.check_reservation(self.streams.values(), config)
        self._refuse_overlap(config)
        check_late(config, profile, update=True)
        _source_rules.check_update_late(config, profile)
        _source_rules.refuse_unsimulated(config)
        holder.update(config, self.now_ns)
        holder.consumers.run(self.now_ns)
        self._streams_changed()
        of_stream(self.context, config.name, "updated", self.now_ns)
        info = holder.info(self.now_ns)
        self._links.renew(self.streams, self.now_ns)
        self._run(holder)
        return info

    def _refuse_overlap(self, config: StreamConfig) -> None:
        for name, other in self.streams.items():
            if name != config.name and any(overlap(a, b) for a in config.subjects for b in other.config.subjects):
                raise api_error(400, 10065, "subjects overlap with an existing stream")

    def delete_stream(self, stream: str, *, now_ns: int) -> None:
        self._stream(stream, now_ns).close(self.now_ns)
        of_stream(self.context, stream, "deleted", self.now_ns)
        del self.streams[stream]
        self._streams_changed()
        self._links.renew(self.streams, self.now_ns)

    def stream_info(self, stream: str, *, now_ns: int) -> StreamInfo:
        return self._stream(stream, now_ns).info(self.now_ns)

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
        """Publish to the stream bound to a literal subject; None if that is not answered (``no_ack``).

        Raises:
            NoRespondersError: no stream is bound to the subject.
            ApiError: refused.
        """
        if now_ns > self.now_ns:
            self.now_ns = now_ns
        else:
            now_ns = self.now_ns
        stream = self._routes.get(subject) or self._route(subject)
        if now_ns >= stream.due_ns:
            stream.advance(now_ns)
        try:
            if self.room is not None:
                self.room.check_use(self.streams.values(), stream)
            ack = stream.publish(subject, payload, headers, now_ns)
        except (ApiError, UnansweredError) as refusal:
            self._run(stream)  # of an atomic batch some may have been stored
            if isinstance(refusal, UnansweredError) or stream.config.no_ack:
                return None
            raise
        if stream.consumers:
            stream.consumers.run(now_ns)
        if stream.followers:
            self._links.flow(stream, now_ns)
        return None if stream.config.no_ack else ack

    def _take_in(self, outgoing: Outgoing) -> None:
        """Store what the server itself publishes in the stream that is bound to it."""
        if self._taking_in >= _DEEPEST:
            raise NotSimulatedError(f"streams that send each other messages for ever, here to {outgoing.to}")
        self._taking_in += 1
        try:
            headers = Headers.from_block(outgoing.headers) if outgoing.headers else NO_HEADERS
            with suppress(ApiError, NoRespondersError):
                self.publish(outgoing.to, outgoing.payload, headers, now_ns=self.now_ns)
        finally:
            self._taking_in -= 1

    def publish_fast(
        self, subject: str, payload: bytes, headers: Headers, sent: FastSend | None, *, now_ns: int
    ) -> list[Answer]:
        """Publish as part of a fast batch; return what is answered, to the message's reply subject.

        Raises:
            NoRespondersError: no stream is bound to the subject.
            ApiError: refused, as no part of any batch.
        """
        stream = self._route(subject)
        self._tick(now_ns)
        stream.advance(self.now_ns)
        answers: list[Answer] = []
        try:
            if self.room is not None:
                self.room.check_use(self.streams.values(), stream)
            answers = stream.publish_fast(subject, payload, headers, sent, self.now_ns)
        except ApiError:
            if not stream.config.no_ack:
                raise
        self._run(stream)
        return answers

    def _route(self, subject: str) -> Stream:
        stream = self._routes.find(subject, self.streams)
        if stream is None:
            raise NoRespondersError(f"no stream is bound to {subject}")
        return stream

    def binds(self, subject: str) -> bool:
        """Return whether a stream takes what is published to a literal subject."""
        return subject in self._routes or self._routes.find(subject, self.streams) is not None

    def store(self, sent: Outgoing, *, now_ns: int) -> None:
        """Let the stream that a message of the server's own is routed to take it, as it takes a client's.

        It is stored under the subject that its receivers read. Nobody is told whether it was.
        """
        stream = self._route(sent.to)
        self._tick(now_ns)
        stream.advance(self.now_ns)
        headers = Headers.from_block(sent.headers) if sent.headers else NO_HEADERS
        with suppress(ApiError, UnansweredError):
            stream.publish(sent.subject or sent.to, sent.payload, headers, self.now_ns)
        self._run(stream)

    def store_told(self) -> None:
        """Let streams store what the server has told by itself."""
        while self.context.inside:
            subject, payload = self.context.inside.pop(0)
            with suppress(ApiError, NoRespondersError):
                self.publish(subject, payload, now_ns=self.now_ns)

    def log(self, stream: str, *, now_ns: int) -> Log:
        """Return what is stored, to be read.

        Raises:
            ApiError: there is no such stream.
        """
        return self._stream(stream, now_ns).log

    def read_directly(self, stream: str) -> str | None:
        """Return which stream answers direct gets from *stream*: itself, or a mirror that does so in its place."""
        own = self.streams.get(stream)
        if own is not None and own.config.allow_direct:
            return stream
        mirrors = (
            name
            for name, one in self.streams.items()
            if one.config.mirror_direct and any(feed.met and feed.source.name == stream for feed in one.feeds)
        )
        return next(mirrors, None)

    def get_message(self, stream: str, sequence: int, *, now_ns: int) -> Message:
        return self._stream(stream, now_ns).get_message(sequence)

    def get_last_message(self, stream: str, filter_: str, *, now_ns: int) -> Message:
        holder = self._stream(stream, now_ns)
        return holder.get_message(holder.log.last_of(filter_))

    def delete_message(self, stream: str, sequence: int, *, now_ns: int) -> None:
        holder = self._stream(stream, now_ns)
        holder.delete_message(sequence)
        self._run(holder)

    def purge(
        self,
        stream: str,
        *,
        filter_: str | None = None,
        before_sequence: int | None = None,
        keep: int | None = None,
        now_ns: int,
    ) -> int:
        holder = self._stream(stream, now_ns)
        removed = holder.purge(filter_, before_sequence, keep)
        self._run(holder)
        return removed

    # -- consumers' clients ---------------------------------------------------------------------

    def pull_next(self, stream: str, consumer: str, request: PullRequest | Refusal, reply: str, *, now_ns: int) -> None:
        """Ask a consumer for messages; whatever comes of it goes to *reply*.

        Raises:
            NoRespondersError: there is no such consumer.
        """
        holder, asked = self._consumer(stream, consumer, now_ns)
        if reply:
            asked.pull(request, reply, self.now_ns)
            self._run(holder)

    def ack(self, stream: str, consumer: str, ack: Ack, reply: str, *, now_ns: int) -> None:
        """Tell a consumer what became of a delivery; it confirms to *reply* if that is given.

        Raises:
            NoRespondersError: there is no such consumer, or it takes no acks.
        """
        holder, told = self._consumer(stream, consumer, now_ns)
        takes_acks = told.config.ack_policy in ("explicit", "all") or self.context.profile.acks_always_taken
        if not takes_acks:
            raise NoRespondersError(f"{consumer} takes no acks")
        told.ack(ack, reply, self.now_ns)
        self._run(holder)

    def answer_flow_control(
        self, stream: str, consumer: str, subject: str, *, last: tuple[int, int] = (0, 0), now_ns: int
    ) -> None:
        """Answer a flow control request of a push consumer by the subject it asked for.

        Args:
            stream: whose consumer it is.
            consumer: its name.
            subject: what the request asked for.
            last: consumer and stream sequence of the last message that the client has; it may ack all up to there.
            now_ns: when.

        Raises:
            NoRespondersError: there is no such consumer, or it has no flow control.
        """
        holder, told = self._consumer(stream, consumer, now_ns)
        if not told.config.flow_control:
            raise NoRespondersError(f"{consumer} has no flow control")
        told.answer_flow_control(subject, last, self.now_ns)
        self._run(holder)

    def _consumer(self, stream: str, name: str, now_ns: int) -> tuple[Stream, Consumer]:
        self._tick(now_ns)
        holder = self.streams.get(stream)
        if holder is not None:
            holder.advance(self.now_ns)
            if (consumer := holder.consumers.at_hand(name)) is not None:
                return holder, consumer
        raise NoRespondersError(f"{stream} has no consumer {name}")

    # -- consumers ------------------------------------------------------------------------------

    def put_consumer(
        self, stream: str, config: ConsumerConfig, *, action: Action = "", pedantic: bool = False, now_ns: int
    ) -> ConsumerInfo:
        """Create a consumer, or change it. Arguments as for `_consumers.put`."""
        _stream_rules.check_replicas(config, max_replicas=self.context.max_replicas)
        holder = self._stream(stream, now_ns)
        consumer = _consumers.put(holder, config, action, pedantic=pedantic, now_ns=self.now_ns)
        info = consumer.info(self.now_ns)  # as it was made: what it delivers comes later
        self._run(holder)
        return info

    def consumer_info(self, stream: str, consumer: str, *, now_ns: int) -> ConsumerInfo:
        holder = self._stream(stream, now_ns)
        sourcing = _consumers.sourcing(holder).get(consumer)
        return _consumers.find(holder, consumer).info(self.now_ns) if sourcing is None else sourcing

    def list_consumers(self, stream: str, *, now_ns: int) -> list[str]:
        """Return the names of a stream's consumers, sorted."""
        holder = self._stream(stream, now_ns)
        return sorted([*holder.consumers, *_consumers.sourcing(holder)])

    def pause_consumer(self, stream: str, consumer: str, until_ns: int | None, *, now_ns: int) -> None:
        holder = self._stream(stream, now_ns)
        _consumers.pause(holder, consumer, until_ns, self.now_ns)
        self._run(holder)

    def unpin_consumer(self, stream: str, consumer: str, group: str, *, now_ns: int) -> None:
        """Take the pin of a priority group from the client that has it."""
        holder = self._stream(stream, now_ns)
        _consumers.unpin(holder, consumer, group, self.now_ns)
        self._run(holder)

    def reset_consumer(self, stream: str, consumer: str, sequence: int = 0, *, now_ns: int) -> tuple[int, ConsumerInfo]:
        """Let a consumer begin anew, by default behind its ack floor; return where, and how it stands there."""
        holder = self._stream(stream, now_ns)
        start = _consumers.reset(holder, consumer, sequence)
        info = _consumers.find(holder, consumer).info(self.now_ns)
        self._run(holder)
        return start, info

    def delete_consumer(self, stream: str, consumer: str, *, now_ns: int) -> None:
        holder = self._stream(stream, now_ns)
        if consumer in _consumers.sourcing(holder):
            self._links.reconnect(holder, consumer, self.now_ns)
        else:
            _consumers.delete(holder, consumer, self.now_ns)

    # -- replays --------------------------------------------------------------------------------

    def open_cursor(self, stream: str, filters: Sequence[str], deliver: DeliverPolicy, *, now_ns: int) -> Cursor:
        """Begin a replay; the shell takes from the cursor whatever it has room for, after every verb."""
        replayed = self._stream(stream, now_ns)
        if any(is_outside(each, replayed.config.subjects, self.context.profile) for each in filters):
            raise api_error(*FILTER_OUTSIDE)
        return replayed.open_cursor(filters, deliver)

    def close_cursor(self, stream: str, cursor: Cursor) -> None:
        """End a replay; one whose stream is gone has ended already."""
        holder = self.streams.get(stream)
        if holder is not None and cursor in holder.cursors:
            holder.close_cursor(cursor)

    # -- the server itself ----------------------------------------------------------------------

    def tell_of_end(self) -> None:
        """Tell the clients of consumers that the server is about to end (jetstream.go, ``signalPullConsumers``)."""
        for stream in self.streams.values():
            for consumer in stream.consumers.values():
                consumer.pulls.tell_of_end()

    def restart(self, *, now_ns: int) -> None:
        """Lose what a server loses when it restarts, such as memory streams, and the IDs of messages no longer stored."""
        self._tick(now_ns)
        kept: list[tuple[Stream, StreamConfig]] = []
        for stream in self.streams.values():
            config = _recovery.config_found(stream.config, self.context.profile, self._config_of)
            if config is not None:
                kept.append((stream, config))
            else:
                stream.batches.clear()
        self.streams = {config.name: stream for stream, config in kept}
        self._streams_changed()
        for stream, config in kept:
            _recovery.restart(stream, config, self.now_ns)
        self._links.renew(self.streams, self.now_ns)
        self.context.api_requests = self.context.api_refusals = 0
