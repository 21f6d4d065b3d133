"""One stream of the core behind the simulator's API, asked with the methods of `naive.NaiveStream`."""

from __future__ import annotations

import base64
import json
from typing import Any

from lattice_store.wire import time_to_ns
from lattice_store_sim._core._profile import NEWEST, ServerProfile
from lattice_store_sim._core._server import SimCore
from lattice_store_sim._wire._api import JetStreamApi
from tests.unit.sim.helpers import block
from tests.unit.sim.naive import Kept, Pairs, RefusedError

_INBOX = "_INBOX.naive"


class WiredStream:
    """Asks over the wire and reads the answers; a refusal raises `RefusedError`."""

    def __init__(self, config: dict[str, Any], now: int, profile: ServerProfile = NEWEST) -> None:
        self.core = SimCore(profile)
        self.name = config["name"]
        self.core.subscribe(_INBOX, now_ns=now)
        self.ask(now, "STREAM.CREATE", config)

    def send(self, now: int, subject: str, payload: bytes, headers: Pairs = ()) -> dict[str, Any]:
        JetStreamApi(self.core).send(subject, payload, headers=block(*headers).block, reply=_INBOX, now_ns=now)
        [sent] = self.core.outbox
        self.core.outbox.clear()
        answer: dict[str, Any] = json.loads(sent.payload)
        if error := answer.get("error"):
            raise RefusedError(error["code"], error["err_code"], error["description"])
        return answer

    def ask(self, now: int, words: str, body: dict[str, Any]) -> dict[str, Any]:
        return self.send(now, f"$JS.API.{words}.{self.name}", json.dumps(body).encode() if body else b"")

    # -- as the naive model says it -------------------------------------------------------------

    def publish(self, now: int, subject: str, payload: bytes, headers: Pairs = ()) -> dict[str, Any]:
        ack = self.send(now, subject, payload, headers)
        assert ack.pop("stream") == self.name
        return ack

    def get(self, now: int, **request: Any) -> Kept:
        message = self.ask(now, "STREAM.MSG.GET", request)["message"]
        headers = base64.b64decode(message.get("hdrs", "")).decode().split("\r\n")[1:-2]
        return Kept(
            message["subject"],
            message["seq"],
            time_to_ns(message["time"]) or 0,
            tuple((name, value) for name, _, value in (line.partition(": ") for line in headers)),
            base64.b64decode(message.get("data", "")),
        )

    def state(self, now: int) -> dict[str, Any]:
        state = self.ask(now, "STREAM.INFO", {"deleted_details": True})["state"]
        del state["consumer_count"]
        return state | {name: time_to_ns(state[name]) for name in ("first_ts", "last_ts")}

    def delete(self, now: int, seq: int) -> None:
        assert self.ask(now, "STREAM.MSG.DELETE", {"seq": seq})["success"]

    def purge(self, now: int, **request: Any) -> int:
        answer = self.ask(now, "STREAM.PURGE", request)
        assert answer["success"]
        return int(answer["purged"])

    def update(self, now: int, config: dict[str, Any]) -> None:
        self.ask(now, "STREAM.UPDATE", config)

    def restart(self, now: int) -> None:
        self.core.restart(now_ns=now)

    @property
    def messages(self) -> list[Kept]:
        """All messages at once; an API has no such request."""
        kept = self.core.streams[self.name].log.messages.values()
        return [Kept(one.subject, one.sequence, one.time_ns, _pairs(one.headers.block), one.payload) for one in kept]


def _pairs(stored: bytes) -> Pairs:
    return tuple(tuple(line.split(": ", 1)) for line in stored.decode().split("\r\n")[1:-2])  # type: ignore[misc]
