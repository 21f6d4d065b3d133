"""Following a lattice, on both backends."""

import asyncio
from contextlib import asynccontextmanager

import attrs
import pytest

from lattice_store import (
    CaughtUp,
    Claims,
    ClaimsKey,
    Lattice,
    LinkDefinition,
    OciReference,
    RecordCorrupt,
    RecordPut,
    RecordRemoved,
    Reset,
    ResetReason,
)
from lattice_store._formats import StreamFormat
from lattice_store._view import GrowingView
from lattice_store._watch import coalesce
from lattice_store.errors import (
    ConnectionLostError,
    PermissionDeniedError,
    ReplayInterruptedError,
    RevisionMismatchError,
    StorageClosedError,
    StreamNotFoundError,
    api_error,
)
from lattice_store.limits import Limits
from lattice_store.testing import RecordingStorage
from lattice_store.testing._forwarding import ForwardingReplay
from lattice_store_sim import SimServer, SimStorage
from tests.lattice.conftest import LIMITS

ECHO = Claims(public_key="MECHO", issuer="A1", name="echo", call_alias="echo")
IMAGE = OciReference(oci_url="wasmcloud.azurecr.io/echo:0.3.1", public_key="MECHO")
LINK = LinkDefinition(actor_id="M1", provider_id="V1", contract_id="c")


class Events:
    """Takes events one by one, each within a bound."""

    def __init__(self, watch):
        self._events = aiter(watch)

    async def next(self):
        async with asyncio.timeout(15):
            return await anext(self._events)

    async def through(self, kind):
        taken = []
        while not taken or not isinstance(taken[-1], kind):
            taken.append(await self.next())
        return taken


async def test_a_watch_yields_the_snapshot_then_caught_up_then_changes(lattice):
    await lattice.put(ECHO)
    await lattice.put(IMAGE)
    async with lattice.watch() as watch:
        events = Events(watch)
        *snapshot, caught_up = await events.through(CaughtUp)
        assert {event.entry.record.key for event in snapshot} == {ECHO.key, IMAGE.key}
        assert caught_up == CaughtUp(revision=2, records=2)
        await lattice.put(attrs.evolve(ECHO, name="other"))
        put = await events.next()
        assert put.entry.record.name == "other"
        assert put.previous.record == ECHO
        await lattice.remove(IMAGE.key)
        removed = await events.next()
        assert (removed.key, removed.revision) == (IMAGE.key, 4)
        assert len(watch.view) == 1


async def test_an_empty_lattice_is_caught_up_at_once(lattice):
    async with lattice.watch() as watch:
        events = Events(watch)
        assert await events.next() == CaughtUp(revision=0, records=0)
        await lattice.put(LINK)
        assert (await events.next()).entry.record == LINK


async def test_a_loop_over_a_watch_is_taken_up_where_it_was_left(lattice):
    await lattice.put(ECHO)
    async with lattice.watch() as watch:
        async with asyncio.timeout(15):
            snapshot = []
            async for event in watch:
                snapshot.append(event)
                if isinstance(event, CaughtUp):
                    break
            assert len(snapshot) == 2
            await lattice.put(IMAGE)
            async for event in watch:
                assert event.entry.record == IMAGE
                break
        assert len(watch.view) == 2
    with pytest.raises(StorageClosedError):
        await anext(watch)


async def test_a_watch_can_be_polled(lattice):
    async with lattice.watch() as watch:
        assert isinstance(await anext(watch), CaughtUp)
        for number in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0):
                    await anext(watch)
            record = attrs.evolve(ECHO, name=str(number))
            await lattice.put(record)
            async with asyncio.timeout(15):
                assert (await anext(watch)).entry.record == record


async def test_a_poll_that_is_cancelled_while_the_stream_is_gone_loses_nothing(lattice, storage):
    await lattice.put(ECHO)
    async with lattice.watch() as watch:
        events = Events(watch)
        await events.through(CaughtUp)
        await storage.delete_stream(lattice.stream)
        assert isinstance(await events.next(), Reset)
        for _ in range(5):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.001):
                    await anext(watch)
        await lattice.ensure()
        await lattice.put(IMAGE)
        seen = await events.through(CaughtUp)
        assert RecordRemoved in {type(event) for event in seen}


async def test_an_own_write_shows_a_view_that_its_stream_is_no_more(lattice, storage):
    for number in range(5):
        await lattice.put(attrs.evolve(ECHO, name=str(number)))
    async with lattice.attach():
        await storage.delete_stream(lattice.stream)
        await lattice.ensure()
        revision = await lattice.put(IMAGE)
        assert revision < 5
        assert (await lattice.get(IMAGE.key)).revision == revision
        assert await lattice.find(ECHO.key) is None


