"""One stream: configuration, messages, remembered message IDs and replays, behind one door."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

import msgspec

from lattice_store.errors import api_error
from lattice_store.headers import Headers
from lattice_store.model import DeliverPolicy, Message, PubAck, StreamState
from lattice_store_sim._core import _publish
from lattice_store_sim._core._context import Context
from lattice_store_sim._core._cursor import Cursor
from lattice_store_sim._core._dedupe import Dedupe
from lattice_store_sim._core._filters import compile_filters
from lattice_store_sim._core._log import Log
from lattice_store_sim._core._stream_config import StreamConfig

_NEVER: Final = sys.maxsize


class StreamInfo(msgspec.Struct, frozen=True):
    """A stream as it stands."""

    config: StreamConfig
    created_ns: int
    state: StreamState


class Stream:
    """A stream with a normalised configuration. Its methods expect that time has been moved by `advance`."""

    def __init__(self, config: StreamConfig, created_ns: int, context: Context) -> None:
        self.context = context
        self.created_ns = created_ns
        self.log = Log(config, context.profile)
        self.dedupe = Dedupe(config.duplicate_window)
        self.last_message_id = b""
        self.cursors: list[Cursor] = []
        self._configure(config)

    def _configure(self, config: StreamConfig) -> None:
        self.config = config
        self.captures = compile_filters(config.subjects)
        self._admission = _publish.Admission(config)
        self._due_ns = 0

    def copy(self, context: Context) -> Stream:
        """Return the same stream for another server; replays stay with this one."""
        copied = Stream(self.config, self.created_ns, context)
        copied.log, copied.dedupe = self.log.copy(), self.dedupe.copy()
        copied.last_message_id = self.last_message_id
        return copied

    # -- time -----------------------------------------------------------------------------------

    @property
    def deadline_ns(self) -> int | None:
        """When something of this stream comes due."""
        due = [deadline for deadline in (self.log.deadline_ns, self.dedupe.deadline_ns) if deadline is not None]
        return min(due, default=None)

    def advance(self, now_ns: int) -> None:
        """Let everything come due that is due by *now_ns*."""
        while now_ns >= self._due_ns:  # never later than the deadline; kept so that a publish need not ask for it
            deadline = self.deadline_ns
            if deadline is not None and deadline <= now_ns:
                self._come_due(deadline)
            else:
                self._due_ns = _NEVER if deadline is None else deadline

    def _come_due(self, now_ns: int) -> None:
        """Do all that is due at *now_ns*; nothing due then is left."""
        self.log.expire(now_ns)
        self.dedupe.expire(now_ns)

    def due_by(self, deadline_ns: int) -> None:
        """Note that something will come due; the stream would not ask before its next deadline."""
        self._due_ns = min(self._due_ns, deadline_ns)

    # -- publish --------------------------------------------------------------------------------

    def publish(self, subject: str, payload: bytes, headers: Headers, now_ns: int) -> PubAck:
        """Store a message, or stand in for it with the ack of an earlier one.

        Raises:
            ApiError: refused; nothing has changed.
        """
        log = self.log
        sequence = log.last_sequence + 1
        message = Message(subject, sequence, now_ns, headers, payload)
        block = headers.block
        if block:
            control = _publish.read_control(block)
            checks = self._admission.checks(control)
        else:
            control = _publish.NO_CONTROL
            checks = self._admission.for_plain
        for check in checks:
            ack = check(self, message, control)
            if ack is not None:
                return ack
        log.append(message)
        if self.config.max_age:
            self.due_by(now_ns + self.config.max_age)
        self.last_message_id = b""
        if control:
            self._follow_up(message, control)
        return PubAck(self.config.name, sequence)

    def _follow_up(self, message: Message, control: _publish.Control) -> None:
        if _publish.MESSAGE_ID in control:
            message_id = self.last_message_id = control[_publish.MESSAGE_ID]
            self.dedupe.remember(message_id, message.sequence, message.time_ns)
            self.due_by(message.time_ns + self.dedupe.window_ns)
        if _publish.ROLLUP in control:
            self.log.purge(_publish.rolled_up(control, message.subject), keep=1)

    # -- reads ----------------------------------------------------------------------------------

    def info(self) -> StreamInfo:
        return StreamInfo(config=self.config, created_ns=self.created_ns, state=self.log.state(len(self.cursors)))

    def get_message(self, sequence: int) -> Message:
        """Return the message stored at *sequence*.

        Raises:
            MessageNotFoundError: there is none.
        """
        message = self.log.messages.get(sequence)
        if message is None:
            raise api_error(404, 10037, "no message found")
        return message

    def open_cursor(self, filters: Sequence[str], deliver: DeliverPolicy) -> Cursor:
        """Begin a replay; it is kept up to date until `close_cursor`.

        Raises:
            ApiError: the stream has as many consumers as it may have.
        """
        if 0 < self.config.max_consumers <= len(self.cursors):
            raise api_error(400, 10026, "maximum consumers limit reached")
        cursor = Cursor(self.log, filters, deliver)
        self.cursors.append(cursor)
        self.log.observers.append(cursor)
        return cursor

    def close_cursor(self, cursor: Cursor) -> None:
        self.cursors.remove(cursor)
        self.log.observers.remove(cursor)

    # -- removal --------------------------------------------------------------------------------

    def delete_message(self, sequence: int) -> None:
        """Remove one message.

        Raises:
            ApiError: sealed, denied, or nothing is stored there; where the gap is decides about the error
                (memstore.go and filestore.go ``removeMsg``).
        """
        self._refuse_if_sealed()
        if self.config.deny_delete:
            raise api_error(500, 10057, "message delete not permitted")
        if self.log.remove(sequence):
            return
        on_file = self.config.storage == "file"
        if on_file and sequence > self.log.last_sequence:
            raise api_error(500, 10057, "stream store EOF")
        if on_file and sequence < self.log.first_sequence:
            raise api_error(500, 10057, "no message found")
        raise api_error(400, 10043, f"sequence {sequence} not found")

    def purge(self, filter_: str | None, before_sequence: int | None, keep: int | None) -> int:
        """Remove many messages; return how many.

        Raises:
            ApiError: sealed or denied.
        """
        self._refuse_if_sealed()
        if self.config.deny_purge:
            raise api_error(500, 10110, "stream purge not permitted")
        return self.log.purge(filter_ or "", before=before_sequence or 0, keep=keep or 0)

    def _refuse_if_sealed(self) -> None:
        if self.config.sealed:
            raise api_error(400, 10109, "invalid operation on sealed stream")

    # -- administration -------------------------------------------------------------------------

    def update(self, config: StreamConfig, now_ns: int) -> None:
        """Take over an accepted configuration; lowered limits evict at once, a new window judges all IDs."""
        self._configure(config)
        self.dedupe.window_ns = config.duplicate_window
        self.log.change_limits(config)
        self.advance(now_ns)

    def restart(self, now_ns: int) -> None:
        """Rebuild from the stored messages what the server keeps in memory only (stream.go ``rebuildDedupe``)."""
        self.dedupe = Dedupe(self.dedupe.window_ns)
        for message in self.log.messages.values():
            message_id = _publish.read_control(message.headers.block).get(_publish.MESSAGE_ID)
            if message_id is not None:
                self.dedupe.remember(message_id, message.sequence, message.time_ns)
        last = self.log.messages.get(self.log.last_sequence)
        control = _publish.NO_CONTROL if last is None else _publish.read_control(last.headers.block)
        self.last_message_id = control.get(_publish.MESSAGE_ID, b"")
        self._due_ns = 0
        self.advance(now_ns)
