"""What a stream takes from another one: as a mirror of it, or as one of its sources.

A server has a consumer at the origin for that, connects it a moment later and hears of messages a moment after they are
stored. Here both happen at once. Sources: nats-server stream.go, ``processInboundMirrorMsg``,
``processInboundSourceMsg``, ``trySetupSourceConsumer``, ``setupMirrorConsumer``.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from lattice_store.errors import ApiError
from lattice_store.headers import NO_HEADERS, Headers
from lattice_store.limits import SECOND_NS
from lattice_store.model import Message
from lattice_store_sim._core import _retention, _sourcing
from lattice_store_sim._core._consumer_config import TimeNs
from lattice_store_sim._core._consumer_info import ConsumerInfo, SequencePair
from lattice_store_sim._core._control import SOURCE, read_control, without_header, without_prefixes
from lattice_store_sim._core._filters import compile_filters
from lattice_store_sim._core._log import Log
from lattice_store_sim._core._position import start_of
from lattice_store_sim._core._profile import ServerProfile
from lattice_store_sim._core._sourcing import HEARTBEAT_NS, index_name
from lattice_store_sim._core._stream_config import StreamConfig, StreamSource
from lattice_store_sim._core._subject_transform import transform_of

if TYPE_CHECKING:
    from lattice_store_sim._core._stream import Stream

_NOTICED_NS: Final = 20 * SECOND_NS
"""How long an origin is silent before a server tells that it is gone: it looks every ten seconds for who was so for ten."""
_NOT_FOUND: Final = {"code": 404, "err_code": 10059, "description": "stream not found"}


Outcome = Literal["stored", "passed", "refused"]
"""What became of a message: it is there, it was not for this stream, or it has to wait."""


class Place(msgspec.Struct, frozen=True):
    """How far an origin was read, and which origin that was."""

    sequence: int = 0
    identity: str = ""


class FeedInfo(msgspec.Struct, frozen=True):
    """A mirror or source as it stands."""

    source: StreamSource
    sequence: int
    lag: int
    silent_ns: int | None
    """How long ago the origin was heard of, None if it never was."""
    error: dict[str, Any] | None
    """Why it does not read its origin."""


class Feed:
    """One origin of a stream."""

    def __init__(self, source: StreamSource, *, mirrors: bool, profile: ServerProfile) -> None:
        self.source = source
        self.mirrors = mirrors
        self.profile = profile
        self.index_name = index_name(source)
        self.origin: Stream | None = None
        self.wants = compile_filters(source.filters)
        self.place = Place()
        """How far it came with what was stored."""
        self._read_to = 0
        self.lag = 0
        self.waits = False
        """Whether a message found no room and is tried again."""
        self.met = False
        """Whether a message of the origin came: from then on a mirror can stand in for it."""
        self._left_out = 0
        """How many messages were refused and are not counted, where the later ones then close up."""
        self.heard_ns: int | None = None
        self.error: dict[str, Any] | None = None
        """Why the origin is not read."""
        self.sought = False
        """Whether the origin was looked for: a stream that was just made has not done so yet."""
        self._next = self._before = 0
        self._began, self._delivered, self._connected_ns = _sourcing.consumer_at(source), 0, 0
        self.stream: Stream | None = None
        """Which takes what it reads, while it reads."""
        self._transforms = [transform_of(each.src, each.dest, profile) for each in source.subject_transforms]

    def copy(self) -> Feed:
        """Return the same without an origin: that of the copied server is another one."""
        copied = Feed.__new__(Feed)
        copied.__dict__.update(self.__dict__, origin=None, stream=None)
        return copied

    # -- the origin -----------------------------------------------------------------------------

    def rebind(self, stream: Stream, origin: Stream) -> None:
        """Go on with copies of both streams."""
        self.stream, self.origin = stream, origin

    def start_behind(self, place: Place) -> None:
        """Go on from a place."""
        self.place, self._read_to = place, place.sequence

    def restart(self, stream: Stream) -> None:
        """Forget what a server keeps in memory only."""
        self.origin, self.heard_ns, self.lag, self.waits, self.met, self._left_out = None, None, 0, False, False, 0
        if not self.mirrors and not self.profile.source_places_kept:
            self.place = _last_place(stream, self)
        self.start_behind(self.place)

    def connect(self, stream: Stream, origin: Stream, now_ns: int) -> None:
        """Begin to read an origin, or go on where it was read before; it may refuse the consumer for that."""
        self.origin, self.error = None, None
        if not self.mirrors and [each.src for each in self.source.subject_transforms] == [""]:
            return  # the server asks for a consumer under a subject that ends in a dot, which nobody hears
        try:
            _sourcing.check(self.source, origin.config, self.profile)
        except ApiError as error:
            self.error = {"code": error.code, "err_code": error.err_code, "description": error.description}
            return
        self.stream, self.origin, self.heard_ns, self._connected_ns, self._delivered = stream, origin, now_ns, now_ns, 0
        self._next = (
            self._connect_mirror(stream, origin, now_ns) if self.mirrors else self._connect_source(stream, origin)
        )
        self._before = self._next - 1

    def miss(self) -> None:
        """Find no origin."""
        self.origin, self.error = None, _NOT_FOUND if self.source.external is None else None

    def _connect_mirror(self, stream: Stream, origin: Stream, now_ns: int) -> int:
        log, source = stream.log, self.source
        unused = not log.messages and not log.first_sequence
        if unused:
            start = self._start(origin, source.opt_start_seq, source.opt_start_time)
        else:
            start = self._start(origin, log.last_sequence + 1, None)
        if log.last_sequence < start - 1:
            moves_on = not log.messages and not self.profile.empty_mirrors_skip
            log.skip_to(start - 1, None if moves_on else now_ns)
        return start

    def _connect_source(self, stream: Stream, origin: Stream) -> int:
        log, source, former = stream.log, self.source, self.place.identity
        anew = bool(former) and former != origin.identity and self.profile.recreated_origins_noticed
        if anew:
            self.place, self._read_to = Place(), 0
        self.place = Place(self.place.sequence, origin.identity)
        if self._read_to:
            start = max(self._start(origin, self._read_to + 1, None), self._read_to + 1)  # older ones are passed over
        elif source.opt_start_seq or anew or log.last_time_ns is None:
            start = self._start(origin, source.opt_start_seq, source.opt_start_time)
        else:
            # A server stores a message later than the origin did; here that may be the same time.
            later_ns = log.last_time_ns + 1
            if source.opt_start_time is not None:
                start = self._start(origin, 0, TimeNs(max(source.opt_start_time, later_ns)))
            else:
                start = self._start(origin, 0, TimeNs(later_ns) if log.first_sequence > 1 else None)
        return start

    def _start(self, origin: Stream, sequence: int, time_ns: TimeNs | None) -> int:
        """Return where the server's consumer at the origin begins."""
        like_any_consumer = origin.config.retention != "limits" and self.profile.sourcing_consumers_shown
        if not (self.profile.sources_wait_beyond_end or like_any_consumer):
            sequence = min(sequence, origin.log.last_sequence + 1)
        self._began = _sourcing.consumer_at(self.source, sequence, time_ns)
        return start_of(origin.log, self._began, deque(), one_per_subject=False)

    # -- messages -------------------------------------------------------------------------------

    def pull(self, stream: Stream, now_ns: int) -> bool:
        """Let the stream have what the origin has for it; return whether there was something."""
        origin = self.origin
        if origin is None:
            return False
        log, taken = origin.log, False
        while (message := self._ahead(log)) is not None:
            sequence = message.sequence
            outcome, self.met = self._hand_over(stream, message, now_ns), True
            closes_up = self.mirrors and self.profile.mirrors_close_up and stream.config.discard != "new"
            if outcome == "refused" and closes_up:
                self._left_out += 1
            elif outcome == "refused":
                self.waits = True
                self.lag = max(0, self._count_from(sequence + 1) - 1)
                return taken
            self._read_to, self._next = sequence, sequence + 1
            self.heard_ns, taken = now_ns, True
            self._delivered += 1
            if outcome == "stored":
                self.place = Place(sequence, origin.identity)
            _retention.settled(origin, (sequence,))
        self._next = max(self._next, log.last_sequence + 1)
        self.lag, self.waits = 0, False
        return taken

    @property
    def is_behind(self) -> bool:
        """Whether the origin has something that was not taken."""
        return self.origin is not None and self._ahead(self.origin.log) is not None

    def _ahead(self, log: Log) -> Message | None:
        """Return the next message that is wanted; no sequence is looked at twice."""
        for sequence in range(max(self._next, log.first_sequence), log.last_sequence + 1):
            message = log.messages.get(sequence)
            if message is not None and self.wants(message.subject):
                self._next = sequence
                return message
        return None

    def _count_from(self, sequence: int) -> int:
        assert self.origin is not None
        log = self.origin.log
        return sum(1 for one in log.messages.values() if one.sequence >= sequence and self.wants(one.subject))

    def _hand_over(self, stream: Stream, message: Message, now_ns: int) -> Outcome:
        subject, block = self._subject(message), self._headers(message)
        headers = Headers.from_block(block) if block else NO_HEADERS
        if not self.mirrors:
            return stream.take(subject, message.payload, headers, now_ns)
        sequence = message.sequence - self._left_out
        if sequence > stream.log.last_sequence + 1:
            stream.log.skip_to(sequence - 1)
        elif sequence <= stream.log.last_sequence:
            return "passed"
        return stream.take(subject, message.payload, headers, message.time_ns)

    def _subject(self, message: Message) -> str:
        for transform in self._transforms:
            subject = None if transform is None else transform.match(message.subject, message.sequence)
            if subject is not None:
                return subject
        return message.subject

    def _headers(self, message: Message) -> bytes:
        block = message.headers.block
        if block:
            if not self.mirrors:
                block = without_header(block, SOURCE, repeated=self.profile.repeated_headers_removed)
            block = without_prefixes(block, (b"Nats-Expected-", b"Nats-Batch-"))
        if self.mirrors:
            return block
        return (block[:-2] or b"NATS/1.0\r\n") + b"%b: %b\r\n\r\n" % (SOURCE, self._told(message).encode())

    def _told(self, message: Message) -> str:
        """Return what the header says: origin, sequence, filters, destinations, subject, which origin it was."""
        assert self.origin is not None
        name, filters, destinations = self.index_name.split(" ")
        parts = [name, str(message.sequence)]
        if self.profile.sources_tell_filters:
            parts += (filters, destinations)
        if self.profile.sources_tell_subjects:
            parts.append(message.subject)
        if self.profile.recreated_origins_noticed:
            parts.append(self.origin.identity)
        return " ".join(parts)

    # -- as a reader of the origin ----------------------------------------------------------------

    def needs(self, message: Message) -> bool:
        """Return whether the origin has to keep a message for it."""
        return message.sequence >= self._next and self.wants(message.subject)

    def looked_through(self, *, beyond_floor: bool) -> int:
        """Return up to where it is done with the origin's messages."""
        return self._next - 1

    @property
    def consumer(self) -> ConsumerInfo | None:
        """What the origin tells of it as of a consumer, where it does."""
        origin, stream = self.origin, self.stream
        if origin is None or stream is None or origin.config.retention == "limits":
            return None
        if not self.profile.sourcing_consumers_shown:
            return None
        config = _sourcing.shown_consumer(stream.config, self.source, self._began, stream.context, self._connected_ns)
        place, acted_ns = SequencePair(0, self._before), None
        if self._delivered:
            place, acted_ns = SequencePair(self._delivered, self._read_to), self.heard_ns
        return ConsumerInfo(
            stream=origin.config.name,
            name=config.name,
            created_ns=self._connected_ns,
            config=config,
            delivered=place,
            delivered_ns=acted_ns,
            ack_floor=place,
            acked_ns=acted_ns,
            num_ack_pending=0,
            num_redelivered=0,
            num_waiting=0,
            num_pending=0,
            push_bound=True,
            pause_remaining=None,
        )

    # -- administration -------------------------------------------------------------------------

    def info(self, now_ns: int) -> FeedInfo:
        silent_ns = None if self.heard_ns is None else now_ns - self.heard_ns
        if silent_ns is not None and self.origin is not None:
            silent_ns %= HEARTBEAT_NS
        place = 0 if self.mirrors else self.place.sequence
        source = self.source
        if self.mirrors and not self.sought:
            source = msgspec.structs.replace(source, filter_subject="")  # which is noted once it is put to use
        noticed = silent_ns is None or silent_ns >= _NOTICED_NS
        return FeedInfo(source, place, self.lag, silent_ns, self.error if noticed else None)