async def test_a_write_never_decides_on_a_view_whose_stream_is_no_more(lattice, storage, prefix):
    for number in range(5):
        await lattice.put(attrs.evolve(LINK, provider_id=f"V{number}"))
    async with lattice.attach():
        await storage.delete_stream(lattice.stream)
        await lattice.ensure()
        with pytest.raises(RevisionMismatchError) as caught:
            await lattice.put(LINK, expect=5)
        assert caught.value.actual == 0
        assert await lattice.remove(LINK.key) is None
        assert (await storage.stream_info(lattice.stream)).state.last_sequence == 0


async def test_a_watch_that_was_left_while_its_stream_was_gone_stays_closed(lattice, storage):
    async with lattice.watch() as watch:
        events = Events(watch)
        await events.through(CaughtUp)
        await storage.delete_stream(lattice.stream)
        assert isinstance(await events.next(), Reset)
    await lattice.ensure()
    with pytest.raises(StorageClosedError):
        await anext(watch)
    assert (await storage.stream_info(lattice.stream)).state.consumer_count == 0


async def test_deleted_and_folded_links_never_show_in_a_snapshot(lattice, storage, prefix):
    body = b'{"actor_id":"M1","contract_id":"c","link_name":"default","provider_id":"%b","deleted":%b}'
    for id_, provider, deleted in (("a", b"VA", b"false"), ("b", b"VB", b"false"), ("c", b"VC", b"false")):
        await storage.publish(f"lc.{prefix}.linkdefs.{id_}", body % (provider, deleted))
    async with lattice.watch() as watch:
        (put, caught_up) = await Events(watch).through(CaughtUp)
        assert put.entry.record.provider_id == "VC"
        assert caught_up.records == 1
    await storage.publish(f"lc.{prefix}.linkdefs.a", body % (b"VA", b"true"))
    async with lattice.watch() as watch:
        assert await Events(watch).next() == CaughtUp(revision=4, records=0)


async def test_garbage_is_an_event_and_no_end(lattice, storage, prefix):
    async with lattice.watch() as watch:
        events = Events(watch)
        await events.next()
        await storage.publish(f"lc.{prefix}.claims.M1", b"{")
        corrupt = await events.next()
        assert isinstance(corrupt, RecordCorrupt)
        assert corrupt.error.subject == f"lc.{prefix}.claims.M1"
        await lattice.put(ECHO)
        assert isinstance(await events.next(), RecordPut)


async def test_a_watch_can_be_narrowed_to_kinds(lattice):
    await lattice.put(ECHO)
    await lattice.put(LINK)
    async with lattice.watch(Claims) as watch:
        events = Events(watch)
        snapshot = await events.through(CaughtUp)
        assert [event.entry.record for event in snapshot[:-1]] == [ECHO]


async def test_a_stream_that_is_replaced_resets_the_watch_with_the_differences(lattice, storage, prefix):
    await lattice.put(ECHO)
    await lattice.put(IMAGE)
    async with lattice.watch() as watch:
        events = Events(watch)
        await events.through(CaughtUp)
        await storage.delete_stream(lattice.stream)
        await lattice.ensure()
        await Lattice(storage, prefix).put(IMAGE)
        await Lattice(storage, prefix).put(LINK)
        reset, *differences, caught_up = await events.through(CaughtUp)
        while isinstance(differences[-1] if differences else None, Reset):  # seen before it was re-created
            differences += (await events.through(CaughtUp))[:-1]
        assert isinstance(reset, Reset)
        assert reset.reason in (ResetReason.STREAM_RECREATED, ResetReason.STREAM_DELETED)
        seen = {type(change): change for change in differences}
        assert seen[RecordRemoved].key == ECHO.key
        assert seen[RecordRemoved].revision == 0
        if caught_up.records == 1:  # the new snapshot was taken between the two puts
            assert (await events.next()).entry.record == LINK
        assert {entry.record.key for entry in watch.view} == {IMAGE.key, LINK.key}


async def test_entering_a_watch_of_a_lattice_without_stream_fails(storage, prefix):
    with pytest.raises(StreamNotFoundError):
        async with Lattice(storage, prefix).watch():
            pass
    with pytest.raises(StreamNotFoundError):
        async with Lattice(storage, prefix).attach():
            pass
    with pytest.raises(StorageClosedError, match="async with"):
        await anext(aiter(Lattice(storage, prefix).watch()))


