"""Names that each server makes up for itself: of consumers created without one, for flow control, and of pinned clients."""

from __future__ import annotations

import re
from typing import Any, Final

from tests.agreement.client import Arrival
from tests.agreement.comparable import json_of

_PIN: Final = re.compile(rb"Nats-Pin-Id: ([^\r]+)")


class Renames:
    """Lets an example use the names that the leading side made up."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def to_other(self, subject: str, payload: bytes, headers: bytes, reply: str) -> tuple[str, bytes, bytes, str]:
        """Return a message to the other side in its own names."""
        for ours, theirs in self._names.items():
            subject = subject.replace(ours, theirs)
            payload = payload.replace(ours.encode(), theirs.encode())
        return subject, payload, headers, reply

    def to_lead(self, arrival: Arrival) -> Arrival:
        """Return a message of the other side in the names of the leading one."""
        if not self._names:
            return arrival
        to, subject, reply, headers, payload = arrival
        for ours, theirs in self._names.items():
            subject, reply = subject.replace(theirs, ours), reply.replace(theirs, ours)
            headers = headers.replace(theirs.encode(), ours.encode())
            payload = payload.replace(theirs.encode(), ours.encode())
        return Arrival(to, subject, reply, headers, payload)

    def learn(self, said: Arrival, heard: Arrival) -> Arrival:
        """Remember the names if both have made one up on the same occasion; return *heard* in our names."""
        if (ours := _made_up(said)) and (theirs := _made_up(heard)) and ours != theirs:
            self._names[ours] = theirs
            return self.to_lead(heard)
        return heard


def _made_up(arrival: Arrival) -> str:
    """Return the name of a created consumer whose configuration has none, where flow control is to be answered, or a pin."""
    if arrival.reply.startswith("$JS.FC."):
        return arrival.reply
    if pin := _PIN.search(arrival.headers):
        return pin[1].decode()
    answer: Any = json_of(arrival.payload)
    match answer:
        case {"type": "io.nats.jetstream.api.v1.consumer_create_response", "name": str(name), "config": dict(config)}:
            return "" if {"name", "durable_name"} & set(config) else name
    return ""
