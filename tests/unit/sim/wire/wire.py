"""A simulated server spoken to in raw requests."""

from __future__ import annotations

import json
from typing import Any, Self

import attrs

from lattice_store_sim._core._invariants import check
from lattice_store_sim._core._outbox import Outgoing
from lattice_store_sim._core._profile import PROFILES
from lattice_store_sim._core._server import SimCore
from lattice_store_sim._wire._api import JetStreamApi

_INBOX = "_INBOX.wire"
MILLISECOND = 1_000_000


@attrs.define
class Wire:
    """A server with one stream "S" on "s.>"; the clock moves on by a millisecond before each request."""

    api: JetStreamApi
    now_ns: int = 1_700_000_000 * 1_000_000_000
    heard: list[Outgoing] = attrs.field(factory=list)
    """What came to others than who asked."""

    @classmethod
    def with_stream(cls, profile: str = "2.15", tokens: str = "", **config: Any) -> Self:
        """Return a server of that version; *tokens* are published to, each with an empty message."""
        wire = cls(JetStreamApi(SimCore(PROFILES[profile])))
        wire.api.core.subscribe(_INBOX, now_ns=wire.now_ns)
        config = {"name": "S", "subjects": ["s.>"], "storage": "memory", "allow_direct": True, **config}
        wire("STREAM.CREATE.S", config)
        for token in tokens:
            wire.publish(token)
        return wire

    def send(self, subject: str, payload: bytes = b"", headers: bytes = b"") -> list[Outgoing]:
        """Send a message; return all that is answered."""
        self.now_ns += MILLISECOND
        self.api.send(subject, payload, headers=headers, reply=_INBOX, now_ns=self.now_ns)
        check(self.api.core)
        answers = [each for each in self.api.core.outbox if each.to == _INBOX]
        self.heard += [each for each in self.api.core.outbox if each.to != _INBOX]
        self.api.core.outbox.clear()
        return answers

    def restart(self) -> Self:
        """Stop the server in good order and start it again."""
        self.api.core.restart(now_ns=self.now_ns)
        check(self.api.core)
        return self

    def listen(self, subject: str) -> Self:
        """Let somebody listen, whose messages are `heard`."""
        self.api.core.subscribe(subject, now_ns=self.now_ns)
        return self

    def publish(self, token: str, payload: bytes = b"", headers: bytes = b"") -> None:
        self.send(f"s.{token}", payload, headers)

    def ask(self, api: str, body: object = b"", headers: bytes = b"") -> list[Outgoing]:
        """Send an API request; *body* is JSON to be, or bytes as they are."""
        return self.send(f"$JS.API.{api}", body if isinstance(body, bytes) else json.dumps(body).encode(), headers)

    def __call__(self, api: str, body: object = b"", headers: bytes = b"") -> dict[str, Any]:
        """Return the one answer to an API request, decoded."""
        [answer] = self.ask(api, body, headers)
        decoded: dict[str, Any] = json.loads(answer.payload)
        return decoded

    def refusal(self, api: str, body: object = b"", headers: bytes = b"") -> tuple[int, int, str]:
        """Return code, err_code and text of the error that must be the answer."""
        error = self(api, body, headers)["error"]
        return error["code"], error["err_code"], error["description"]

    def statuses(self, api: str, body: object = b"", headers: bytes = b"") -> list[str]:
        """Return the status lines among the answers to an API request."""
        lines = [each.headers.split(b"\r\n")[0].decode() for each in self.ask(api, body, headers)]
        return [line.removeprefix("NATS/1.0 ") for line in lines if line != "NATS/1.0"]

    def state(self, **details: Any) -> dict[str, Any]:
        """Return what INFO says of the stream, without times."""
        state: dict[str, Any] = self("STREAM.INFO.S", {"deleted_details": True, **details})["state"]
        return {name: value for name, value in state.items() if name not in ("first_ts", "last_ts", "consumer_count")}