async def test_attached_reads_come_from_the_view_and_see_own_writes(lattice, storage):
    async with lattice.attach() as live:
        assert live.is_current
        for number in range(20):
            record = attrs.evolve(ECHO, name=f"echo {number}")
            revision = await lattice.put(record)
            assert live.view.revision >= revision
            assert (await lattice.get(ECHO.key)).record == record
        await lattice.put(LINK)
        assert [entry.record for entry in await lattice.list(LinkDefinition)] == [LINK]
        assert await lattice.remove(LINK.key) is not None
        assert await lattice.find(LINK.key) is None
        assert live.resets == 0
    with pytest.raises(StorageClosedError):
        await live.wait_for(10**9)


async def test_one_host_waits_for_what_another_wrote(lattice, storage, prefix):
    other = Lattice(storage, prefix, limits=LIMITS)
    async with lattice.attach() as live:
        revision = await other.put(ECHO)
        async with asyncio.timeout(15):
            await live.wait_for(revision)
        assert (await lattice.get(ECHO.key)).revision == revision


async def test_waiting_can_be_bounded_and_cancelled(lattice):
    async with lattice.attach() as live:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await live.wait_for(10**9)
        await live.wait_for(0)


async def test_a_reset_ends_the_waiting_and_reads_go_on(lattice, storage, prefix):
    await lattice.put(ECHO)
    async with lattice.attach() as live:
        waiting = asyncio.ensure_future(live.wait_for(10**9))
        await asyncio.sleep(0)
        await storage.delete_stream(lattice.stream)
        await lattice.ensure()
        with pytest.raises(ReplayInterruptedError):
            async with asyncio.timeout(15):
                await waiting
        revision = await lattice.put(IMAGE)
        assert (await lattice.get(IMAGE.key)).revision == revision
        assert await lattice.find(ECHO.key) is None
        async with asyncio.timeout(15):
            while not live.is_current or live.view.find(IMAGE.key) is None:
                await asyncio.sleep(0)
        assert live.resets >= 1


async def test_a_lost_stream_is_waited_for(prefix):
    server = SimServer()
    storage = SimStorage(server)
    lattice = Lattice(storage, prefix, limits=LIMITS)
    await lattice.ensure()
    await lattice.put(ECHO)
    async with lattice.watch() as watch:
        events = Events(watch)
        await events.through(CaughtUp)
        server.restart()  # memory streams are gone: the classic
        assert await events.next() == Reset(ResetReason.STREAM_DELETED)
        pending = asyncio.ensure_future(events.through(CaughtUp))
        await asyncio.sleep(0)
        assert len(watch.view) == 1, "until the stream is back, the last known records stay"
        await lattice.ensure()
        removed, caught_up = await pending
        assert removed.key == ECHO.key
        assert caught_up.records == 0


async def test_following_that_ends_for_good_says_why(prefix):
    class Revoked(SimStorage):
        revoked = False

        def replay(self, stream, **options):
            if self.revoked:
                raise PermissionDeniedError("no longer")
            return super().replay(stream, **options)

    storage = Revoked()
    lattice = Lattice(storage, prefix, limits=LIMITS)
    await lattice.ensure()
    async with lattice.attach() as live:
        storage.revoked = True
        await storage.delete_stream(lattice.stream)
        with pytest.raises((PermissionDeniedError, ReplayInterruptedError)):
            await live.wait_for(9)
        with pytest.raises(PermissionDeniedError):
            while True:
                await live.wait_for(9)
        assert not live.is_current


async def test_whatever_ends_the_following_is_told(prefix):
    class Broken(SimStorage):
        broken = False

        def replay(self, stream, **options):
            if self.broken:
                raise KeyError("a bug somewhere")
            return super().replay(stream, **options)

    storage = Broken()
    lattice = Lattice(storage, prefix, limits=LIMITS)
    await lattice.ensure()
    async with lattice.attach() as live:
        storage.broken = True
        await storage.delete_stream(lattice.stream)
        with pytest.raises((KeyError, ReplayInterruptedError)):
            await live.wait_for(9)
        with pytest.raises(KeyError):
            while True:
                await live.wait_for(9)
        assert not live.is_current
        storage.broken = False
        await lattice.ensure()
        await lattice.put(ECHO)
        assert (await lattice.get(ECHO.key)).record == ECHO


async def test_a_stream_lost_again_while_it_is_reopened_is_waited_for(prefix):
    class Shaky(SimStorage):
        failures = ()

        def replay(self, stream, **options):
            if self.failures:
                self.failures, error = self.failures[1:], self.failures[0]
                raise error
            return super().replay(stream, **options)

    storage = Shaky()
    lattice = Lattice(storage, prefix, limits=LIMITS)
    await lattice.ensure()
    async with lattice.watch() as watch:
        events = Events(watch)
        await events.through(CaughtUp)
        storage.failures = (
            ReplayInterruptedError(lattice.stream, ResetReason.STREAM_RECREATED, 3),
            api_error(503, 10008, "JetStream system temporarily unavailable"),
            ConnectionLostError("cut"),
        )
        await storage.delete_stream(lattice.stream)
        await lattice.ensure()
        assert isinstance((await events.through(CaughtUp))[0], Reset)


