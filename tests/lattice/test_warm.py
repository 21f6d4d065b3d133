"""Starting warm: the view is what a cold rebuild gives, or the rebuild is a cold one. On both backends."""

import asyncio
import contextlib
import itertools
import shutil
from pathlib import Path

import attrs
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lattice_store import Claims, ClaimsKey, Lattice, LinkDefinition, nats
from lattice_store._formats import StreamFormat
from lattice_store.errors import InvalidArgumentError, MessageNotFoundError, SnapshotError, StreamNotFoundError
from lattice_store.model import StorageType
from lattice_store_sim import SimServer, SimStorage
from tests.lattice.conftest import LIMITS
from tests.lattice.test_history import state

_numbers = itertools.count(1)


def claims(number: int, name: str = "") -> Claims:
    return Claims(public_key=f"M{number}", issuer="A1", name=name)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "lattice.snapshot"


@pytest.fixture
async def filled(lattice):
    for number in range(1, 6):
        await lattice.put(claims(number))
    await lattice.put(LinkDefinition(actor_id="M1", provider_id="V1", contract_id="c", values={"URL": "secret"}))
    return lattice


async def test_only_what_came_after_the_snapshot_is_read(filled, storage, path, monkeypatch):
    assert await filled.save(path) == 6
    await filled.put(claims(2, "new"))
    await filled.put(claims(7))
    read, replay = [], storage.replay

    def noting(stream, **options):
        read.append(options["deliver"])
        return replay(stream, **options)

    monkeypatch.setattr(storage, "replay", noting)
    warm = await filled.rebuild(from_snapshot=path)
    assert (warm.cold_because, [deliver.sequence for deliver in read]) == ("", [7])
    assert state(warm) == state(await filled.rebuild())
    assert warm.revision == 8
    assert warm.find(ClaimsKey("M2")).record.name == "new"


async def test_nothing_came_after_the_snapshot(filled, path):
    await filled.save(path)
    warm = await filled.rebuild(from_snapshot=path)
    assert (warm.cold_because, warm.revision) == ("", 6)
    assert state(warm) == state(await filled.rebuild(eager=True))


async def test_an_eager_warm_start_leaves_nothing_to_decode(filled, path):
    await filled.save(path)
    warm = await filled.rebuild(from_snapshot=path, eager=True)
    assert warm.cold_because == ""
    assert "not decoded yet" not in repr(warm)


async def test_without_a_file_the_start_is_cold(filled, path):
    view = await filled.rebuild(from_snapshot=path)
    assert "no snapshot can be read from" in view.cold_because
    assert state(view) == state(await filled.rebuild())


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-5], lambda data: b"", lambda data: data[:40] + b"x" + data[41:]]
)
async def test_a_damaged_file_makes_a_cold_start(filled, path, damage):
    await filled.save(path)
    path.write_bytes(damage(path.read_bytes()))
    view = await filled.rebuild(from_snapshot=path)
    assert "snapshot" in view.cold_because
    assert state(view) == state(await filled.rebuild())


async def test_a_snapshot_of_another_lattice_is_not_used(filled, storage, prefix, path):
    await filled.save(path)
    other = Lattice(storage, f"{prefix}-other", limits=LIMITS)
    await other.ensure()
    await other.put(claims(9))
    view = await other.rebuild(from_snapshot=path)
    assert view.cold_because == f"the snapshot is of lattice {prefix}"
    assert [entry.record for entry in view] == [claims(9)]


async def recreate(lattice, storage):
    await storage.delete_stream(StreamFormat(lattice.prefix).stream)
    await lattice.ensure()
    for number in range(1, 9):
        await lattice.put(claims(number, "again"))


async def purge_one(lattice, storage):
    await storage.purge(StreamFormat(lattice.prefix).stream, subject=f"lc.{lattice.prefix}.claims.M3")


async def swap_one_for_another(lattice, storage):
    await purge_one(lattice, storage)
    await lattice.put(claims(9))


