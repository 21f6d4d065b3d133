"""What comes of schedules: what is published when, what it says of the next time, what ends a schedule, a restart.

A server rounds the time of a repeating schedule to seconds, and counts from when it stored the message: none is set near
the middle or the end of a second. It looks for what is due a quarter of a second after a change at the earliest; no
operation happens within `lateness_ns` of that. Nor is anything due a moment after something else: on a server that is
late both would come together, in the order of their schedules. What is not due already is due at a full second.

Not drawn: schedules whose message is refused, or does not end them. With such a one a server looks every quarter of a second
and a bit, so that it is chance when it finds the next that is due already (scheduler.go, ``resetTimer``).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from lattice_store.limits import SECOND_NS
from tests.agreement.families._spans import FIRST, LAST, Span, lacking, rows
from tests.agreement.family import Family
from tests.agreement.states import compare_states

_MS = SECOND_NS // 1000
_SETTINGS: list[dict[str, Any]] = [
    *[{"allow_msg_ttl": True}] * 4,
    {},
    {"allow_msg_ttl": True, "max_msgs_per_subject": 1},
    {"allow_msg_ttl": True, "max_msgs": 3},
    {"retention": "interest"},
    {"retention": "workqueue"},
    {"allow_atomic": True, "allow_msg_ttl": True},
]
_QUIET = ((370, 440), (570, 650))
"""Between which milliseconds of a second a schedule is set."""
_STEP_MS = 30
"""How long is waited at once: shorter than it is quiet, and short enough to notice when something has come due."""
_AHEAD_S = [-3600, -1, 0, 1, 1, 2]
_FIRST_SEQUENCES = range(1, 10)

Headers = list[tuple[str, str]]

at = st.tuples(st.just("at"), st.sampled_from(_AHEAD_S), st.sampled_from(["Z", "+02:00", "-07:30"]))
every = st.tuples(st.just("every"), st.sampled_from([1000, 1000, 2000, 3000, 3_600_000]), st.just(""))
cron = st.tuples(
    st.just("cron"),
    st.sampled_from([1, 2, 2]),
    st.sampled_from(
        [
            *("* * * * * *", "{s} * * * * *", "{s}/2 * * * * *", "{s},{s2} {mi} {h} {d} {mo} *", "{s} {mi} {h} * * ?"),
            *("{s} {mi} {h} {d} {mo} {w}", "{s} {mi}/7 {h} * * *", "{s} {mi} */{h1} {d} * *", "{s} {mi} {h} {d} * {w}"),
            *("{s} {mi} {h} 1 {mo} {w}", "{s} {mi} * ? {mo}-12 {w}", "{s} * {h} {d},31 * *", "{s} {mi} {h} ? * {w}"),
            "{s} {mi} {h} {d} {mo} ?",
        ]
    ),
)
patterns = st.one_of(at, at, every, cron, cron)
zones = st.sampled_from(
    [*[""] * 5, "UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Europe/London"]
)
wishes = st.lists(
    st.sampled_from(
        [
            ("Nats-Schedule-TTL", "1h"),
            ("Nats-Schedule-Rollup", "sub"),
            ("Nats-Schedule-Source", "c"),
            ("Nats-Schedule-Source", "s2"),
            ("K", "v"),
            ("Nats-Msg-Id", "one"),
            ("Nats-TTL", "2h"),
        ]
    ),
    max_size=2,
    unique_by=lambda header: header[0],
)
_RELATIVE = frozenset({"Nats-Schedule-Target", "Nats-Schedule-Source", "Nats-Scheduler"})
subjects = st.sampled_from(["s1", "s1", "s2", "s3"])
targets = st.sampled_from(["a", "a", "b", "s3"])
_SPANS: list[Span] = [
    (FIRST, LAST, "publish", ["ok"]),
    (FIRST, LAST, "STREAM.MSG.GET", ["ok", "10037 no message found"]),
    ("2.12", LAST, "schedule", ["ok", "10166 per-message TTL is disabled"]),
]


class Scheduled(Family):
    name = "scheduled"
    weight: ClassVar = 0.05
    bounded_examples: ClassVar = 2
    lateness_ns: ClassVar = 350 * _MS
    states_every: ClassVar = 3
    expected: ClassVar = rows(_SPANS)
    lacking: ClassVar = lacking(_SPANS)

    def __init__(self) -> None:
        super().__init__()
        self.settings: list[dict[str, Any]] = []

    @property
    def _repeats(self) -> bool:
        return self.profile not in {"2.9", "2.10", "2.11", "2.12"}

    @initialize(settings=st.tuples(*[st.sampled_from(_SETTINGS)] * 2), interested=st.sampled_from(["s1", "a", "", ">"]))
    def begin(self, settings: tuple[dict[str, Any], dict[str, Any]], interested: str) -> None:
        for slot, storage in enumerate(("memory", "file")):
            self.settings.append({**settings[slot], "allow_msg_schedules": True})
            self.create(slot, storage, **self.settings[slot])
            if "retention" in settings[slot] and interested:
                name = self.stream(slot)
                config = {
                    "durable_name": "C",
                    "ack_policy": "explicit",
                    "filter_subject": f"{self.space}.{slot}.{interested}",
                }
                self.request(f"CONSUMER.DURABLE.CREATE.{name}.C", {"stream_name": name, "config": config})

    # -- setting ----------------------------------------------------------------------------------------

    def _await_quiet(self) -> int:
        """Wait for a good moment to set a schedule; return it in milliseconds."""
        while True:
            self.pair.let_pass(_STEP_MS * _MS)
            now_ms = self.pair.now_ns() // _MS
            if any(start <= now_ms % 1000 <= end for start, end in _QUIET):
                return now_ms

    def _pattern(self, kind: str, number: int, form: str, zone: str, now_ms: int) -> str:
        if kind == "every":
            return f"@every {number}ms"
        moment = datetime.fromtimestamp(now_ms / 1000, UTC)
        if kind == "at":
            moment = moment.replace(microsecond=0) + timedelta(seconds=number)
            ahead = {"Z": timedelta(0), "+02:00": timedelta(hours=2), "-07:30": timedelta(hours=-7, minutes=-30)}[form]
            return f"@at {(moment + ahead).replace(tzinfo=None).isoformat(timespec='milliseconds')}{form}"
        moment = moment + timedelta(seconds=number)
        if zone:
            moment = moment.astimezone(ZoneInfo(zone))
        later = moment + timedelta(seconds=1)
        return form.format(
            s=moment.second,
            s2=later.second,
            mi=moment.minute,
            h=moment.hour,
            h1=max(moment.hour, 1),
            d=moment.day,
            mo=moment.month,
            w=moment.isoweekday() % 7,
        )

    def _headers(self, slot: int, wanted: Any, now_ms: int) -> Headers:
        target, (kind, number, form), zone, wished = wanted
        if kind != "at" and not self._repeats:
            kind, number, form = "at", 1, "Z"
        in_zone = zone if kind == "cron" else ""
        headers = [("Nats-Schedule", self._pattern(kind, number, form, in_zone, now_ms))]
        headers += [("Nats-Schedule-Target", target), *wished]
        headers += [("Nats-Schedule-Time-Zone", in_zone)] if in_zone else []
        fitting = [header for header in headers if self._repeats or header[0] != "Nats-Schedule-Source"]
        return self._below(slot, fitting)

    @rule(
        slot=st.sampled_from([0, 1]),
        wanted=st.lists(st.tuples(subjects, st.tuples(targets, patterns, zones, wishes)), min_size=1, max_size=3),
        batched=st.booleans(),
    )
    def schedule(self, slot: int, wanted: list[Any], batched: bool) -> None:
        now_ms = self._await_quiet()
        last = len(wanted)
        messages = []
        for sequence, (subject, one) in enumerate(wanted, 1):
            headers = self._headers(slot, one, now_ms)
            if batched and "allow_atomic" in self.settings[slot]:
                headers += [("Nats-Batch-Id", "x"), ("Nats-Batch-Sequence", str(sequence))]
                headers += [("Nats-Batch-Commit", "1")] if sequence == last else []
            messages.append((f"{self.space}.{slot}.{subject}", subject.encode(), headers))
        self.publish_many(messages, rule="schedule")

    def _below(self, slot: int, headers: Headers) -> Headers:
        return [(name, f"{self.space}.{slot}.{value}" if name in _RELATIVE else value) for name, value in headers]

    # -- what comes of it -----------------------------------------------------------------------------------

    @rule(milliseconds=st.sampled_from([100, 900, 2000, 2000, 3100]))
    def wait(self, milliseconds: int) -> None:
        self.pair.let_pass(milliseconds * _MS)
        for slot in self.streams:
            self.requests((f"STREAM.MSG.GET.{self.stream(slot)}", {"seq": sequence}) for sequence in _FIRST_SEQUENCES)
        compare_states(self.pair)

    @rule(slot=st.sampled_from([0, 1]), token=st.sampled_from(["s1", "s2", "c", "a"]))
    def plain(self, slot: int, token: str) -> None:
        """Publish a message, which ends the schedule of its subject."""
        self.publish(f"{self.space}.{slot}.{token}", token.encode(), [("K", "plain"), ("Nats-Msg-Id", token)])

    @rule(slot=st.sampled_from([0, 1]), token=subjects)
    def end(self, slot: int, token: str) -> None:
        headers = self._below(slot, [("Nats-Schedule-Next", "purge"), ("Nats-Scheduler", token)])
        self.publish(f"{self.space}.{slot}.b", b"x", headers)

    @rule(slot=st.sampled_from([0, 1]), token=subjects)
    def purge(self, slot: int, token: str) -> None:
        self.request(f"STREAM.PURGE.{self.stream(slot)}", {"filter": f"{self.space}.{slot}.{token}"})

    @rule(slot=st.sampled_from([0, 1]), sealed=st.sampled_from([{}, {}, {}, {"sealed": True}]))
    def update(self, slot: int, sealed: dict[str, Any]) -> None:
        name = self.stream(slot)
        config = {**self.settings[slot], **sealed, "storage": self.storages[slot]} if slot in self.storages else {}
        self.request(f"STREAM.UPDATE.{name}", {"name": name, "subjects": [f"{self.space}.{slot}.>"], **config})

    @precondition(lambda self: "file" in self.storages.values())
    @rule(sure=st.sampled_from([False] * 4 + [True]))
    def restart(self, sure: bool) -> None:
        if sure:
            self.pair.restart()
            self.pair.let_pass(_MS)