class Lagging(SimStorage):
    """Its replays hold back what comes after the snapshot."""

    def __init__(self):
        super().__init__()
        self.go_on = asyncio.Event()

    @asynccontextmanager
    async def replay(self, stream, **options):
        async with super().replay(stream, **options) as replay:
            if options["subjects"] == ("lc.default.>",):
                yield HeldBack(replay, self.go_on)
            else:
                yield replay


class HeldBack(ForwardingReplay):
    def __init__(self, inner, go_on):
        super().__init__(inner)
        self._go_on = go_on

    async def batches(self):
        async for batch in self._inner.batches():
            await self._go_on.wait()
            yield batch


async def test_own_writes_are_read_even_while_the_view_lags():
    storage = Lagging()
    lattice = Lattice(storage, limits=Limits(request_timeout_ns=1_000_000))
    await lattice.ensure()
    other = Lattice(storage)
    async with lattice.attach() as live:
        revision = await lattice.put(ECHO)
        assert live.view.revision < revision
        assert (await lattice.get(ECHO.key)).revision == revision
        assert [result async for result in lattice.put_many([])] == []
        assert (await lattice.get(ECHO.key)).revision == revision, "nothing written lowers what was seen"
        async for stored in lattice.put_many([IMAGE]):
            assert (await lattice.get(IMAGE.key)).revision == stored
            break
        theirs = await other.put(attrs.evolve(ECHO, public_key="MX"))
        assert await lattice.put(attrs.evolve(ECHO, public_key="MX")) == theirs, "equal claims are seen, not written"
        assert (await lattice.get(ClaimsKey("MX"))).revision == theirs
        await other.remove(ECHO.key)
        assert await lattice.remove(ECHO.key) is None
        assert await lattice.find(ECHO.key) is None
        storage.go_on.set()


async def test_reads_from_an_empty_view_cost_no_request():
    storage = RecordingStorage(SimStorage())
    lattice = Lattice(storage)
    await lattice.ensure()
    async with lattice.attach():
        before = len(storage.calls)
        assert await lattice.find(ECHO.key) is None
        assert await lattice.find(LINK.key) is None
        assert await lattice.list(Claims) == ()
        assert len(storage.calls) == before


# -- coalescing -------------------------------------------------------------------------------------


def changes_of(*messages):
    view = GrowingView(StreamFormat("default"))
    return [change for message in messages for change in view.apply(message)]


async def test_a_large_batch_is_coalesced_per_record_and_counted(prefix):
    storage = SimStorage()
    lattice = Lattice(storage, prefix, limits=Limits(watch_buffer=5))
    await lattice.ensure()
    async with lattice.watch() as watch:
        events = Events(watch)
        await events.next()
        for number in range(50):
            await lattice.put(attrs.evolve(ECHO, name=str(number)))
            await lattice.put(attrs.evolve(ECHO, public_key="MB", name=str(number)))
        first, second = await events.next(), await events.next()
        assert {first.entry.record.public_key, second.entry.record.public_key} == {"MECHO", "MB"}
        assert first.entry.record.name == "49"
        assert first.previous is None
        assert watch.coalesced == 98


async def test_coalescing_keeps_what_was_before_and_drops_what_came_and_went():
    storage = SimStorage()
    lattice = Lattice(storage)
    await lattice.ensure()
    await lattice.put(ECHO)
    taken = []
    async with lattice.watch() as watch:
        events = Events(watch)
        await events.through(CaughtUp)
        await lattice.put(attrs.evolve(ECHO, name="b"))
        await lattice.remove(ECHO.key)
        await lattice.put(IMAGE)
        await lattice.remove(IMAGE.key)
        await storage.publish("lc.default.claims.MX", b"{")
        await storage.publish("lc.default.claims.MX", b"[")
        taken = [await events.next() for _ in range(6)]
    merged = coalesce(taken)
    assert [type(change) for change in merged] == [RecordRemoved, RecordCorrupt]
    assert merged[0].previous.record == ECHO
    assert merged[1].error.revision == 7
    assert coalesce([*taken[:2], RecordPut(taken[0].entry)])[0].previous.record == ECHO
    assert ClaimsKey("MECHO") == merged[0].key
