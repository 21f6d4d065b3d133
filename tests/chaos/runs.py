"""Rebuilds under bad conditions, each compared with what is stored: a bounded number in `make test`, all in `make chaos`."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from lattice_store import Claims, Lattice, LatticeView, LinkDefinition, OciReference
from lattice_store.limits import SECOND_NS, Limits
from lattice_store.model import DELIVER_LAST_PER_SUBJECT, Publication
from lattice_store.nats import LocalServer, NatsStorage, connect
from lattice_store.nats._intake import Intake
from tests.nats.conftest import Proxy

LIMITS = Limits(heartbeat_ns=SECOND_NS // 5, retry_min_ns=SECOND_NS // 100, retry_max_ns=SECOND_NS // 10)
_PATIENCE_S = 60
SLOW_CONSUMER = "Slow Consumer"
"""What nats-server writes when it cuts a client that does not read."""


class UnlikeTheStreamError(AssertionError):
    """A rebuild did not give what is stored."""


def records(count: int) -> list[Claims | LinkDefinition | OciReference]:
    made: list[Claims | LinkDefinition | OciReference] = []
    for number in range(count):
        match number % 3:
            case 0:
                made.append(Claims(public_key=f"M{number:055d}", issuer="A1", call_alias=f"alias{number % 50}"))
            case 1:
                values = {"URL": "redis://127.0.0.1:6379", "N": str(number)}
                made.append(LinkDefinition(actor_id=f"M{number}", provider_id="V1", contract_id="c", values=values))
            case _:
                made.append(OciReference(oci_url=f"registry.example/actor:{number}", public_key=f"M{number}"))
    return made


async def fill(storage: NatsStorage, prefix: str, count: int) -> dict[object, object]:
    """Make a lattice and store records; return what a rebuild must give."""
    lattice = Lattice(storage, prefix, limits=LIMITS)
    await lattice.ensure()
    stored = records(count)
    revisions = [revision async for revision in lattice.put_many(stored)]
    return {record.key: (revision, record) for record, revision in zip(stored, revisions, strict=True)}


def check(view: LatticeView, expected: dict[object, object]) -> None:
    found = {entry.record.key: (entry.revision, entry.record) for entry in view}
    if found != expected or view.corrupt:
        missing, more = expected.keys() - found.keys(), found.keys() - expected.keys()
        raise UnlikeTheStreamError(f"{view}: {len(missing)} records are missing, {len(more)} too many")


async def cut_links(server: LocalServer, *, runs: int, keys: int, seed: int) -> int:
    """Rebuild while a proxy cuts the link at a byte drawn at random; return how often it did."""
    places, cuts = random.Random(seed), 0
    async with (
        await connect(server.url, limits=LIMITS) as direct,
        Proxy(server.port).running() as proxy,
        await connect(proxy.url, limits=LIMITS) as behind,
    ):
        expected = await fill(direct, "cut", keys)
        size = (await direct.stream_info("LATTICECACHE_cut")).state.bytes
        for _ in range(runs):
            await _until_reachable(behind)
            proxy.cut_after = places.randrange(size)
            async with asyncio.timeout(_PATIENCE_S):
                check(await Lattice(behind, "cut", limits=LIMITS).rebuild(), expected)
            cuts += proxy.cut_after is None
            proxy.cut_after = None
        await direct.delete_stream("LATTICECACHE_cut")
    return cuts


async def _until_reachable(storage: NatsStorage) -> None:
    async with asyncio.timeout(_PATIENCE_S):
        while True:
            try:
                await storage.list_streams()
            except ConnectionError:
                await asyncio.sleep(0.005)
            except Exception as error:  # not connected yet
                if "not connected" not in str(error):
                    raise
                await asyncio.sleep(0.005)
            else:
                return


@asynccontextmanager
async def _split_reads(seed: int, largest: int) -> AsyncIterator[None]:
    """Hand everything that is read to the frames in pieces of 1 to *largest* bytes."""
    sizes, feed = random.Random(seed), Intake._feed

    def in_pieces(self: Intake, data: bytes) -> None:
        at = len(self.frames.rest)  # which *data* begins with
        while at < len(data):
            size = sizes.randint(1, largest)
            feed(self, self.frames.rest + data[at : at + size])
            at += size

    Intake._feed = in_pieces  # type: ignore[method-assign]
    try:
        yield
    finally:
        Intake._feed = feed  # type: ignore[method-assign]


async def split_reads(server: LocalServer, *, runs: int, keys: int, seed: int) -> None:
    """Rebuild, connection included, with every read split into pieces of 1 to 7 bytes."""
    async with await connect(server.url, limits=LIMITS) as direct:
        expected = await fill(direct, "split", keys)
        for number in range(runs):
            async with (
                _split_reads(seed + number, 7),
                await connect(server.url, limits=LIMITS) as storage,
                asyncio.timeout(_PATIENCE_S),
            ):
                check(await Lattice(storage, "split", limits=LIMITS).rebuild(), expected)
        await direct.delete_stream("LATTICECACHE_split")


async def slow_reader(server: LocalServer, *, keys: int, turns: int, limits: Limits = LIMITS) -> float:
    """Read every last value, idling for *turns* of the event loop after each batch; return the most that one held."""
    payload = b'{"filler":"' + b"x" * 279 + b'"}'
    largest, expected = 0, 1
    async with await connect(server.url, limits=limits) as storage:
        await Lattice(storage, "slow", limits=LIMITS).ensure()
        async for result in storage.publish_many(
            Publication(subject=f"lc.slow.claims.M{number}", payload=payload) for number in range(keys)
        ):
            if isinstance(result, Exception):
                raise result
        async with storage.replay("LATTICECACHE_slow", deliver=DELIVER_LAST_PER_SUBJECT) as replay:
            async for batch in replay.batches():
                largest = max(largest, len(batch.messages))
                for message in batch.messages:
                    if message.sequence != expected:
                        raise UnlikeTheStreamError(f"sequence {message.sequence} where {expected} should be")
                    expected += 1
                if batch.caught_up:
                    break
                for _ in range(turns):
                    await asyncio.sleep(0)
        await storage.delete_stream("LATTICECACHE_slow")
    if expected != keys + 1:
        raise UnlikeTheStreamError(f"{expected - 1} of {keys} records")
    if SLOW_CONSUMER in server.output:
        raise UnlikeTheStreamError("the server cut the reader for being too slow")
    return largest
