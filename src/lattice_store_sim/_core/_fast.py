"""Fast batches: messages stored as they come, answered in numbers, told apart by their reply subjects.

Source: nats-server stream.go, ``getFastBatch`` and ``processJetStreamFastBatchMsg``; jetstream_batching.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import attrs
import msgspec

from lattice_store.errors import ApiError, api_error
from lattice_store.headers import Headers
from lattice_store.model import Message, PubAck
from lattice_store_sim._core import _control as names
from lattice_store_sim._core._batches import BATCH_TIMEOUT_NS, LONGEST_BATCH_ID, BatchAck
from lattice_store_sim._core._control import read_control, read_header, without_header
from lattice_store_sim._core._requirement import lacks_api_level
from lattice_store_sim._core._staging import DuplicateError, Staging

if TYPE_CHECKING:
    from lattice_store_sim._core._stream import Stream

FAST_SUFFIX: Final = ".$FI"
"""How the reply subject of a fast batch's message ends."""
_MOST_OF_STREAM: Final = 1000
_MOST: Final = 50_000
_FLOW: Final = 500
"""After how many messages one is answered if only one batch is under way."""
_DEFAULT_FLOW: Final = 10
_LARGEST_FLOW: Final = 2**16 - 1
_LARGEST: Final = 2**64 - 1
_START: Final = 0
_APPEND: Final = 1
_COMMIT: Final = 2
_COMMIT_APART: Final = 3
_PING: Final = 4
_PARTS: Final = 5


class FastSend(NamedTuple):
    """What the reply subject of a message says: ``<prefix>.<batch>.<flow>.<gap mode>.<sequence>.<operation>.$FI``."""

    batch: str
    flow: int
    gaps: bool
    """Whether messages may be missing."""
    sequence: int
    operation: int

    @property
    def commits(self) -> bool:
        return self.operation in (_COMMIT, _COMMIT_APART)


def fast_send_of(reply: str) -> FastSend | None:
    """Return what a reply subject with `FAST_SUFFIX` says, None if it makes no sense."""
    _, *parts = reply.removesuffix(FAST_SUFFIX).rsplit(".", _PARTS)
    if len(parts) != _PARTS:
        return None
    batch, flow, mode, *numbers = parts
    if mode not in ("fail", "ok") or not all(one.isascii() and one.isdigit() for one in numbers):
        return None
    sequence, operation = map(int, numbers)
    fits = {_START: sequence == 1, _APPEND: sequence > 1, _COMMIT: True, _COMMIT_APART: sequence > 1, _PING: True}
    if not 0 < sequence < _LARGEST or not fits.get(operation, False):
        return None
    wanted = int(flow) if flow.isascii() and flow.isdigit() else 0
    return FastSend(batch, min(wanted, _LARGEST_FLOW) or _DEFAULT_FLOW, mode == "ok", sequence, operation)


# -- answers ------------------------------------------------------------------------------------------


class FlowAck(msgspec.Struct, frozen=True, tag="ack", tag_field="type"):
    """Messages up to ``seq`` are stored; one in ``msgs`` is answered."""

    seq: int
    msgs: int


class FlowGap(msgspec.Struct, frozen=True, tag="gap", tag_field="type"):
    """Messages from ``last_seq`` up to the one before ``seq`` have not come."""

    last_seq: int
    seq: int


@attrs.frozen
class FlowError:
    """A message was refused."""

    sequence: int
    error: ApiError


Answer = FlowAck | FlowGap | FlowError | PubAck | ApiError


@attrs.define
class _Batch:
    """One batch that is under way; sequences are those of its messages but for one."""

    gaps: bool
    most: int
    """After how many messages its client wants an answer at the latest."""
    flow: int
    deadline_ns: int | None
    come: int = 0
    stored: int = 0
    answered: int = 0
    pending: int = 0
    """How many of its messages passed and were then not stored."""
    stream_sequence: int = 0
    committed: bool = False