async def delete_one(lattice, storage):
    await storage.delete_message(StreamFormat(lattice.prefix).stream, 2)


async def purge_all(lattice, storage):
    await storage.purge(StreamFormat(lattice.prefix).stream)


async def purge_beyond_the_end(lattice, storage):
    await storage.purge(StreamFormat(lattice.prefix).stream, before_sequence=50)


async def keep_several(lattice, storage):
    config = StreamFormat(lattice.prefix).config()
    await storage.update_stream(attrs.evolve(config, max_msgs_per_subject=2))


@pytest.mark.parametrize(
    ("happens", "because"),
    [
        (recreate, "the stream was created anew since"),
        (purge_one, "5 subjects hold a message now, 6 would be expected"),
        (swap_one_for_another, "6 subjects hold a message now, 7 would be expected"),
        (delete_one, "5 subjects hold a message now, 6 would be expected"),
        (purge_all, "none of its newest messages is where it was"),
        (purge_beyond_the_end, "none of its newest messages is where it was"),
        (keep_several, "the stream does not keep one message per subject"),
    ],
)
async def test_what_makes_a_snapshot_untrue_is_noticed(filled, storage, path, happens, because):
    await filled.save(path)
    await happens(filled, storage)
    view = await filled.rebuild(from_snapshot=path)
    assert view.cold_because == because
    assert state(view) == state(await filled.rebuild())


async def test_no_snapshot_is_made_that_could_not_be_used(filled, storage, path):
    await keep_several(filled, storage)
    with pytest.raises(SnapshotError, match="does not keep one message per subject"):
        await filled.save(path)
    assert not path.exists()


async def test_a_snapshot_that_cannot_be_written_leaves_the_one_before(filled, path):
    await filled.save(path)
    before = path.read_bytes()
    with pytest.raises(SnapshotError, match="no snapshot can be written to"):
        await filled.save(path / "below")
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == [path.name]


async def test_a_snapshot_is_for_its_owner_only(filled, path):
    await filled.save(path)
    assert path.stat().st_mode & 0o077 == 0


async def test_kinds_and_a_snapshot_exclude_each_other(filled, path):
    with pytest.raises(InvalidArgumentError, match="whole lattice"):
        await filled.rebuild(Claims, from_snapshot=path)


async def test_without_a_stream_there_is_nothing_to_save_or_to_begin_with(storage, prefix, path):
    lattice = Lattice(storage, prefix, limits=LIMITS)
    with pytest.raises(StreamNotFoundError):
        await lattice.save(path)
    with pytest.raises(StreamNotFoundError):
        await lattice.rebuild(from_snapshot=path)


async def test_a_warm_start_while_others_write(filled, storage, prefix, path):
    """With a write between every two requests no moment is quiet: then the start is cold, and right all the same."""
    await filled.save(path)
    writer, done = Lattice(storage, prefix, limits=LIMITS), asyncio.Event()

    async def write():
        for number in itertools.count(100):
            if done.is_set():
                return
            await writer.put(claims(number))

    writing = asyncio.create_task(write())
    async with asyncio.timeout(30):
        view = await filled.rebuild(from_snapshot=path)
    done.set()
    await writing
    assert view.cold_because in ("", "writes followed each other too closely to compare the number of subjects")
    expected = {entry.record.key: entry.revision for entry in await filled.rebuild()}
    seen = {entry.record.key: entry.revision for entry in view}
    assert seen == {key: revision for key, revision in expected.items() if revision <= view.revision}


# -- whatever happens -----------------------------------------------------------------------------

steps = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(1, 5), st.sampled_from(["", "x"])),
        st.tuples(st.just("remove"), st.integers(1, 5), st.just("")),
        st.tuples(st.just("purge"), st.integers(1, 5), st.just("")),
        st.tuples(st.just("delete"), st.integers(1, 12), st.just("")),
        st.tuples(st.sampled_from(["recreate", "purge all", "restart"]), st.just(0), st.just("")),
    ),
    max_size=12,
)


