"""The play of ``demo``: two hosts, one lattice, seven acts.

What it says is the same, line for line, on the simulator and on a real server: no times, addresses or drawn ids.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from importlib.resources import files
from typing import Any, Final

import attrs

from lattice_store._changes import RecordCorrupt, RecordPut, RecordRemoved
from lattice_store._json import Deleted, decode
from lattice_store._lattice import Lattice
from lattice_store._records import Kind, Record
from lattice_store._watch import CaughtUp, Event
from lattice_store.cli._present import gist
from lattice_store.cli._text import counted
from lattice_store.errors import RevisionMismatchError
from lattice_store.limits import SECOND_NS
from lattice_store.storage import Storage

_PUBLIC_KEY: Final = re.compile(r"\b([A-Z2-7]{8})[A-Z2-7]{48}\b")
_TIMEOUT_NS: Final = 10 * SECOND_NS


def recorded(name: str) -> Any:
    """Return a record as a wasmCloud host wrote it; its source stands beside it in the file."""
    sample = json.loads(files("lattice_store.cli").joinpath("_demo_records.json").read_text())["records"][name]
    record = decode(Kind(sample["kind"]), json.dumps(sample["value"]).encode())
    assert not isinstance(record, Deleted)
    return record


@attrs.frozen(kw_only=True)
class Play:
    """Two hosts on one server, each with a connection of its own, and a lattice that is none of theirs."""

    one: Lattice
    two: Lattice
    other: Lattice
    storage: Storage
    say: Callable[[str], None]
    say_title: Callable[[str], None]

    async def run(self) -> None:
        """Play all acts."""
        self.say_title(
            "Two hosts share a lattice. All that lies between them is one JetStream stream, simulated or real."
        )
        await self._fill()
        await self._rebuild()
        async with self.two.watch() as watch:
            events = aiter(watch)
            while not isinstance(await _next(events), CaughtUp):
                pass
            await self._change(events)
            await self._conflict(events)
            await self._remove(events)
            await self._corrupt(events)
        await self._stay_apart()

    async def _fill(self) -> None:
        self._act("1. Host one makes the lattice and stores what it runs: values recorded from wasmCloud hosts.")
        ensured = await self.one.ensure()
        if ensured.error is not None:
            raise ensured.error
        self._tell("host one", ensured.outcome.value, f"stream {self.one.stream} on lc.{self.one.prefix}.>")
        for name in ("kvcounter", "http_server", "http_server_reference", "http_link"):
            await self._put(recorded(name))

    async def _rebuild(self) -> None:
        self._act("2. Host two starts later and rebuilds everything from the stream.")
        view = await self.two.rebuild()
        self._tell("host two", "has", f"{counted(len(view), 'record')}, complete up to revision {view.revision}")
        link = next(iter(view.links.values())).record
        names = {key.public_key: entry.record.name for key, entry in view.claims.items()}
        self._tell("", "", f"{names[link.actor_id]} calls {link.contract_id} at {names[link.provider_id]}")

    async def _change(self, events: AsyncIterator[Event]) -> None:
        self._act("3. Host two follows, and sees what host one changes. Values of links are never shown.")
        await self._put(recorded("keyvalue_link"))
        await self._see(events)

    async def _conflict(self, events: AsyncIterator[Event]) -> None:
        self._act("4. Both update kvcounter, expecting it at revision 1. The slower one overwrites nothing.")
        claims = recorded("kvcounter")
        stored = await self.two.get(claims.key)
        await self._put(attrs.evolve(claims, version="0.3.1"), expect=stored.revision)
        await self._see(events)
        try:
            await self.two.put(attrs.evolve(claims, version="0.3.2"), expect=stored.revision)
        except RevisionMismatchError as error:
            self._tell("host two", "is refused", str(error))

    async def _remove(self, events: AsyncIterator[Event]) -> None:
        self._act("5. Host one removes the key-value link.")
        key = recorded("keyvalue_link").key
        self._tell("host one", "remove", str(key), await self.one.remove(key))
        await self._see(events)

    async def _corrupt(self, events: AsyncIterator[Event]) -> None:
        self._act("6. Somebody stores what is no record. It is kept, counted and reported, and stops nothing.")
        await self.storage.publish(f"lc.{self.one.prefix}.claims.MBROKEN", b"no JSON at all")
        await self._see(events)
        view = await self.two.rebuild()
        self._tell("", "has", f"{counted(len(view), 'record')}, and knows of {len(view.corrupt)} corrupt")

    async def _stay_apart(self) -> None:
        self._act("7. Another lattice on the same server stays apart.")
        ensured = await self.other.ensure()
        if ensured.error is not None:
            raise ensured.error
        await self.other.put(recorded("echo_reference"))
        for lattice in (self.one, self.other):
            self._tell("lattice", lattice.prefix, counted(len(await lattice.rebuild()), "record"))

    async def _put(self, record: Record, expect: int | None = None) -> None:
        self._tell("host one", "put", _told(record), await self.one.put(record, expect=expect))

    async def _see(self, events: AsyncIterator[Event]) -> None:
        match await _next(events):
            case RecordPut(entry):
                self._tell("host two", "sees put", _told(entry.record), entry.revision)
            case RecordRemoved(key, revision):
                self._tell("host two", "sees remove", str(key), revision)
            case RecordCorrupt(error):
                problem = error.problem.partition(":")[0]  # the rest says at which byte
                self._tell("host two", "sees corrupt", f"{error.subject}: {problem}", error.revision)
            case unexpected:
                self._tell("host two", "sees", str(unexpected))

    def _act(self, title: str) -> None:
        self.say("")
        self.say_title(title)

    def _tell(self, who: str, does: str, what: str, revision: int | None = None) -> None:
        number = "" if revision is None else revision
        self.say(_PUBLIC_KEY.sub(r"\1…", f"   {who:<8}  {does:<12}  {number:<3}{what}"))


def _told(record: Record) -> str:
    return f"{record.key}  {gist(record, show_values=False)}"


async def _next(events: AsyncIterator[Event]) -> Event:
    async with asyncio.timeout(_TIMEOUT_NS / SECOND_NS):
        return await anext(events)