def changed(stream: Stream, config: StreamConfig) -> list[Feed]:
    """Return the feeds of a stream under a new configuration; those that stay go on as they are."""
    profile = stream.context.profile
    mirror = () if config.mirror is None else (config.mirror,)
    kept = {(feed.index_name, feed.mirrors): feed for feed in stream.feeds}
    feeds = []
    for source in (*mirror, *(config.sources or ())):
        if source is not None:
            old = kept.get((index_name(source), bool(mirror)))
            feeds.append(old or Feed(source, mirrors=bool(mirror), profile=profile))
    for feed in feeds:
        if feed not in stream.feeds and not feed.mirrors:
            feed.start_behind(_last_place(stream, feed))
    return feeds


def _last_place(stream: Stream, feed: Feed) -> Place:
    """Return how far a source was read before, as the newest message tells that came from it."""
    name = feed.index_name if feed.profile.sources_tell_filters else feed.index_name.split(" ")[0]
    for message in reversed(stream.log.messages.values()):
        told = told_place(read_control(message.headers.block).get(SOURCE, b"")) if message.headers else None
        if told is not None and told[0] == name:
            return told[1]
    return Place()


def told_place(header: bytes) -> tuple[str, Place] | None:
    """Return which source a stored message came from and its place there, as its header tells."""
    parts = header.decode("utf-8", "replace").split(" ")
    if len(parts) < 2 or not parts[1].isdigit():
        return None
    identity = parts[5] if len(parts) > 5 else ""
    return " ".join((parts[0], *parts[2:4])), Place(int(parts[1]), identity)
