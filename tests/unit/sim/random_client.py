"""A client that does everything at random, with dice of its own: ``python -m tests.unit.sim.random_client 7 500``.

The same seed does the same, as long as the server does: what is acknowledged is what was delivered.
"""

from __future__ import annotations

import json
import sys
from random import Random
from typing import Any

from lattice_store_sim import Recorder
from lattice_store_sim._core._outbox import Outgoing
from tests.unit.sim.helpers import SECOND, block

STREAMS = ["A", "B", "C"]
CONSUMERS = ["x", "y", "z"]
TOKENS = ["1", "2", "1.2"]
MS = SECOND // 1000
STREAM_SETTINGS: list[tuple[str, list[Any]]] = [
    ("storage", ["memory", "memory", "file"]),
    ("retention", ["limits", "limits", "interest", "workqueue"]),
    ("max_msgs", [3, 9]),
    ("max_msgs_per_subject", [1, 3]),
    ("max_bytes", [200, 500]),
    ("max_age", [3 * SECOND]),
    ("discard", ["new"]),
    ("allow_direct", [True]),
    ("allow_rollup_hdrs", [True]),
    ("allow_msg_ttl", [True]),
    ("subject_delete_marker_ttl", [2 * SECOND]),
]
CONSUMER_SETTINGS: list[tuple[str, list[Any]]] = [
    ("deliver_policy", ["all", "new", "last", "last_per_subject"]),
    ("ack_policy", ["none", "explicit", "explicit", "all"]),
    ("ack_wait", [SECOND]),
    ("max_deliver", [2]),
    ("max_ack_pending", [1, 3]),
    ("headers_only", [True]),
    ("replay_policy", ["original"]),
    ("inactive_threshold", [5 * SECOND]),
    ("mem_storage", [True]),
]
HEADERS: list[tuple[str, list[str]]] = [
    ("Nats-Msg-Id", ["one", "two", "three"]),
    ("Nats-Rollup", ["sub", "all"]),
    ("Nats-TTL", ["1", "2s"]),
    ("Nats-Expected-Last-Subject-Sequence", ["0", "1", "2"]),
]
ACKS = [b"", b"+ACK", b"-NAK", b'-NAK {"delay":500000000}', b"+WPI", b"+TERM", b"+NXT"]


