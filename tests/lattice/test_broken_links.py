"""A link that breaks during a rebuild: it is waited for, for as long as the limits say, and no longer."""

import asyncio

import pytest

from lattice_store import Claims, Lattice
from lattice_store.errors import ConnectionLostError, PermissionDeniedError, StorageUnavailableError
from lattice_store.limits import SECOND_NS, Limits
from lattice_store_sim import SimServer, SimStorage

LIMITS = Limits(connect_timeout_ns=2 * SECOND_NS, retry_min_ns=SECOND_NS // 2)


class JumpingClock:
    """Time passes only while somebody sleeps, and then at once."""

    def __init__(self) -> None:
        self.now = 0

    def now_ns(self) -> int:
        return self.now

    def monotonic_ns(self) -> int:
        return self.now

    async def sleep(self, duration_ns: int) -> None:
        self.now += duration_ns
        await asyncio.sleep(0)


@pytest.fixture
async def broken():
    """A lattice of one record; each error appended is raised by one attempt to read it."""
    async with SimStorage(SimServer()) as storage:
        clock = JumpingClock()
        lattice = Lattice(storage, limits=LIMITS, clock=clock)
        await lattice.ensure()
        await lattice.put(Claims(public_key="M1", issuer="A1"))
        errors, replay = [], storage.replay

        def failing(stream, **options):
            if errors:
                raise errors.pop(0)
            return replay(stream, **options)

        storage.replay = failing
        yield lattice, errors, clock


async def test_it_is_waited_for(broken):
    lattice, errors, clock = broken
    errors += [
        ConnectionLostError("cut"),
        StorageUnavailableError("not connected"),
        StorageUnavailableError("still not"),
    ]
    assert len(await lattice.rebuild()) == 1
    assert clock.now == 3 * LIMITS.retry_min_ns


async def test_it_is_waited_for_no_longer_than_the_limits_say(broken):
    lattice, errors, clock = broken
    errors += [ConnectionLostError("cut"), *[StorageUnavailableError("not connected")] * 9]
    with pytest.raises(StorageUnavailableError):
        await lattice.rebuild()
    assert clock.now == LIMITS.connect_timeout_ns + LIMITS.retry_min_ns


async def test_one_that_was_never_there_is_not_waited_for(broken):
    lattice, errors, clock = broken
    errors.append(StorageUnavailableError("not connected"))
    with pytest.raises(StorageUnavailableError):
        await lattice.rebuild()
    assert clock.now == 0


async def test_a_refusal_is_final(broken):
    lattice, errors, _ = broken
    errors += [ConnectionLostError("cut"), PermissionDeniedError("no more")]
    with pytest.raises(PermissionDeniedError):
        await lattice.rebuild()


async def test_a_warm_start_over_a_link_that_breaks_goes_on_as_a_cold_one(broken, tmp_path):
    lattice, errors, _ = broken
    await lattice.save(tmp_path / "s")
    errors += [ConnectionLostError("cut"), StorageUnavailableError("not connected")]
    view = await lattice.rebuild(from_snapshot=tmp_path / "s")
    assert (view.cold_because, len(view)) == ("cut", 1)
