"""A router and some clients, without a socket: what each is sent is read off as text."""

from __future__ import annotations

import json
from typing import Any

from lattice_store_sim._core._profile import PROFILES
from lattice_store_sim._core._server import SimCore
from lattice_store_sim._wire._clients import Client
from lattice_store_sim._wire._router import Router
from lattice_store_sim._wire._server_info import ServerInfo

QUIET = {"verbose": False, "pedantic": False, "headers": True, "no_responders": True}


class House:
    """A server and who is connected to it."""

    def __init__(self, profile: str = "2.15", *, info: dict[str, Any] | None = None, **options: Any) -> None:
        self.core = SimCore(PROFILES[profile])
        self.router = Router(self.core, ServerInfo(profile=PROFILES[profile], **(info or {})), **options)
        self.now_ns = 1_700_000_000 * 10**9

    def guest(self, **options: Any) -> Guest:
        """Return a new client that has connected; it is quiet unless *options* say otherwise."""
        guest = Guest(self, nonce="nonce")
        guest.say(f"CONNECT {json.dumps({**QUIET, **options})}\r\n")
        return guest

    def stream(self, name: str = "S", subject: str = "s.>", **config: Any) -> None:
        guest = self.guest()
        body = json.dumps({"name": name, "subjects": [subject], "storage": "memory", **config})
        guest.say(f"PUB $JS.API.STREAM.CREATE.{name} {len(body)}\r\n{body}\r\n")


class Guest:
    """One client."""

    def __init__(self, house: House, nonce: str = "") -> None:
        self.house = house
        self.client: Client = house.router.attach("127.0.0.1", nonce=nonce)

    def say(self, *lines: str) -> str:
        """Say lines; return what comes back, a vertical bar for each end of a line."""
        said = "".join(line if line.endswith("\n") else f"{line}\r\n" for line in lines)
        self.house.router.receive(self.client, said.encode(), self.house.now_ns)
        return self.heard

    @property
    def heard(self) -> str:
        """What came since that was asked last."""
        return self.client.take_out().decode().replace("\r\n", "|")

    @property
    def ended(self) -> bool:
        return self.client.ending is not None

    def leave(self) -> None:
        self.house.router.detach(self.client, self.house.now_ns)
