"""Conversations as clients have them, and what becomes of them when they are damaged. All of it drawn from one seed."""

from __future__ import annotations

import copy
import json
import random
from typing import Any, Final

from tests.fuzz import vocabulary as words
from tests.fuzz.vocabulary import Raw

QUIET: Final = b'CONNECT {"verbose":false,"pedantic":false,"headers":true,"no_responders":true,"protocol":1}\r\n'
_MOST_LINES: Final = 12
_LARGE: Final = (1 << 16, 1 << 20, (1 << 20) + 1)


class Grammar:
    """Draws what a client says.

    Args:
        seed: the same one draws the same.
        with_jetstream: whether it speaks to JetStream, too.
    """

    def __init__(self, seed: object, *, with_jetstream: bool = True) -> None:
        self._dice = random.Random(str(seed))
        self._with_jetstream = with_jetstream

    # -- sequences ------------------------------------------------------------------------------

    def sequence(self) -> bytes:
        """Return what one connection says: noise, or a conversation that is more or less damaged."""
        if self._chance(0.03):
            return self._dice.randbytes(self._dice.randrange(1, 400))
        lines = [QUIET if self._chance(0.8) else self.connect()]
        lines += (self.line() for _ in range(self._dice.randint(1, _MOST_LINES)))
        for _ in range(self._few()):
            self._damage_lines(lines)
        said = b"".join(lines)
        for _ in range(self._few()):
            said = self._damage(said)
        return said

    def pieces(self, said: bytes) -> list[bytes]:
        """Return the same bytes in one or a few reads."""
        places = sorted(self._dice.randrange(len(said) + 1) for _ in range(self._few()))
        return [said[begin:end] for begin, end in zip([0, *places], [*places, len(said)], strict=True)]

    def _few(self) -> int:
        return self._dice.choice((0, 0, 0, 1, 1, 2, 4))

    def _chance(self, share: float) -> bool:
        return self._dice.random() < share

    def _damage_lines(self, lines: list[bytes]) -> None:
        at = self._dice.randrange(len(lines))
        match self._dice.randrange(4):
            case 0:
                lines.insert(at, lines[at])
            case 1:
                lines.insert(at, self._dice.choice(words.ODD_BYTES))
            case 2:
                lines[at] = self._damage(lines[at])
            case _ if len(lines) > 1:
                del lines[at]

    def _damage(self, said: bytes) -> bytes:
        begin = self._dice.randrange(len(said) + 1)
        end = min(len(said), begin + self._dice.choice((0, 1, 2, 8, 64)))
        match self._dice.randrange(6):
            case 0:
                between = self._dice.choice(words.ODD_BYTES)
            case 1:
                between = self._dice.randbytes(self._dice.choice((1, 2, 8)))
            case 2:
                between = said[begin:end] * 2
            case 3 if begin < end:
                between = bytes([said[begin] ^ (1 << self._dice.randrange(8))]) + said[begin + 1 : end]
            case 4 if self._chance(0.3):
                return said[:begin]
            case _:
                between = b""
        return said[:begin] + between + said[end:]

    # -- lines ----------------------------------------------------------------------------------

    def line(self) -> bytes:
        """Return one operation, well-formed."""
        draw = self._dice.random()
        if draw < 0.12:
            return self.subscribe()
        if draw < 0.17:
            last = f" {self._dice.choice((0, 1, 2, 5))}" if self._chance(0.5) else ""
            return f"UNSUB {self._sid()}{last}\r\n".encode()
        if draw < 0.22:
            return self._dice.choice((b"PING\r\n", b"PONG\r\n", b"+OK\r\n"))
        if draw < 0.24:
            return self.connect()
        if draw < 0.65 and self._with_jetstream:
            subject, body = self.request()
            headers = self.headers() if self._chance(0.1) else b""
            return self.publish(subject, body, headers, self._reply(0.9))
        if draw < 0.75 and self._with_jetstream:
            return self.publish(self.ack_subject(), self._dice.choice(words.ACKS), b"", self._reply(0.4))
        headers = self.headers() if self._chance(0.6) else b""
        payload = (
            bytes(self._dice.choice(_LARGE))
            if self._chance(0.002)
            else self._dice.choice((b"", b"x", b"1", b"xy" * 50))
        )
        return self.publish(self._subject(), payload, headers, self._reply(0.6))

    def connect(self) -> bytes:
        names = self._dice.sample(words.CONNECT_FIELDS, self._dice.randrange(4))
        options = {"verbose": False, "pedantic": False, "headers": True} | {name: self._odd() for name in names}
        return b"CONNECT %b\r\n" % self._json(options)

    def subscribe(self) -> bytes:
        group = f" {self._name()}" if self._chance(0.2) else ""
        return f"SUB {self._pattern()}{group} {self._sid()}\r\n".encode()

    def publish(self, subject: str, payload: bytes, headers: bytes, reply: str) -> bytes:
        to = subject.encode() + (b" " + reply.encode() if reply else b"")
        if headers:
            sizes = b"%d %d" % (len(headers), len(headers) + len(payload))
            return b"HPUB %b %b\r\n%b%b\r\n" % (to, sizes, headers, payload)
        return b"PUB %b %d\r\n%b\r\n" % (to, len(payload), payload)

    def _reply(self, share: float) -> str:
        return self._dice.choice(words.SUBJECTS[-4:]) if self._chance(share) else ""

    def _sid(self) -> int:
        return self._dice.randint(1, 6)

    def _name(self) -> str:
        return self._dice.choice(words.NAMES)

    def _subject(self) -> str:
        return self._dice.choice(words.ODD_SUBJECTS if self._chance(0.05) else words.SUBJECTS)

    def _pattern(self) -> str:
        patterns = words.ODD_SUBJECTS if self._chance(0.05) else words.PATTERNS
        return self._dice.choice([one for one in patterns if self._with_jetstream or "$" not in one])

    # -- JetStream ------------------------------------------------------------------------------

    def request(self) -> tuple[str, bytes]:
        """Return an API request: the subject, and a body that may be sensible."""
        verb, names = self._dice.choice(words.REQUESTS)
        if self._chance(0.35):
            verb, names = self._dice.choice((("STREAM.CREATE", 1), ("CONSUMER.CREATE", 2), ("CONSUMER.MSG.NEXT", 2)))
        count = names + self._dice.choice((-1, 1, 2)) if self._chance(0.04) else names
        tokens = [self._dice.choice(words.ODD_SUBJECTS) if self._chance(0.02) else self._name() for _ in range(count)]
        subject = ".".join(["$JS.API", verb, *tokens])
        if self._chance(0.08):
            return subject, self._dice.choice(
                (b"", b"null", b"[]", b"1", b'""', b"{}{}", b"{", b"5", self._dice.randbytes(9))
            )
        body = self._body(verb, tokens)
        if isinstance(body, dict):
            for _ in range(self._few()):
                self._twist(body)
        return subject, self._json(body)

    def ack_subject(self) -> str:
        if self._chance(0.1):
            return f"$JS.FC.{self._name()}.{self._name()}.0001"
        numbers = [self._dice.choice((0, 1, 1, 2, 3, 10**17, "x", "9" * 500)) for _ in range(5)]
        return ".".join(["$JS.ACK", self._name(), self._name(), *map(str, numbers)])

    def _body(self, verb: str, tokens: list[str]) -> dict[str, Any]:
        stream = tokens[0] if tokens else "S"
        match verb:
            case "STREAM.CREATE" | "STREAM.UPDATE":
                return {
                    "name": stream,
                    "storage": "memory",
                    "max_msgs": 50,
                    "subjects": [f"{stream}.>"],
                } | self._feature()
            case "CONSUMER.CREATE" | "CONSUMER.DURABLE.CREATE":
                name = tokens[1] if len(tokens) > 1 else ""
                push = {"deliver_subject": self._dice.choice(words.SUBJECTS), "ack_policy": "none"}
                kind = push if self._chance(0.4) else {"ack_policy": self._dice.choice(("explicit", "all"))}
                wanted = self._name_field(verb, name)
                return {
                    "stream_name": stream,
                    "config": {**wanted, "inactive_threshold": 10**9, "max_waiting": 8, **kind},
                }
            case "CONSUMER.MSG.NEXT":
                return {
                    "batch": self._dice.choice((1, 2, 5)),
                    "expires": self._dice.choice((0, 10**6, 10**8)),
                    "no_wait": self._chance(0.5),
                }
            case "STREAM.MSG.GET" | "STREAM.MSG.DELETE":
                return {"seq": self._dice.randrange(4)}
            case "DIRECT.GET":
                return self._dice.choice(
                    ({"seq": 1}, {"last_by_subj": "S.1"}, {"multi_last": ["S.>"], "batch": 3}, {"batch": 2})
                )
            case "CONSUMER.PAUSE":
                return {"pause_until": "2999-01-01T00:00:00Z"}
            case _:
                return {}

    def _feature(self) -> dict[str, Any]:
        """Return what a stream does besides storing: most often nothing."""
        other, subject = self._name(), self._dice.choice(words.SUBJECTS)
        features: list[dict[str, Any]] = [
            {"subjects": None, "mirror": {"name": other}},
            {"sources": [{"name": other}]},
            {"sources": [{"name": other, "filter_subject": "*.1"}, {"name": self._name(), "opt_start_seq": 2}]},
            {"republish": {"src": ">", "dest": self._dice.choice(("r.>", "T.{{wildcard(1)}}", subject))}},
            {"subject_transform": {"src": "*.*", "dest": "S.{{wildcard(2)}}"}},
            {"allow_msg_ttl": True, "allow_rollup_hdrs": True, "subject_delete_marker_ttl": 10**9},
            {"allow_msg_counter": True},
            {"allow_msg_schedules": True, "allow_msg_ttl": True},
            {"allow_atomic": True, "allow_direct": True},
            {"retention": self._dice.choice(("workqueue", "interest"))},
            {"max_msgs_per_subject": 1, "discard": "new", "discard_new_per_subject": True},
            {"max_age": 10**8, "duplicate_window": 10**8},
        ]
        return self._dice.choice(features) if self._chance(0.4) else {}

    @staticmethod
    def _name_field(verb: str, name: str) -> dict[str, str]:
        return {"durable_name" if verb == "CONSUMER.DURABLE.CREATE" else "name": name}

    def _twist(self, body: dict[str, Any]) -> None:
        """Change a field, or add one, here or in an object within."""
        inner = [value for value in body.values() if isinstance(value, dict)]
        if inner and self._chance(0.7):
            self._twist(self._dice.choice(inner))
            return
        name = self._dice.choice([*body, *words.FIELDS] if self._chance(0.4) or not body else list(body))
        match self._dice.randrange(5):
            case 0:
                body.pop(name, None)
            case 1:
                body[name] = self._pattern()
            case 2:
                body[name] = {self._dice.choice(words.FIELDS): self._odd() for _ in range(self._dice.randint(1, 3))}
            case 3:
                body[name] = [self._odd(), self._pattern()]
            case _:
                body[name] = self._odd()

    def _odd(self) -> Any:
        return copy.deepcopy(self._dice.choice(words.ODD_VALUES))  # it may be changed

    def _json(self, value: Any) -> bytes:
        return _written(value).encode("utf-8", "surrogatepass")

    # -- headers --------------------------------------------------------------------------------

    def headers(self) -> bytes:
        """Return a header block, most often a readable one."""
        lines = [self._header() for _ in range(self._dice.randint(1, 3))]
        block = b"NATS/1.0\r\n" + b"".join(lines) + b"\r\n"
        return self._damage(block) or b"\r\n" if self._chance(0.15) else block

    def _header(self) -> bytes:
        value = self._odd() if self._chance(0.4) else self._dice.choice((*range(4), *words.NAMES, *words.SUBJECTS))
        text = str(value)[:2000].replace("\r", "").replace("\n", "")
        return f"{self._dice.choice(words.HEADERS)}: {text}\r\n".encode("utf-8", "surrogatepass")


def _written(value: Any) -> str:
    match value:
        case Raw():
            return str(value)
        case dict():
            return "{" + ",".join(f"{json.dumps(name)}:{_written(one)}" for name, one in value.items()) + "}"
        case list():
            return "[" + ",".join(map(_written, value)) + "]"
        case _:
            return json.dumps(value)