class RandomClient:
    """Acts on the server of *recorder*, listening to all inboxes."""

    def __init__(self, recorder: Recorder, seed: int) -> None:
        self.recorder = recorder
        self.dice = Random(seed)
        self.to_ack: list[str] = []
        self.listening: set[str] = set()
        self.asked = 0

    def on(self, recorder: Recorder) -> RandomClient:
        """Return a client that will act in the same way on another server in the same state."""
        other = RandomClient(recorder, 0)
        other.dice.setstate(self.dice.getstate())
        other.to_ack, other.listening, other.asked = self.to_ack.copy(), self.listening.copy(), self.asked
        return other

    def act(self, steps: int) -> None:
        if not self.asked:
            self.recorder.subscribe("_INBOX.>")
            for stream in STREAMS:
                self.set_up(stream)
        doing = [self.publish] * 8 + [self.pull] * 6 + [self.ack] * 6 + [self.wait] * 3 + [self.consume] * 2
        doing += [self.read, self.remove, self.create_stream, self.administer, self.listen]
        for _ in range(steps):
            self.dice.choice(doing)(self.dice.choice(STREAMS))

    def set_up(self, stream: str) -> None:
        self.create_stream(stream)
        for name in CONSUMERS:
            self.consume(stream, name)

    # -- what there is to do --------------------------------------------------------------------

    def publish(self, stream: str) -> None:
        headers = [(name, self.dice.choice(values)) for name, values in HEADERS if self.dice.random() < 0.15]
        payload = b"x" * self.dice.choice([0, 1, 50])
        self.send(f"{stream}.{self.dice.choice(TOKENS)}", payload, block(*headers).block)

    def pull(self, stream: str) -> None:
        expires = self.dice.choice([0, SECOND, 5 * SECOND])
        request = {"batch": self.dice.randint(1, 3), "no_wait": self.dice.random() < 0.3, "expires": expires}
        if expires and self.dice.random() < 0.2:
            request["idle_heartbeat"] = 400 * MS
        self.ask(f"CONSUMER.MSG.NEXT.{stream}.{self.dice.choice(CONSUMERS)}", request)

    def ack(self, _: str) -> None:
        if self.to_ack:
            at = self.dice.randrange(len(self.to_ack))
            subject = self.to_ack[at] if self.dice.random() < 0.1 else self.to_ack.pop(at)
            self.send(subject, self.dice.choice(ACKS))

    def wait(self, _: str) -> None:
        self.noted(self.recorder.advance(self.dice.choice([0.001, 0.1, 0.5, 1, 2, 130])))

    def consume(self, stream: str, name: str | None = None) -> None:
        name = self.dice.choice([*CONSUMERS, ""]) if name is None else name
        config: dict[str, Any] = {
            "deliver_policy": "all",
            "ack_policy": "explicit",
            **self.drawn(CONSUMER_SETTINGS, 0.15),
        }
        if self.dice.random() < 0.25:
            config["deliver_subject"] = f"push.{stream}.{name or 'n'}"
            if self.dice.random() < 0.3:
                config |= {"idle_heartbeat": SECOND, "flow_control": True}
        if self.dice.random() < 0.3:
            config["filter_subject"] = f"{stream}.{self.dice.choice(['1', '*', '>'])}"
        if name:
            config |= {"name": name, "durable_name": name} if self.dice.random() < 0.5 else {"name": name}
        subject = f"CONSUMER.CREATE.{stream}.{name}" if name else f"CONSUMER.CREATE.{stream}"
        self.ask(subject, {"stream_name": stream, "config": config})

    def read(self, stream: str) -> None:
        self.ask(f"STREAM.MSG.GET.{stream}", {"seq": self.dice.randint(1, 20)})
        self.ask(f"DIRECT.GET.{stream}", {"multi_last": [f"{stream}.>"]})
        self.ask(f"STREAM.INFO.{stream}", {"deleted_details": True, "subjects_filter": ">"})
        self.ask(f"CONSUMER.LIST.{stream}")
        self.ask("STREAM.LIST")

    def remove(self, stream: str) -> None:
        kind = self.dice.choice(["STREAM.MSG.DELETE", "STREAM.MSG.DELETE", "STREAM.PURGE"])
        details = (
            {"seq": self.dice.randint(1, 30)} if self.dice.random() < 0.7 else {"filter": f"{stream}.1", "keep": 1}
        )
        self.ask(f"{kind}.{stream}", details)

    def create_stream(self, stream: str) -> None:
        verb = self.dice.choice(["STREAM.CREATE", "STREAM.UPDATE"])
        self.ask(f"{verb}.{stream}", {"name": stream, "subjects": [f"{stream}.>"], **self.drawn(STREAM_SETTINGS, 0.2)})
        self.ask(f"STREAM.CREATE.{stream}", {"name": stream, "subjects": [f"{stream}.>"], "storage": "memory"})

    def administer(self, stream: str) -> None:
        what = self.dice.random()
        if what < 0.1:
            self.noted(self.recorder.restart())
            self.set_up(stream)
        elif what < 0.2:
            self.ask(f"STREAM.DELETE.{stream}")
            self.set_up(stream)
        elif what < 0.4:
            self.ask(f"CONSUMER.DELETE.{stream}.{self.dice.choice(CONSUMERS)}")
        else:
            until = "2026-01-01T00:02:00Z" if what < 0.8 else "0001-01-01T00:00:00Z"
            self.ask(f"CONSUMER.PAUSE.{stream}.{self.dice.choice(CONSUMERS)}", {"pause_until": until})

    def listen(self, stream: str) -> None:
        subject = f"push.{stream}.{self.dice.choice([*CONSUMERS, 'n'])}"
        verb = self.recorder.unsubscribe if subject in self.listening else self.recorder.subscribe
        self.listening ^= {subject}
        self.noted(verb(subject))

    # -- how ------------------------------------------------------------------------------------

    def drawn(self, settings: list[tuple[str, list[Any]]], likely: float) -> dict[str, Any]:
        return {name: self.dice.choice(values) for name, values in settings if self.dice.random() < likely}

    def ask(self, api: str, body: dict[str, Any] | None = None) -> None:
        self.send(f"$JS.API.{api}", json.dumps(body).encode() if body else b"")

    def send(self, subject: str, payload: bytes, headers: bytes = b"") -> None:
        self.asked += 1
        self.noted(self.recorder.send(subject, payload, headers=headers, reply=f"_INBOX.{self.asked}"))

    def noted(self, sent: list[Outgoing]) -> None:
        """Remember what to acknowledge, and answer what asks for an answer."""
        for each in sent:
            if each.reply.startswith("$JS.ACK."):
                self.to_ack.append(each.reply)
            elif each.reply.startswith("$JS.FC."):
                self.send(each.reply, b"")


def main() -> None:
    seed, steps = map(int, sys.argv[1:])
    recorder = Recorder()
    RandomClient(recorder, seed).act(steps)
    sys.stdout.write(str(recorder.transcript))


if __name__ == "__main__":
    main()