class FastBatches:
    """The fast batches of one stream that are under way."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._open: dict[str, _Batch] = {}
        self._answers: list[Answer] = []

    def __len__(self) -> int:
        return len(self._open)

    def copy(self, stream: Stream) -> FastBatches:
        copied = FastBatches(stream)
        copied._open = {name: attrs.evolve(one) for name, one in self._open.items()}
        return copied

    # -- time -----------------------------------------------------------------------------------------

    @property
    def deadline_ns(self) -> int | None:
        """When the next batch is forgotten."""
        return min((one.deadline_ns for one in self._open.values() if one.deadline_ns is not None), default=None)

    def advance(self, now_ns: int) -> None:
        """Forget what has waited for too long; nobody is told."""
        for name, batch in list(self._open.items()):
            if batch.deadline_ns is not None and batch.deadline_ns <= now_ns:
                self._drop(name)

    # -- messages -------------------------------------------------------------------------------------

    def take(self, sent: FastSend, message: Message) -> list[Answer]:
        """Take the next message of a batch; return what it is answered with.

        Raises:
            ApiError: the message is no part of any batch.
        """
        self._answers = []
        if len(sent.batch.encode()) > LONGEST_BATCH_ID:
            raise api_error(400, 10207, "batch publish ID is invalid")
        batch = self._open.get(sent.batch) or self._begin(sent)
        block = message.headers.block
        if read_header(block, names.API_LEVEL):
            if lacks_api_level(block, self._stream.context.profile):
                self._drop(sent.batch)
                raise api_error(412, 10185, "JetStream minimum api level required")
            block = without_header(block, names.API_LEVEL, repeated=True)
            message = msgspec.structs.replace(message, headers=Headers.from_block(block))
        if not batch.committed:
            batch.deadline_ns = message.time_ns + BATCH_TIMEOUT_NS
            self._stream.due_by(batch.deadline_ns)
        if sent.operation == _PING:
            self._ping(batch, sent)
        elif not batch.committed and self._is_next(batch, sent):
            self._store(batch, sent, message)
        return self._answers

    def _begin(self, sent: FastSend) -> _Batch:
        context = self._stream.context
        only_asks = sent.operation == _PING and not context.profile.pings_begin_batches
        if sent.sequence != 1 or only_asks:
            raise api_error(400, 10208, "batch publish ID unknown")
        if len(self._open) >= _MOST_OF_STREAM or context.fast_batches >= _MOST:
            raise api_error(429, 10211, "batch publish too many inflight")
        context.fast_batches += 1
        flow = 1 if self._open else min(_FLOW, sent.flow)
        batch = self._open[sent.batch] = _Batch(sent.gaps, sent.flow, flow, None)
        return batch

    def _ping(self, batch: _Batch, sent: FastSend) -> None:
        """Tell how far the batch has come."""
        if sent.sequence > batch.come:
            self._answers.append(FlowGap(batch.come + 1, sent.sequence + 1))
            if batch.gaps:
                batch.come = sent.sequence
                self._catch_up(batch)
                if self._flow(batch):
                    return
            elif self._commit(batch, sent):
                return
        self._answers.append(FlowAck(batch.answered, batch.flow))

    def _is_next(self, batch: _Batch, sent: FastSend) -> bool:
        """Return whether a message may follow what has come; one that may not ends its batch, or it ends it by itself."""
        expected = batch.come + 1
        told = sent.sequence != expected and self._stream.context.profile.backward_gaps_told
        if told or sent.sequence > expected:
            self._answers.append(FlowGap(expected, sent.sequence))
        if sent.sequence < expected or (sent.sequence > expected and not batch.gaps):
            self._commit(batch, sent)
            return False
        if sent.operation == _COMMIT_APART:
            batch.come = sent.sequence - 1
            self._catch_up(batch)
            self._commit(batch, sent)
            return False
        batch.come = sent.sequence
        if sent.operation == _COMMIT:
            self._commit(batch, sent)
        return True

    def _store(self, batch: _Batch, sent: FastSend, message: Message) -> None:
        stream = self._stream
        if sent.sequence == 1 and not sent.commits and not stream.config.no_ack:
            self._answers.append(FlowAck(0, batch.flow))
        try:
            last_sequence = stream.batches.reckoning.last_sequence(stream.log.last_sequence)
            checked = Staging(stream, last_sequence).check(message, read_control(message.headers.block))
        except ApiError as error:
            self._refuse(batch, sent, error)
            return
        batch.pending += 1
        checked = msgspec.structs.replace(checked, subject=message.subject)
        try:
            sequence = stream.store_staged(checked, message.time_ns).sequence
        except ApiError as error:  # the batch waits for it in vain
            if not stream.config.no_ack:
                self._answers.append(error)
            return
        self._stored(batch, sent, sequence)

    def _stored(self, batch: _Batch, sent: FastSend, sequence: int) -> None:
        """Note that a message is stored."""
        batch.pending -= 1
        batch.stream_sequence = sequence
        batch.stored = batch.come if batch.pending == 0 else sent.sequence
        if not batch.committed or batch.stored != batch.come:
            self._flow(batch)
            return
        self._drop(sent.batch)
        if batch.pending == 0 or not self._stream.config.no_ack:
            self._answers.append(self._ack(batch, sent))

    def _refuse(self, batch: _Batch, sent: FastSend, error: ApiError) -> None:
        """Answer a message that may not be stored; it ends its batch, unless messages may be missing."""
        known = isinstance(error, DuplicateError)
        if isinstance(error, DuplicateError):
            if batch.pending == 0:
                batch.stored = sent.sequence
                self._flow(batch)
            if not sent.commits:
                return
        if not sent.gaps and batch.come == 1:
            self._drop(sent.batch)
            self._answers.append(self._duplicate(error, sent))
            return
        if not known:
            self._answers.append(FlowError(sent.sequence, error))
        if sent.gaps and not sent.commits:
            return
        if not known:
            batch.come -= 1
            self._catch_up(batch)
        self._commit(batch, sent)

    def _duplicate(self, error: ApiError, sent: FastSend) -> Answer:
        if not isinstance(error, DuplicateError):
            return error
        name = self._stream.config.name
        return BatchAck(name, error.sequence, duplicate=True, batch=sent.batch, count=sent.sequence)

    # -- progress ---------------------------------------------------------------------------------------

    def _catch_up(self, batch: _Batch) -> None:
        """Count as stored what has come, if nothing is to be waited for."""
        if batch.pending == 0:
            batch.stored = batch.come

    def _flow(self, batch: _Batch) -> bool:
        """Tell how much is stored if it is time to; return whether it was."""
        steps = (batch.stored - batch.answered) // batch.flow
        if steps < 1:
            return False
        batch.answered += steps * batch.flow
        most = min(max(_FLOW // max(len(self._open), 1), 1), batch.most)
        batch.flow = min(batch.flow * 2, most) if batch.flow < most else max(batch.flow // 2, most)
        self._answers.append(FlowAck(batch.answered, batch.flow))
        return True

    def _commit(self, batch: _Batch, sent: FastSend) -> bool:
        """End a batch, at once if all of it is stored; return whether it was."""
        batch.committed, batch.deadline_ns = True, None
        if batch.come != batch.stored:
            return False
        self._drop(sent.batch)
        self._answers.append(self._ack(batch, sent))
        return True

    def _ack(self, batch: _Batch, sent: FastSend) -> BatchAck:
        name = self._stream.config.name
        return BatchAck(name, batch.stream_sequence, batch=sent.batch, count=batch.come)

    # -- ends -------------------------------------------------------------------------------------------

    def _drop(self, name: str) -> None:
        if self._open.pop(name, None) is not None:
            self._stream.context.fast_batches -= 1

    def clear(self) -> None:
        """Forget all of them, as a server does when it stops or the stream takes no more batches."""
        for name in list(self._open):
            self._drop(name)
