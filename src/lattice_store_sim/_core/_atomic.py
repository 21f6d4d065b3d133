"""Atomic batches: messages that wait until the last of them has come, and are stored all or not at all.

Source: nats-server stream.go, ``processJetStreamAtomicBatchMsg``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs
import msgspec

from lattice_store.errors import ApiError, api_error
from lattice_store.headers import Headers
from lattice_store.model import Message, PubAck
from lattice_store_sim._core import _control as names
from lattice_store_sim._core._advisories import batch_abandoned
from lattice_store_sim._core._batches import BATCH_TIMEOUT_NS, LONGEST_BATCH_ID, BatchAck, StagedAck
from lattice_store_sim._core._control import (
    Control,
    header_of,
    number_of,
    read_control,
    read_header,
    with_one_more,
    without_header,
)
from lattice_store_sim._core._profile import ServerProfile
from lattice_store_sim._core._publish import UnansweredError
from lattice_store_sim._core._requirement import lacks_api_level
from lattice_store_sim._core._staging import Staging

if TYPE_CHECKING:
    from lattice_store_sim._core._stream import Stream

_MOST_MESSAGES: Final = 1000
_MOST_OF_STREAM: Final = 50
_MOST: Final = 1000
_END_APART: Final = b"eob"
_END: Final = b"1"
_LARGEST: Final = 2**64 - 1
_DIGITS: Final = 20
"""How many the largest sequence has."""


@attrs.define
class _Batch:
    """The messages that have come so far."""

    deadline_ns: int | None = None
    messages: list[Message] = attrs.field(factory=list)
    sequence: int = 0
    """Of the last message that has come."""
    rest: list[Message] = attrs.field(factory=list)
    """What could not be stored, once the others were; then nothing more comes of the batch."""


class AtomicBatches:
    """The batches of one stream that have begun and not ended."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._open: dict[bytes, _Batch] = {}

    def __len__(self) -> int:
        return len(self._open)

    def copy(self, stream: Stream) -> AtomicBatches:
        copied = AtomicBatches(stream)
        copied._open = {name: attrs.evolve(one, messages=one.messages.copy()) for name, one in self._open.items()}
        return copied

    # -- time -----------------------------------------------------------------------------------------

    @property
    def deadline_ns(self) -> int | None:
        """When the next batch is given up."""
        deadlines = (batch.deadline_ns for batch in self._open.values())
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    def advance(self, now_ns: int) -> None:
        """Give up what has waited for too long."""
        for name, batch in list(self._open.items()):
            if batch.deadline_ns is not None and batch.deadline_ns <= now_ns:
                self._abandon(name, "timeout", now_ns)

    # -- messages -------------------------------------------------------------------------------------

    def take(self, message: Message, control: Control) -> PubAck:
        """Take the next message of a batch; its last one stores them all.

        Raises:
            ApiError: the batch is refused, and ends.
        """
        name, block, profile = control[names.BATCH_ID], message.headers.block, self._stream.context.profile
        if len(name) > LONGEST_BATCH_ID:
            raise api_error(400, 10179, "atomic publish batch ID is invalid")
        sequence = _sequence(block, profile)
        commit = header_of(block, names.BATCH_COMMIT)
        ends_apart = commit == _END_APART and profile.batches_end_apart
        size = (sequence - 1) % 2**64 if ends_apart else sequence  # what only ends a batch is none of it
        batch = self._open.get(name) or self._begin(name, sequence, size, message.time_ns)
        if commit is not None and commit != _END and not ends_apart:
            self._drop(name)
            raise api_error(400, 10200, "atomic publish batch commit is invalid")
        if lacks_api_level(block, profile):
            self._abandon(name, "unsupported" if profile.unmet_batches_told else "", message.time_ns)
            raise api_error(412, 10185, "JetStream minimum api level required")
        if profile.batch_timeout_renewed:
            self._wait(batch, message.time_ns)
        batch.sequence += 1
        if batch.sequence != sequence or size == 0 or batch.rest:
            self._abandon(name, "incomplete", message.time_ns)
            raise _incomplete()
        if size > _MOST_MESSAGES:
            self._abandon(name, "large", message.time_ns)
            raise _too_large()
        if not ends_apart:
            batch.messages.append(_without_level(message))
        if commit is None:
            return StagedAck(self._stream.config.name, 0)
        self._drop(name)
        checked = self._checked(batch.messages, message.time_ns)
        if ends_apart:
            checked[-1] = _with_header(checked[-1], names.BATCH_COMMIT, _END)
        return self._store(name, checked, message.time_ns)

    def _begin(self, name: bytes, sequence: int, size: int, now_ns: int) -> _Batch:
        if sequence != 1:
            raise _too_large() if size > _MOST_MESSAGES else _incomplete()
        context = self._stream.context
        if len(self._open) >= _MOST_OF_STREAM or context.atomic_batches >= _MOST:
            named = context.profile.crowded_batches_named
            raise api_error(429, 10210, "atomic publish too many inflight") if named else _incomplete()
        batch = self._add(name, _Batch())
        self._wait(batch, now_ns)
        return batch

    def _add(self, name: bytes, batch: _Batch) -> _Batch:
        self._stream.context.atomic_batches += 1
        self._open[name] = batch
        return batch

    def _wait(self, batch: _Batch, now_ns: int) -> None:
        batch.deadline_ns = now_ns + BATCH_TIMEOUT_NS
        self._stream.due_by(batch.deadline_ns)

    # -- ends -----------------------------------------------------------------------------------------

    def _checked(self, messages: list[Message], now_ns: int) -> list[Message]:
        """Return what is to be stored.

        Raises:
            ApiError: one of the messages is refused.
        """
        stream, checked = self._stream, []
        staging = Staging(stream, stream.log.last_sequence)
        stream.batches.reckoning.begin(stream.log.last_sequence)
        rewritten = stream.context.profile.staged_messages_rewritten
        for message in messages:
            control = read_control(message.headers.block)
            if names.EXPECTED_ID in control:
                name_of_header = names.EXPECTED_ID.decode()
                raise api_error(400, 10177, f"atomic publish unsupported header used: {name_of_header}")
            stored = staging.check(msgspec.structs.replace(message, time_ns=now_ns), control)
            stream.batches.reckoning.go_on()
            checked.append(msgspec.structs.replace(stored, subject=message.subject) if rewritten else message)
        stream.batches.reckoning.end()
        return checked

    def _store(self, name: bytes, messages: list[Message], now_ns: int) -> BatchAck:
        """Store the messages of a batch. It is asked again whether each has room; what comes of the last one is heard.

        Raises:
            ApiError: it has none.
            UnansweredError: one before it has none.
        """
        stream, sticks = self._stream, self._stream.context.profile.half_stored_batches_stick
        outcome: PubAck | ApiError | None = None
        for at, message in enumerate(messages):
            try:
                outcome = stream.store_staged(message, now_ns)
            except ApiError as error:
                outcome = error
                if sticks:
                    self._add(name, _Batch(sequence=at, rest=messages[at:]))
                    if at + 1 < len(messages):
                        raise UnansweredError from None
        if isinstance(outcome, ApiError):
            raise outcome
        assert outcome is not None, "a batch is not empty"
        batch = name.decode("utf-8", "replace")
        return BatchAck(stream.config.name, outcome.sequence, batch=batch, count=len(messages))

    def rest_behind(self, newest: Message) -> list[Message]:
        """Return what is left of a batch that was stored up to a message."""
        block = newest.headers.block
        batch = self._open.get(read_header(block, names.BATCH_ID))
        if batch is None or header_of(block, names.BATCH_COMMIT) is not None:
            return []
        return batch.rest if read_header(block, names.BATCH_SEQUENCE) == b"%d" % batch.sequence else []

    def _abandon(self, name: bytes, reason: str, now_ns: int) -> None:
        """End a batch without storing it, and tell why."""
        self._drop(name)
        if reason:
            batch_abandoned(self._stream.context, self._stream.config.name, name, reason, now_ns)

    def _drop(self, name: bytes) -> None:
        del self._open[name]
        self._stream.context.atomic_batches -= 1

    def clear(self) -> None:
        """Forget all of them, as a server does when it stops or the stream takes no more batches."""
        for name in list(self._open):
            self._drop(name)


def _sequence(block: bytes, profile: ServerProfile) -> int:
    found = read_header(block, names.BATCH_SEQUENCE)
    number = number_of(found) if found.isdigit() else _LARGEST
    fits = found.isdigit() and len(found.lstrip(b"0")) <= _DIGITS and int(found) == number
    if not found or (not fits and profile.odd_batch_sequences_missing):
        raise api_error(400, 10175, "atomic publish sequence is missing")
    return number


def _incomplete() -> ApiError:
    return api_error(400, 10176, "atomic publish batch is incomplete")


def _too_large() -> ApiError:
    return api_error(400, 10199, f"atomic publish batch is too large: {_MOST_MESSAGES}")


def _without_level(message: Message) -> Message:
    block = message.headers.block
    if not read_header(block, names.API_LEVEL):
        return message
    return msgspec.structs.replace(
        message, headers=Headers.from_block(without_header(block, names.API_LEVEL, repeated=True))
    )


def _with_header(message: Message, name: bytes, value: bytes) -> Message:
    return msgspec.structs.replace(
        message, headers=Headers.from_block(with_one_more(message.headers.block, name, value))
    )
