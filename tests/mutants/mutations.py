"""The mutations: each is a piece of text that stands exactly once in its file, and what is put in its place."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

SOURCES = Path(__file__).parents[2] / "src"
PACKAGE = "lattice_store_sim"


class Mutation(NamedTuple):
    bug: str
    family: str
    """The family of rules that is asked first."""
    module: str
    before: str
    after: str

    def applied(self, source: str) -> str:
        """Return the text of the module with the bug in it.

        Raises:
            ValueError: the code has changed; the mutation has to be written anew.
        """
        found = source.count(self.before)
        if found != 1:
            raise ValueError(f"{self.bug}: {self.module} has {found} pieces of text like {self.before!r}")
        return source.replace(self.before, self.after)

    def path(self, sources: Path = SOURCES) -> Path:
        return sources / PACKAGE / f"{self.module}.py"


MUTATIONS = (
    # -- publish --------------------------------------------------------------------------------
    Mutation(
        "a duplicate shields a wrong expected sequence",
        *("publish", "_core/_publish"),
        "*when(profile.duplicate_first, duplicate)",
        "duplicate",
    ),
    Mutation(
        "the stream's last sequence is checked before the subject's",
        *("publish", "_core/_publish"),
        """Step(_last_subject_sequence, (names.EXPECTED_SUBJECT, *alone)),
        Step(_last_sequence, (names.EXPECTED_LAST,)),""",
        """Step(_last_sequence, (names.EXPECTED_LAST,)),
        Step(_last_subject_sequence, (names.EXPECTED_SUBJECT, *alone)),""",
    ),
    Mutation(
        "an expected sequence that is no number is taken for 0",
        *("publish", "_core/_publish"),
        "if text.isdigit() else 2**64 - 1",
        "if text.isdigit() else 0",
    ),
    Mutation(
        "message IDs are kept for each subject",
        *("publish", "_core/_publish"),
        "sequence = stream.dedupe.find(control[names.MESSAGE_ID])",
        """sequence = stream.dedupe.find(control[names.MESSAGE_ID])
    earlier = stream.log.messages.get(sequence or 0)
    sequence = None if earlier is not None and earlier.subject != message.subject else sequence""",
    ),
    Mutation(
        "a message ID is forgotten with its message",
        *("publish", "_core/_publish"),
        "return None if sequence is None else PubAck(",
        "return None if sequence not in stream.log.messages else PubAck(",
    ),
    Mutation(
        "the last message ID outlives a message without one",
        *("publish", "_core/_stream"),
        """self.last_message_id = b""
        return PubAck""",
        "return PubAck",
    ),
    Mutation(
        "a message of exactly the largest size is refused",
        *("limits", "_core/_publish"),
        "max_msg_size < len(",
        "max_msg_size <= len(",
    ),
    Mutation(
        "a rollup keeps two messages",
        *("limits", "_core/_stream"),
        "self._purge(_rolled_up(control, message.subject), keep=1)",
        "self._purge(_rolled_up(control, message.subject), keep=2)",
    ),
    Mutation(
        "a counter begins at 0 each time",
        *("publish", "_core/_counter"),
        "total = _sum_in(last.payload) if last is not None else decimal.Decimal(0)",
        "total = decimal.Decimal(0)",
    ),
    # -- limits ---------------------------------------------------------------------------------
    Mutation(
        "discard policy new refuses an exact fit",
        *("limits", "_core/_publish"),
        "if size < left or (size == left and profile.exact_fit_passes):",
        "if size < left:",
    ),
    Mutation(
        "a full subject gives up its newest message",
        *("limits", "_core/_log"),
        """self._drop(self.subjects.first(subject))
                surplus = 0""",
        """self._drop(self.subjects.last(subject))
                surplus = 0""",
    ),
    Mutation(
        "a stream keeps one message less than it may",
        *("limits", "_core/_log"),
        "while len(self.messages) > self._max_messages:",
        "while len(self.messages) >= self._max_messages:",
    ),
    Mutation(
        "headers on file cost no more than their bytes",
        *("limits", "_core/_log"),
        '"file": (30, 4)',
        '"file": (30, 0)',
    ),
    # -- reads, delete and purge ----------------------------------------------------------------
    Mutation(
        "the last message of all is looked for behind a gap",
        *("reads", "_core/_log"),
        "return self.last_sequence if self.last_sequence in self.messages else 0",
        "return max(self.messages, default=0)",
    ),
    Mutation(
        "the next message of a subject is looked for behind the sequence",
        *("reads", "_core/_reads"),
        "start, last = max(sequence, log.first_sequence)",
        "start, last = max(sequence + 1, log.first_sequence)",
    ),
    Mutation(
        "the end of a batch counts one too many",
        *("reads", "_core/_reads"),
        "pending - len(found) if counts_down",
        "pending - len(found) + 1 if counts_down",
    ),
    Mutation(
        "a get may have two beginnings",
        *("reads", "_wire/_gets"),
        "return beginnings > 1",
        "return beginnings > 2",
    ),
    Mutation(
        "a purge moves the last sequence",
        *("removal", "_core/_purge"),
        "log.first_sequence = log.last_sequence + 1",
        "log.last_sequence = log.first_sequence = log.last_sequence + 1",
    ),
    Mutation(
        "a purge beyond the end leaves the last sequence",
        *("removal", "_core/_purge"),
        "log.first_sequence, log.last_sequence = before, before - 1",
        "log.first_sequence = log.last_sequence + 1",
    ),
    Mutation(
        "a purge removes the sequence it was to stop at",
        *("removal", "_core/_purge"),
        "list(takewhile(before.__gt__, sequences))",
        "list(takewhile(before.__ge__, sequences))",
    ),
    Mutation(
        "a purge keeps the oldest",
        *("removal", "_core/_purge"),
        "matching[: max(0, len(matching) - keep)]",
        "matching[keep:]",
    ),
    # -- configuration --------------------------------------------------------------------------
    Mutation(
        "a duplicate window as long as the maximum age is refused",
        *("configuration", "_core/_stream_rules"),
        "case.config.duplicate_window > case.given.max_age",
        "case.config.duplicate_window >= case.given.max_age",
    ),
    # -- retention and time ---------------------------------------------------------------------
    Mutation(
        "one ack is enough though others are interested",
        *("retention", "_core/_retention"),
        "if message is not None and not (others_asked and _is_needed(stream, message)):",
        "if message is not None:",
    ),
    Mutation(
        "a TTL is rounded up to seconds",
        *("time", "_core/_ttl"),
        "duration_ns // SECOND_NS if duration_ns >= SECOND_NS",
        "-(-duration_ns // SECOND_NS) if duration_ns >= SECOND_NS",
    ),
    Mutation(
        "a delete marker is left while the subject still has a message",
        *("time", "_core/_stream"),
        "self.log.subjects.count(message.subject) > 1",
        "self.log.subjects.count(message.subject) > 2",
    ),
    # -- consumers ------------------------------------------------------------------------------
    Mutation(
        "a consumer begins behind its start sequence",
        *("pull", "_core/_position"),
        "return max(config.opt_start_seq, first)",
        "return max(config.opt_start_seq + 1, first)",
    ),
    Mutation(
        "a removed message that comes next is not counted off",
        *("pull", "_core/_position"),
        "if message.sequence >= self.next:",
        "if message.sequence > self.next:",
    ),
    Mutation(
        "the ack floor rises onto what is pending",
        *("acks", "_core/_record"),
        "SequencePair(pending[ahead] - 1, ahead - 1)",
        "SequencePair(pending[ahead], ahead)",
    ),
    Mutation(
        "the last to be queued is redelivered first",
        *("acks", "_core/_acks"),
        "self._queue.popitem(last=False)",
        "self._queue.popitem(last=True)",
    ),
    Mutation(
        "a message is delivered once more than it may be",
        *("acks", "_core/_acks"),
        """if not 0 < self._config.max_deliver <= count:
                return sequence""",
        """if not 0 < self._config.max_deliver < count:
                return sequence""",
    ),
    Mutation(
        "one more message may await its ack",
        *("acks", "_core/_acks"),
        "return 0 < self._config.max_ack_pending <= len(self.pending)",
        "return 0 < self._config.max_ack_pending < len(self.pending)",
    ),
    Mutation(
        "an ack of all is an ack of one",
        *("acks", "_core/_acks"),
        'if self._config.ack_policy in ("all", "flow_control"):',
        "if False:",
    ),
    Mutation(
        "pull requests are served one after the other",
        *("pull", "_core/_pulls"),
        """else:
            self._requests.rotate(-1)""",
        """else:
            pass""",
    ),
    Mutation(
        "a pull that may wait ends at once when nothing is there",
        *("pull", "_core/_pulls"),
        "request.no_wait and (request.served or ends_unserved)",
        "request.no_wait",
    ),
    Mutation(
        "flow control asks too late",
        *("push", "_core/_push"),
        "if self._under_way > self._window // 2:",
        "if self._under_way > self._window:",
    ),
)
