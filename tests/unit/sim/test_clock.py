import asyncio

import pytest

from lattice_store.clock import Clock
from lattice_store.errors import InvalidArgumentError
from lattice_store_sim import VirtualClock

SECOND = 1_000_000_000


async def settle():
    for _ in range(5):
        await asyncio.sleep(0)


def test_it_starts_at_a_fixed_time_and_stands_still():
    clock: Clock = VirtualClock()
    assert (clock.now_ns(), clock.monotonic_ns()) == (1_767_225_600 * SECOND, 0)
    assert clock.now_ns() == VirtualClock().now_ns()
    assert VirtualClock(now_ns=5).now_ns() == 5


def test_it_moves_by_what_it_is_told():
    clock = VirtualClock(now_ns=0)
    clock.advance(1.5)
    clock.advance_ns(1)
    assert (clock.now_ns(), clock.monotonic_ns()) == (1_500_000_001, 1_500_000_001)


def test_it_does_not_go_back():
    clock = VirtualClock(now_ns=0)
    with pytest.raises(InvalidArgumentError, match="-1000000000 ns"):
        clock.advance(-1)
    assert clock.now_ns() == 0


async def test_sleepers_wake_in_deadline_order_and_then_in_order_of_falling_asleep():
    clock = VirtualClock()
    woken = []

    async def sleep(name, seconds):
        await clock.sleep(seconds * SECOND)
        woken.append(name)

    tasks = [asyncio.create_task(sleep(*one)) for one in (("c", 3), ("a", 1), ("b", 2), ("b2", 2), ("z", 9))]
    await settle()
    clock.advance(0.999)
    await settle()
    assert woken == []
    clock.advance(2.001)
    await settle()
    assert woken == ["a", "b", "b2", "c"]
    clock.advance(6)
    await asyncio.gather(*tasks)
    assert woken[-1] == "z"


@pytest.mark.parametrize("duration", [0, -5])
async def test_no_time_to_sleep_lets_others_run_once(duration):
    ran = []
    task = asyncio.create_task(settle())
    task.add_done_callback(ran.append)
    await VirtualClock().sleep(duration)
    assert not ran
    await task


async def test_a_cancelled_sleeper_is_forgotten():
    clock = VirtualClock()
    task = asyncio.create_task(clock.sleep(SECOND))
    await settle()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert clock._sleepers == []


async def test_a_sleeper_cancelled_in_the_same_turn_is_not_woken():
    clock = VirtualClock()
    task = asyncio.create_task(clock.sleep(SECOND))
    await settle()
    task.cancel()
    clock.advance(1)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert clock._sleepers == []
