"""When a stream looks for what its schedules have made due."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from lattice_store.headers import Headers
from lattice_store.limits import SECOND_NS
from lattice_store.model import Message
from lattice_store_sim._core._log import Log
from lattice_store_sim._core._profile import NEWEST
from lattice_store_sim._core._scheduling import Schedules
from lattice_store_sim._core._stream_config import StreamConfig

BEGIN_S = 1_700_000_000
SHORTEST_NS = SECOND_NS // 4


def scheduled(sequence: int, subject: str, now_ns: int, due_s: int) -> Message:
    due = datetime.fromtimestamp(due_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    headers = Headers({"Nats-Schedule": f"@at {due}", "Nats-Schedule-Target": "out"})
    return Message(subject, sequence, now_ns, headers, b"")


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 20), st.integers(0, 3)), max_size=20))
def test_nothing_comes_due_unseen(steps):
    """It looks no later than the first of all schedules asks for, whatever was set, replaced and looked at before."""
    log = Log(StreamConfig(name="S", subjects=(">",)), NEWEST)
    schedules = Schedules(log, NEWEST)
    log.observers.append(schedules)
    now_ns, waiting = BEGIN_S * SECOND_NS, {}
    for sequence, (subject, ahead_s, passed_s) in enumerate(steps, 1):
        now_ns += passed_s * SECOND_NS
        if schedules.deadline_ns is not None and schedules.deadline_ns <= now_ns:
            made = schedules.begin(now_ns)
            schedules.end(now_ns)
            due = [name for name, due_s in waiting.items() if due_s * SECOND_NS <= now_ns]
            assert len(made) == len(due)
            for name in due:
                del waiting[name]
        due_s = now_ns // SECOND_NS + ahead_s
        log.append(scheduled(sequence, subject, now_ns, due_s))
        waiting[subject] = due_s
        assert schedules.deadline_ns is not None
        assert schedules.deadline_ns <= max(min(waiting.values()) * SECOND_NS, now_ns + SHORTEST_NS)