LAST_REMOVED = [("put", 1, ""), ("put", 2, ""), ("purge", 2, "")]
"""A cold rebuild stood at its last message, a warm one at the end of the stream."""


async def take(step, lattice, storage, restart):
    stream = StreamFormat(lattice.prefix).stream
    match step:
        case "put", number, name:
            await lattice.put(claims(number, name))
        case "remove", number, _:
            await lattice.remove(ClaimsKey(f"M{number}"))
        case "purge", number, _:
            await storage.purge(stream, subject=f"lc.{lattice.prefix}.claims.M{number}")
        case "delete", sequence, _:
            with contextlib.suppress(MessageNotFoundError):
                await storage.delete_message(stream, sequence)
        case "recreate", _, _:
            await storage.delete_stream(stream)
            await lattice.ensure()
        case "purge all", _, _:
            await storage.purge(stream)
        case "restart", _, _:
            await restart(lattice)


async def play(storage, prefix, path, before, after, restart):
    lattice = Lattice(storage, prefix, limits=LIMITS)
    await lattice.ensure()
    for step in before:
        await take(step, lattice, storage, restart)
    await lattice.save(path)
    for step in after:
        await take(step, lattice, storage, restart)
    warm, cold = await lattice.rebuild(from_snapshot=path), await lattice.rebuild()
    assert (state(warm), warm.revision) == (state(cold), cold.revision)
    return warm.cold_because


@settings(max_examples=150, deadline=None)
@given(before=steps, after=steps)
@example(before=LAST_REMOVED, after=[])
def test_never_a_stale_record_on_the_simulator(before, after, tmp_path_factory):
    async def run():
        server = SimServer()

        async def restart(lattice):
            server.restart()
            await lattice.ensure()

        async with SimStorage(server) as storage:
            await play(storage, "p", tmp_path_factory.mktemp("warm") / "s", before, after, restart)

    asyncio.run(run())


@pytest.mark.nats
@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=steps, after=steps)
@example(before=LAST_REMOVED, after=[])
def test_never_a_stale_record_on_a_server(before, after, nats_server, tmp_path_factory):
    async def restart(lattice):
        """A restart would concern others; the memory stream is lost just so."""
        await take(("recreate", 0, ""), lattice, lattice._storage, restart)

    async def run():
        async with await nats.connect(nats_server.url, limits=LIMITS) as storage:
            prefix = f"warm-{next(_numbers)}"
            await play(storage, prefix, tmp_path_factory.mktemp("warm") / "s", before, after, restart)
            await storage.delete_stream(StreamFormat(prefix).stream)

    asyncio.run(run())


@pytest.mark.nats
async def test_a_server_that_lost_its_end_and_went_on_is_noticed(tmp_path):
    """The file store comes back as it was before the last writes, and other writes take their sequences."""
    with nats.LocalServer() as server:
        path = tmp_path / "snapshot"
        format_ = StreamFormat("p")
        async with await nats.connect(server.url, limits=LIMITS) as storage:
            await storage.create_stream(attrs.evolve(format_.config(), storage=StorageType.FILE))
            lattice = Lattice(storage, "p", limits=LIMITS)
            await lattice.put(claims(1))
        server.stop()
        kept = tmp_path / "kept"
        shutil.copytree(Path(server.store_dir), kept)
        server.restart()
        async with await nats.connect(server.url, limits=LIMITS) as storage:
            lattice = Lattice(storage, "p", limits=LIMITS)
            await lattice.put(claims(2, "lost"))
            await lattice.save(path)
        server.stop()
        shutil.rmtree(server.store_dir)
        shutil.copytree(kept, Path(server.store_dir))
        server.restart()
        async with await nats.connect(server.url, limits=LIMITS) as storage:
            lattice = Lattice(storage, "p", limits=LIMITS)
            await lattice.put(claims(2, "other"))
            view = await lattice.rebuild(from_snapshot=path)
            assert view.cold_because == "the stream went back, and on from there"
            assert view.find(ClaimsKey("M2")).record.name == "other"
